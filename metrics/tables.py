"""A table, and how it is written: terminal, CSV, Markdown, LaTeX. Cells are text; every format escapes them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

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
ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}


@dataclass(frozen=True)
class Table:
    """Rows of text cells under a header; `note` is said below."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def number(value: float | None, unit: str = "share") -> str:
    """A figure with the digits that its unit deserves; a dash where there is none."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{value:.4f}"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def scores_table(judgement: Judgement) -> Table:
    """The scores of one judgement."""
    return Table(
        f"{judgement.out.path.name} · {judgement.mode}",
        ("score", "better", "output", "input", "unit", "failed", "note"),
        tuple(_score_row(score) for score in judgement.scores),
        "\n".join(judgement.says),
    )


def _score_row(score: Score) -> tuple[str, ...]:
    failed = f"{score.failures}/{score.total}"
    values = number(score.value, score.unit), number(score.input, score.unit)
    return score.name, ARROWS[score.better], *values, score.unit, failed, score.note


def print_table(table: Table) -> None:
    """On the terminal, as wide as it is."""
    from rich.console import Console
    from rich.table import Table as Rich
    from rich.text import Text

    rich = Rich(title=Text(table.title), title_justify="left")
    for index, name in enumerate(table.header):
        rich.add_column(Text(name), overflow="fold", no_wrap=index == 0)
    for row in table.rows:
        rich.add_row(*map(Text, row))
    console = Console()
    console.print(rich)
    if table.note:
        console.print(Text(table.note))


def as_csv(table: Table) -> str:
    """RFC 4180, header first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.header)
    writer.writerows(table.rows)
    return out.getvalue()


def as_markdown(table: Table) -> str:
    """A GitHub table under its title."""
    lines = [f"### {_md(table.title)}", "", _md_row(table.header), "|" + " --- |" * len(table.header)]
    lines += map(_md_row, table.rows)
    return "\n".join([*lines, "", *([_md(table.note), ""] if table.note else [])])


def _md(text: str) -> str:
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, "\\" + sign)
    return text.replace("\n", " ")


def _md_row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(_md, cells)) + " |"


def as_latex(table: Table) -> str:
    """A booktabs tabular with its title as caption."""
    columns = "l" + "r" * (len(table.header) - 1)
    lines = [r"\begin{table}", rf"\caption{{{_tex(table.title)}}}", rf"\begin{{tabular}}{{{columns}}}"]
    lines += [r"\toprule", _tex_row(table.header), r"\midrule", *map(_tex_row, table.rows), r"\bottomrule"]
    notes = [f"% {line}" for line in table.note.splitlines()]
    return "\n".join([*lines, r"\end{tabular}", *notes, r"\end{table}", ""])


def _tex(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text.replace("–", "--").replace("\n", " "))


def _tex_row(cells: tuple[str, ...]) -> str:
    return " & ".join(map(_tex, cells)) + r" \\"
