"""Strings of files, made harmless for a terminal, a Markdown table and a spreadsheet."""

from __future__ import annotations

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula (OWASP: CSV injection)


def clean(text: object) -> str:
    """One line without control characters: escape sequences, line breaks, text direction and stray bytes become
    visible.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def csv_text(text: object) -> str:
    """A string as the cell of a CSV file: quoted where it must be, and no formula. Numbers need none of this."""
    shown = clean(text)
    if shown.startswith(FORMULA_STARTS):
        shown = f"'{shown}"
    return '"' + shown.replace('"', '""') + '"' if any(c in shown for c in ",\";'") else shown


def markdown_text(text: object) -> str:
    """A string as the cell of a Markdown table: no column, link, image or HTML of its own."""
    shown = clean(text).replace("\\", "\\\\")
    for mark in "|`*_[]<>":
        shown = shown.replace(mark, f"\\{mark}")
    return shown
