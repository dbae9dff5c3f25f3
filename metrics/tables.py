"""A table, and how it is written: terminal, CSV, Markdown, LaTeX. Cells are text; every format escapes them."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from localfiles.text import clean, csv_text, markdown_text
from metrics.model import Judgement, Score

LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
NONE = "–"
ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}
FIGURE = re.compile(r"-?\d+(\.\d+)?( %| \[-?\d+(\.\d+)?, -?\d+(\.\d+)?\])?")  # a number, a share, an interval
BETWEEN = 3  # characters between two columns on a terminal
WIDEST = 40  # characters of a column there; longer cells are folded


@dataclass(frozen=True)
class Table:
    """Rows of text cells under a header. The first `keys` columns name a row; `notes` are lines below."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    keys: int = 1


def number(value: float | None, unit: str = "share") -> str:
    """A figure with the digits that its unit deserves; a dash where there is none."""
    if value is None:
        return NONE
    if unit == "share":
        return f"{value:.4f}"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def scores_table(judgement: Judgement) -> Table:
    """The scores of one judgement."""
    return Table(
        f"{judgement.out.path.name} · {judgement.mode}",
        ("score", "output", "input", "unit", "failed"),
        tuple(_score_row(score) for score in judgement.scores),
        (*(f"{score.name}: {score.note}" for score in judgement.scores if score.note), *judgement.says),
    )


def _score_row(score: Score) -> tuple[str, ...]:
    named = f"{score.name} {ARROWS[score.better]}".rstrip()
    values = number(score.value, score.unit), number(score.input, score.unit)
    return named, *values, score.unit, f"{score.failures}/{score.total}"


def print_table(table: Table) -> None:
    """On the terminal, in its width: columns that do not fit side by side follow below, under the same row names."""
    from rich.text import Text

    console = _console()
    with console.capture() as captured:
        console.print(Text(clean(table.title)))
        for columns in _blocks(table, console.width):
            if columns[table.keys] > table.keys:  # not the first block
                console.print()
            console.print(_rich(table, columns))
        for note in table.notes:
            console.print(Text(clean(note)))
    print("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n", flush=True)


def _console() -> Any:
    """As wide as the terminal, with its encoding; it writes nothing itself, for `say` knows what can go wrong."""
    from rich.console import Console

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return Console(file=io.TextIOWrapper(io.BytesIO(), encoding), width=Console().width)


def _blocks(table: Table, width: int) -> Iterator[tuple[int, ...]]:
    """Numbers of the columns that stand side by side: those that name a row, and as many of the others as fit."""
    keys = tuple(range(table.keys))
    room = width - sum(_width(table, column) + BETWEEN for column in keys)
    block: list[int] = []
    for column in range(table.keys, len(table.header)):
        needed = sum(_width(table, other) + BETWEEN for other in [*block, column]) - BETWEEN
        if block and needed > room:
            yield *keys, *block
            block = []
        block.append(column)
    yield *keys, *block


def _width(table: Table, column: int) -> int:
    from rich.cells import cell_len

    return min(WIDEST, max(cell_len(clean(cells[column])) for cells in (table.header, *table.rows)))


def _rich(table: Table, columns: tuple[int, ...]) -> Any:
    from rich import box
    from rich.table import Table as Rich
    from rich.text import Text

    rich = Rich(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        figures = all(FIGURE.fullmatch(row[column]) or row[column] == NONE for row in table.rows)
        rich.add_column(Text(table.header[column]), justify="right" if figures else "left", overflow="fold")
    for row in table.rows:
        rich.add_row(*(Text(clean(row[column])) for column in columns))
    return rich


def as_csv(table: Table) -> str:
    """RFC 4180, header first; no cell that a spreadsheet would take for a formula."""
    return "".join(",".join(map(_csv, cells)) + "\n" for cells in (table.header, *table.rows))


def _csv(cell: str) -> str:
    if FIGURE.fullmatch(cell):  # its minus sign is no formula
        return f'"{cell}"' if "," in cell else cell
    return csv_text(cell)


def as_markdown(table: Table) -> str:
    """A GitHub table under its title."""
    lines = [f"### {markdown_text(table.title)}", "", _md_row(table.header), "|" + " --- |" * len(table.header)]
    lines += map(_md_row, table.rows)
    lines.append("")
    for note in table.notes:
        lines += [markdown_text(note), ""]
    return "\n".join(lines)


def _md_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(markdown_text, cells)) + " |"


def as_latex(table: Table) -> str:
    """A booktabs tabular with its title as caption."""
    columns = "l" + "r" * (len(table.header) - 1)
    lines = [r"\begin{table}", rf"\caption{{{_tex(table.title)}}}", rf"\begin{{tabular}}{{{columns}}}"]
    lines += [r"\toprule", _tex_row(table.header), r"\midrule", *map(_tex_row, table.rows), r"\bottomrule"]
    notes = [f"% {clean(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{tabular}", *notes, r"\end{table}", ""])


def _tex(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in clean(text).replace(NONE, "--"))


def _tex_row(cells: Iterable[str]) -> str:
    return " & ".join(map(_tex, cells)) + r" \\"
