"""Escape untrusted strings for terminals, Markdown tables and spreadsheets."""

from __future__ import annotations

# First characters of spreadsheet formulas (OWASP: CSV injection), full-width ones included.
FORMULA_STARTS = tuple("=+-@＝＋－＠")
_MARKDOWN = frozenset("\\|`*_[]<>~@&$#!")
_LINK_PREFIXES = {"://": "\\://", "www.": "www\\."}  # GitHub turns them into links


def clean(text: object) -> str:
    """Return one line in which control characters are cell as escapes.

    These include terminal sequences, line breaks, text direction marks and invalid bytes.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def csv_text(text: object) -> str:
    """Return a CSV cell: quoted if necessary, and never a formula. For strings; numbers need no escaping."""
    cell = clean(text)
    if cell.lstrip().startswith(FORMULA_STARTS):
        cell = f"'{cell}"
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ",\";'") else cell


def markdown_text(text: object) -> str:
    """Return a Markdown table cell that contains no columns, links, images or HTML."""
    cell = "".join(f"\\{c}" if c in _MARKDOWN else c for c in clean(text))
    for plain, escaped in _LINK_PREFIXES.items():
        cell = cell.replace(plain, escaped)
    return cell
