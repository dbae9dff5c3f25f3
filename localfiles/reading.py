"""Reading small files: only regular ones, never more than a stated number of bytes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from localfiles.errors import ReadError, reason

PathLike = str | os.PathLike[str]
CHUNK = 1 << 20
# Opening must not wait, as it would for the writer of a pipe; for regular files these flags mean nothing.
_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a Path has one slash where the address had two


def local_file(path: PathLike) -> Path:
    """`path` made absolute, so that no part of it reads as an option or a protocol.

    Raises `ReadError` unless a readable, regular file that is not empty is there.
    """
    shown = os.fspath(path) or "''"
    try:
        if not os.fspath(path):
            raise ReadError("'': is no name of a file")
        file = Path(os.path.abspath(path))  # not resolve(): a link keeps its own name and extension
        with open_regular(file, shown) as stream:
            if os.fstat(stream.fileno()).st_size == 0:
                raise ReadError(f"{shown}: the file is empty")
            return file
    except (OSError, ValueError) as error:
        raise ReadError(f"{shown}: cannot be read ({reason(error)}); {_advice(shown)}") from error


def open_regular(file: Path, shown: str) -> BinaryIO:
    """A regular file opened for reading; raises `ReadError` for any other kind, and OSError."""
    # Looked at before, for opening alone does something to some devices, and after, for it may be another by then.
    _check_kind(os.stat(file), shown)
    stream = os.fdopen(os.open(file, _AT_ONCE), "rb")
    try:
        _check_kind(os.fstat(stream.fileno()), shown)
    except ReadError:
        stream.close()
        raise
    return stream


def _check_kind(status: os.stat_result, shown: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ReadError(f"{shown}: not a regular file; give the path of a file on this machine")


def _advice(shown: str) -> str:
    only = "only local files are read: " if _ADDRESS.match(shown) else ""
    return f"{only}give the path of a file on this machine"


def read_bytes(path: PathLike, limit: int, what: str) -> bytes:
    """The content of a regular file of at most `limit` bytes; `what` names in the message what it should have been.

    Raises `ReadError`. The read itself is bounded: a size that a file system states is not relied on.
    """
    file = local_file(path)
    try:
        with open_regular(file, os.fspath(path)) as stream:
            data = b"".join(_parts(stream, limit + 1))
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({reason(error)})") from error
    if len(data) > limit:
        raise ReadError(f"{path}: larger than {_amount(limit)}; that is no {what}")
    return data


def _parts(stream: BinaryIO, most: int) -> Iterator[bytes]:
    """Up to `most` bytes, bit by bit: one read would allocate all of them, however small the file is."""
    while most > 0 and (part := stream.read(min(most, CHUNK))):
        most -= len(part)
        yield part


def _amount(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.3g} MiB" if size_bytes >= 1 << 20 else f"{size_bytes} bytes"


def read_text(path: PathLike, limit: int, what: str) -> str:
    """As `read_bytes`, decoded from UTF-8; a byte-order mark is dropped."""
    try:
        return read_bytes(path, limit, what).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(f"{path}: is not UTF-8 text, and so no {what} ({error})") from error
