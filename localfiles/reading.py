"""Reading small files: only regular ones, never more than a stated number of bytes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from localfiles.errors import ReadError, reason

PathLike = str | os.PathLike[str]
CHUNK = 1 << 20


def local_file(path: PathLike) -> Path:
    """`path` made absolute, so that no part of it reads as an option or a protocol.

    Raises `ReadError` unless a readable, regular file that is not empty is there.
    """
    shown = os.fspath(path) or "''"
    try:
        file = Path(os.path.abspath(path))  # not resolve(): a link keeps its own name and extension
        status = file.stat()
        if not os.fspath(path) or not stat.S_ISREG(status.st_mode):
            raise ReadError(f"{shown}: not a regular file; give the path of a file on this machine")
        if status.st_size == 0:
            raise ReadError(f"{shown}: the file is empty")
        with file.open("rb"):
            return file
    except (OSError, ValueError) as error:
        said = f"{shown}: cannot be read ({reason(error)}); give the path of a file on this machine"
        raise ReadError(said) from error


def read_bytes(path: PathLike, limit: int, what: str) -> bytes:
    """The content of a regular file of at most `limit` bytes; `what` names in the message what it should have been.

    Raises `ReadError`. The read itself is bounded: a size that a file system states is not relied on.
    """
    try:
        with local_file(path).open("rb") as file:
            data = b"".join(_parts(file, limit + 1))
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({reason(error)})") from error
    if len(data) > limit:
        raise ReadError(f"{path}: larger than {limit / (1 << 20):.3g} MiB; that is no {what}")
    return data


def _parts(file: BinaryIO, most: int) -> Iterator[bytes]:
    """Up to `most` bytes, bit by bit: one read would allocate all of them, however small the file is."""
    while most > 0 and (part := file.read(min(most, CHUNK))):
        most -= len(part)
        yield part


def read_text(path: PathLike, limit: int, what: str) -> str:
    """As `read_bytes`, decoded from UTF-8; a byte-order mark is dropped."""
    try:
        return read_bytes(path, limit, what).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(f"{path}: is not UTF-8 text, and so no {what} ({error})") from error
