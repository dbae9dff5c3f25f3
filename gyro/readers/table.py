"""Parsing of numbers in delimited text: in blocks where the text is valid, line by line elsewhere, with bad lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gyro.errors import LogError, file_errors
from gyro.log import Float
from localfiles import local_file
from localfiles.reading import open_regular

CHUNK_BYTES = 1 << 22
MAX_LINE_BYTES = 1 << 16
MAX_ROWS = 20_000_000  # eleven hours at 500 Hz; bounds the memory at about 1.5 GB
MAX_LINES = 2 * MAX_ROWS  # with those that are blank or bad
MAX_BYTES = 1 << 33  # of a text log
REASONS_MAX = 1000
_BLOCK = 256  # rows of a damaged chunk that are parsed at once before each is parsed alone
_VALUE_MAX = 1e30  # no sensor measures more, and the square still fits a double


@dataclass(frozen=True, slots=True)
class TextForm:
    """Format of a delimited text file."""

    delimiter: str | None = ","
    """None: white space."""
    skip: int = 0
    """Lines before the data."""
    decimal_comma: bool = False


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line without a valid row."""

    line: int
    reason: str
    """Empty beyond the first REASONS_MAX."""


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers of a delimited text file."""

    values: Float
    """(n, k) of the requested columns."""
    line: NDArray[np.int64]
    """(n,) line number of each row."""
    bad: tuple[BadLine, ...]


def open_log(path: Path) -> BinaryIO:
    """Open a log. Raises InputError unless it is a regular file: a pipe could block, a device be endless."""
    with file_errors():
        return open_regular(local_file(path), str(path))


def read_table(path: Path, form: TextForm, columns: tuple[int, ...], required: int) -> Table:
    """Read the `columns` (from 0) of a delimited text file.

    The first `required` of them must hold finite numbers or the line is bad; others become NaN. Blank lines are
    skipped. Raises LogError for lines over 64 KiB, more than MAX_ROWS rows, MAX_LINES lines or MAX_BYTES, and for
    more bad lines than good ones.
    """
    values: list[Float] = []
    lines: list[NDArray[np.int64]] = []
    bad: list[BadLine] = []
    good = 0
    for first, rows in _chunks(path, form):
        chunk, numbers, broken = _parse_chunk(rows, first, form, columns, required)
        values.append(chunk)
        lines.append(numbers)
        bad.extend(b if len(bad) + i < REASONS_MAX else BadLine(b.line, "") for i, b in enumerate(broken))
        good += len(chunk)
        _check_size(path, good, bad)
    if not good:
        raise LogError(f"{path.name}: no line holds numbers in columns {[c + 1 for c in columns]}")
    line = np.concatenate(lines)
    del lines
    return Table(np.concatenate(values), line, tuple(bad))


def _check_size(path: Path, good: int, bad: list[BadLine]) -> None:
    if good > MAX_ROWS:
        raise LogError(f"{path.name}: more than {MAX_ROWS} rows; cut the log to the length of the video")
    if len(bad) > max(REASONS_MAX, good):
        raise LogError(
            f"{path.name}: line {bad[0].line}: {bad[0].reason}; more bad lines than good ones: not a log of this format"
        )


def _chunks(path: Path, form: TextForm) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the first line, lines) until the end of the file."""
    line = 1 + form.skip
    with open_log(path) as file:
        for _ in range(form.skip):
            file.readline(MAX_LINE_BYTES)
        while block := file.read(CHUNK_BYTES):
            block += file.readline(MAX_LINE_BYTES)
            if line > MAX_LINES or file.tell() > MAX_BYTES:
                raise LogError(f"{path.name}: too long for a gyroscope log; cut it to the length of the video")
            rows = block.replace(b"\r\n", b"\n").removesuffix(b"\n").decode("latin-1").split("\n")
            if max(map(len, rows)) >= MAX_LINE_BYTES:
                raise LogError(f"{path.name}: a line longer than 64 KiB near line {line}: not a text log")
            yield line, rows
            line += len(rows)


def _parse_chunk(
    rows: list[str], first: int, form: TextForm, columns: tuple[int, ...], required: int
) -> tuple[Float, NDArray[np.int64], list[BadLine]]:
    if form.decimal_comma:
        rows = [row.replace(",", ".") for row in rows]
    values = _parse_block(rows, form, columns)
    line = np.arange(first, first + len(rows))
    bad: list[BadLine] = []
    if values is None:
        values, line, bad = _parse_lines(rows, first, form, columns, required)
    valid = np.all(np.abs(values[:, :required]) < _VALUE_MAX, axis=1)
    bad += [BadLine(int(n), "a value is not a finite number") for n in line[~valid]]
    return values[valid], line[valid], sorted(bad, key=lambda b: b.line)


def _parse_block(rows: list[str], form: TextForm, columns: tuple[int, ...]) -> Float | None:
    """Parse all rows at once; None where any of them is blank or invalid."""
    if not any(map(str.strip, rows)):
        return None
    try:
        values = np.loadtxt(rows, delimiter=form.delimiter, usecols=columns, comments=None, quotechar='"', ndmin=2)
    except (ValueError, IndexError):
        return None
    # Blank lines and quoted line ends would shift the line numbers.
    return values if len(values) == len(rows) else None


def _parse_lines(
    rows: list[str], first: int, form: TextForm, columns: tuple[int, ...], required: int
) -> tuple[Float, NDArray[np.int64], list[BadLine]]:
    values: list[Float] = [np.zeros((0, len(columns)))]
    lines: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    bad: list[BadLine] = []
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        if not any(map(str.strip, part)):
            continue
        block = _parse_block(part, form, columns)
        number = np.arange(first + start, first + start + len(part))
        if block is None:
            parsed = [_parse_line(text, form, columns, required) for text in part]
            bad += [BadLine(int(n), p) for n, p in zip(number, parsed, strict=True) if isinstance(p, str) and p]
            valid = [not isinstance(p, str) for p in parsed]
            block = np.array([p for p in parsed if not isinstance(p, str)], float).reshape(-1, len(columns))
            number = number[valid]
        values.append(block)
        lines.append(number)
    return np.concatenate(values), np.concatenate(lines), bad


def _parse_line(text: str, form: TextForm, columns: tuple[int, ...], required: int) -> list[float] | str:
    """Return the numbers of one line, or what is wrong with it; "" for a blank line."""
    if not text.strip():
        return ""
    cells = text.split(form.delimiter)
    row = []
    for i, column in enumerate(columns):
        cell = unquoted(cells[column]) if column < len(cells) else ""
        value = number(cell)
        if value is None and i < required:
            problem = f"cell {column + 1} is {cell[:20]!r}, not a number" if cell else f"cell {column + 1} is missing"
            return problem
        row.append(np.nan if value is None else value)
    return row


def unquoted(cell: str) -> str:
    """Return the text of a cell without white space and quotes around it."""
    return cell.strip().strip('"').strip()


def number(cell: str) -> float | None:
    """Return the number in a cell, or None."""
    if "_" in cell:  # Python would read 1_000 as a number; no logger writes so
        return None
    try:
        return float(cell)
    except ValueError:
        return None
