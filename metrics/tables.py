"""Tables of text cells, and their formats: terminal, CSV, Markdown, LaTeX. Every format escapes its cells."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from localfiles.text import clean, csv_text, markdown_text
from metrics.model import Judgement, Score

LATEX_ESCAPES = {
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
NO_VALUE = "–"
ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}
NUMERIC_CELL = re.compile(r"-?\d+(\.\d+)?( %| \[-?\d+(\.\d+)?, -?\d+(\.\d+)?\])?")  # a number, a share, an interval
COLUMN_GAP = 3  # characters between two columns on a terminal
MAX_COLUMN_WIDTH = 40  # characters on a terminal; longer cells wrap


@dataclass(frozen=True)
class Table:
    """Rows of text cells under a header."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    """Lines below the table."""
    keys: int = 1
    """How many of the first columns identify a row."""


def number(value: float | None, unit: str = "share") -> str:
    """Format a value with the precision of its unit; a dash for None."""
    if value is None:
        return NO_VALUE
    if unit == "share":
        return f"{value:.4f}"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def scores_table(judgement: Judgement) -> Table:
    """Return the scores of one judgement."""
    return Table(
        f"{judgement.out.path.name} · {judgement.mode}",
        ("score", "output", "input", "unit", "failed"),
        tuple(_score_row(score) for score in judgement.scores),
        (*(f"{score.name}: {score.note}" for score in judgement.scores if score.note), *judgement.notes),
    )


def _score_row(score: Score) -> tuple[str, ...]:
    name = f"{score.name} {ARROWS[score.better]}".rstrip()
    values = number(score.value, score.unit), number(score.input, score.unit)
    return name, *values, score.unit, f"{score.failures}/{score.total}"


def print_table(table: Table) -> None:
    """Print a table at the terminal's width. Columns that do not fit continue below, with the key columns repeated."""
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
    """Return a console with the terminal's width and encoding that captures its output instead of writing it."""
    from rich.console import Console

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return Console(file=io.TextIOWrapper(io.BytesIO(), encoding), width=Console().width)


def _blocks(table: Table, width: int) -> Iterator[tuple[int, ...]]:
    """Yield the column numbers of each block: the key columns, and as many of the others as fit."""
    keys = tuple(range(table.keys))
    available = width - sum(_width(table, column) + COLUMN_GAP for column in keys)
    block: list[int] = []
    for column in range(table.keys, len(table.header)):
        needed = sum(_width(table, other) + COLUMN_GAP for other in [*block, column]) - COLUMN_GAP
        if block and needed > available:
            yield *keys, *block
            block = []
        block.append(column)
    yield *keys, *block


def _width(table: Table, column: int) -> int:
    from rich.cells import cell_len

    return min(MAX_COLUMN_WIDTH, max(cell_len(clean(cells[column])) for cells in (table.header, *table.rows)))


def _rich(table: Table, columns: tuple[int, ...]) -> Any:
    from rich import box
    from rich.table import Table as Rich
    from rich.text import Text

    rich = Rich(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        numeric = all(NUMERIC_CELL.fullmatch(row[column]) or row[column] == NO_VALUE for row in table.rows)
        rich.add_column(Text(table.header[column]), justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        rich.add_row(*(Text(clean(row[column])) for column in columns))
    return rich


def as_csv(table: Table) -> str:
    """Return CSV (RFC 4180), header first. No cell can be taken for a formula by a spreadsheet."""
    return "".join(",".join(map(_csv, cells)) + "\n" for cells in (table.header, *table.rows))


def _csv(cell: str) -> str:
    if NUMERIC_CELL.fullmatch(cell):  # a leading minus sign is no formula here
        return f'"{cell}"' if "," in cell else cell
    return csv_text(cell)


def as_markdown(table: Table) -> str:
    """Return a GitHub table under its title."""
    lines = [f"### {markdown_text(table.title)}", "", _md_row(table.header), "|" + " --- |" * len(table.header)]
    lines += map(_md_row, table.rows)
    lines.append("")
    for note in table.notes:
        lines += [markdown_text(note), ""]
    return "\n".join(lines)


def _md_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(markdown_text, cells)) + " |"


def as_latex(table: Table) -> str:
    """Return a booktabs tabular with its title as caption."""
    columns = "l" + "r" * (len(table.header) - 1)
    lines = [r"\begin{table}", rf"\caption{{{_tex(table.title)}}}", rf"\begin{{tabular}}{{{columns}}}"]
    lines += [r"\toprule", _tex_row(table.header), r"\midrule", *map(_tex_row, table.rows), r"\bottomrule"]
    notes = [f"% {clean(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{tabular}", *notes, r"\end{table}", ""])


def _tex(text: str) -> str:
    return "".join(LATEX_ESCAPES.get(char, char) for char in clean(text).replace(NO_VALUE, "--"))


def _tex_row(cells: Iterable[str]) -> str:
    return " & ".join(map(_tex, cells)) + r" \\"
