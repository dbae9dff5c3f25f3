"""Strings of files, made harmless for a terminal, a Markdown table and a spreadsheet."""

from __future__ import annotations

FORMULA_STARTS = tuple(
    "=+-@＝＋－＠"
)  # what a spreadsheet takes for a formula (OWASP: CSV injection); some know wide ones
_MARKDOWN = frozenset("\\|`*_[]<>~@&$#!")
_ADDRESSES = {"://": "\\://", "www.": "www\\."}  # which GitHub makes links of


def clean(text: object) -> str:
    """One line without control characters: escape sequences, line breaks, text direction and stray bytes become
    visible.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def csv_text(text: object) -> str:
    """A string as the cell of a CSV file: quoted where it must be, and no formula. Numbers need none of this."""
    shown = clean(text)
    if shown.lstrip().startswith(FORMULA_STARTS):
        shown = f"'{shown}"
    return '"' + shown.replace('"', '""') + '"' if any(c in shown for c in ",\";'") else shown


def markdown_text(text: object) -> str:
    """A string as the cell of a Markdown table: no column, link, image or HTML of its own."""
    shown = "".join(f"\\{c}" if c in _MARKDOWN else c for c in clean(text))
    for plain, broken in _ADDRESSES.items():
        shown = shown.replace(plain, broken)
    return shown
