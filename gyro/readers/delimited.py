"""Reader of CSV and TSV tables with any order of columns, with or without a header."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gyro.errors import LogError
from gyro.log import Float, GyroLog
from gyro.readers.assemble import read_columns
from gyro.readers.columns import Columns, columns_by_name, columns_by_value, requested_columns
from gyro.readers.options import ReadOptions
from gyro.readers.table import MAX_LINE_BYTES, TextForm, number, open_log, unquoted

HEAD_BYTES = 1 << 16
SAMPLE_ROWS = 400
MAX_COLUMNS = 1024
_DELIMITERS = (",", ";", "\t", None)


@dataclass(frozen=True, slots=True)
class Head:
    """The start of a text file."""

    form: TextForm
    header: list[str]
    """Names above the first row of numbers; empty if there are none."""
    sample: Float
    """(n, columns) first rows, NaN where a cell is text."""


def sniff(head: bytes, path: Path) -> bool:
    """Whether the head is text with a line of four numbers."""
    try:
        inspect_head(head, path.name)
    except LogError:
        return False
    return True


def read(path: Path, options: ReadOptions) -> GyroLog:
    """Read a table. Raises LogError where the columns or the unit of time cannot be detected."""
    with open_log(path) as file:
        head = inspect_head(file.read(HEAD_BYTES), path.name)
    return read_columns(path, "delimited", head.form, find_columns(head, path, options), options)


def find_columns(head: Head, path: Path, options: ReadOptions) -> Columns:
    """Return the columns that the user requests, else those of the header, else those detected by value."""
    if options.columns is not None:
        return requested_columns(options.columns, head.header)
    named = columns_by_name(head.header, head.sample, "gyro" in path.stem.lower()) if head.header else None
    return named or columns_by_value(head.sample)


def inspect_head(head: bytes, name: str) -> Head:
    """Detect delimiter, header and first rows. Raises LogError unless the head is text with rows of numbers."""
    if b"\0" in head:
        raise LogError(f"{name}: binary, not a text log")
    lines = _lines(head)
    best: tuple[int, TextForm] | None = None
    for delimiter in _DELIMITERS:
        for comma in (False, True) if delimiter in (";", "\t") else (False,):
            form = TextForm(delimiter, 0, comma)
            score = sum(_numbers(line, form) >= 4 for line in lines)
            if score and (best is None or score > best[0]):
                best = score, form
    if best is None:
        raise LogError(f"{name}: no line with four numbers in its first {HEAD_BYTES >> 10} KiB")
    form = best[1]
    first = next(i for i, line in enumerate(lines) if _numbers(line, form) >= 4)
    header = _names(lines[first - 1], form, lines[first]) if first else []
    rows = lines[first : first + SAMPLE_ROWS]
    return Head(TextForm(form.delimiter, first, form.decimal_comma), header, _sample(rows, form))


def _lines(head: bytes) -> list[str]:
    """Return the complete lines of the head."""
    text = head.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").decode("latin-1")
    lines = text.split("\n")
    return lines[:-1] if len(head) >= HEAD_BYTES and len(lines) > 1 else [x for x in lines if x or x is not lines[-1]]


def _cells(line: str, form: TextForm) -> list[str]:
    line = line.replace(",", ".") if form.decimal_comma else line
    return [unquoted(cell) for cell in line[:MAX_LINE_BYTES].split(form.delimiter)]


def _numbers(line: str, form: TextForm) -> int:
    return sum(number(cell) is not None for cell in _cells(line, form))


def _names(line: str, form: TextForm, row: str) -> list[str]:
    """Return the names above the first row, if there is one for each of its cells."""
    names = [unquoted(cell) for cell in line.split(form.delimiter)]
    return names if len(names) >= len(_cells(row, form)) - 1 and any(names) else []


def _sample(rows: list[str], form: TextForm) -> Float:
    cells = [_cells(row, form) for row in rows if row.strip()]
    width = max(map(len, cells))
    if width > MAX_COLUMNS:
        raise LogError(f"{width} columns: not a gyroscope log")
    sample = np.full((len(cells), width), np.nan)
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            value = number(cell)
            if value is not None and abs(value) < 1e30:
                sample[i, j] = value
    return sample
