"""Read small files: regular files only, never more than a given number of bytes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from localfiles.errors import ReadError, reason

PathLike = str | os.PathLike[str]
CHUNK_BYTES = 1 << 20
# Do not block on opening, for example on a pipe without writer; no effect on regular files.
_NON_BLOCKING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # Path reduces the two slashes of a URL to one


def local_file(path: PathLike) -> Path:
    """Return `path` as an absolute path, which cannot be taken for an option or a protocol.

    Raises `ReadError` unless it is a readable, regular, non-empty file.
    """
    shown = os.fspath(path) or "''"
    try:
        if not os.fspath(path):
            raise ReadError("'': is not a file name")
        file = Path(os.path.abspath(path))  # not resolve(): a link keeps its name and extension
        with open_regular(file, shown) as stream:
            if os.fstat(stream.fileno()).st_size == 0:
                raise ReadError(f"{shown}: the file is empty")
            return file
    except (OSError, ValueError) as error:
        raise ReadError(f"{shown}: cannot be read ({reason(error)}); {_advice(shown)}") from error


def open_regular(file: Path, shown: str) -> BinaryIO:
    """Open a regular file for reading. Raises `ReadError` for any other kind of file, and OSError."""
    # Checked before opening, which has side effects on some devices, and after, as the file may have been replaced.
    _check_kind(os.stat(file), shown)
    stream = os.fdopen(os.open(file, _NON_BLOCKING), "rb")
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
    prefix = "only local files are read: " if _URL.match(shown) else ""
    return f"{prefix}give the path of a file on this machine"


def read_bytes(path: PathLike, limit: int, what: str) -> bytes:
    """Return the content of a regular file of at most `limit` bytes. `what` names the expected content in messages.

    Raises `ReadError`. The read itself is bounded and does not rely on the file size that the file system reports.
    """
    file = local_file(path)
    try:
        with open_regular(file, os.fspath(path)) as stream:
            data = b"".join(_parts(stream, limit + 1))
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({reason(error)})") from error
    if len(data) > limit:
        raise ReadError(f"{path}: larger than {_readable_size(limit)}; that is no {what}")
    return data


def _parts(stream: BinaryIO, limit: int) -> Iterator[bytes]:
    """Yield up to `limit` bytes in chunks; a single read would allocate `limit` bytes even for a small file."""
    while limit > 0 and (part := stream.read(min(limit, CHUNK_BYTES))):
        limit -= len(part)
        yield part


def _readable_size(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.3g} MiB" if size_bytes >= 1 << 20 else f"{size_bytes} bytes"


def read_text(path: PathLike, limit: int, what: str) -> str:
    """Like `read_bytes`, decoded from UTF-8 without a byte-order mark."""
    try:
        return read_bytes(path, limit, what).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(f"{path}: is not UTF-8 text, and so no {what} ({error})") from error
