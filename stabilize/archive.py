"""Arrays on disk: a .npz of plain arrays with a JSON header, read as a file that a stranger made.

Nothing that a file says of its own sizes is believed before it is compared with what it may be, and no more is unpacked
than that.
"""

from __future__ import annotations

import io
import json
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from localfiles import ReadError, local_file, pending_file
from stabilize import spool
from stabilize.checks import require
from stabilize.errors import MotionError, OutputError, file_errors

MOST_FRAMES = 1 << 23  # 77 hours at 30 frames a second: 6 GB of meshes, in a temporary file
HEADER_BYTES = 1 << 16
NPY_START = b"\x93NUMPY\x01\x00"
NPY_HEADER = re.compile(
    rb"\{'descr': '([<|][a-z]\d)', 'fortran_order': False, 'shape': \(((?:\d{1,15},? ?){0,4})\), \} *\n"
)
NPY_HEADER_BYTES = 1000
LARGEST_READ = 1 << 20
LONGEST_REASON = 200
# All that numpy, zipfile, zlib, json and msgspec raise on damaged or hostile files.
DAMAGE = (
    ValueError,  # also of JSON, of text, and of what the dataclasses refuse
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,  # encrypted; not implemented; nested too deep
    MemoryError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    msgspec.MsgspecError,
)
Shape = tuple[int | None, ...]
"""Of an array in a file; the first side may be left free."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file."""

    schema: int
    """Version of its header and arrays; others are refused."""
    name: str
    """What it is, as in "a motion saved by `stabilize analyse`"."""
    advice: str
    """What to do where it is damaged."""


class Archive:
    """A file that is open: its header, and its arrays by name. Whatever it raises is one of DAMAGE."""

    def __init__(self, archive: zipfile.ZipFile, kind: Kind) -> None:
        self._archive = archive
        header = json.loads(self.array("header", np.uint8, (None,), HEADER_BYTES).tobytes())
        require(isinstance(header, dict), "its header is no JSON object")
        schema = header["schema"]
        require(schema == kind.schema, f"its schema is {schema!r:.20}, this version reads {kind.schema}")
        self.header: dict[str, Any] = header

    def array(self, name: str, dtype: type, shape: Shape, most: int = MOST_FRAMES) -> NDArray[Any]:
        """The array of that name; where `shape` leaves the first side free, it is up to `most`."""
        entry = self._archive.getinfo(f"{name}.npy")
        require(not entry.flag_bits & 1, f"{name} is encrypted")
        # Others than these raise errors of their own, and need not be trusted with a damaged stream.
        packed = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        require(packed, f"{name} is packed in an unknown way")
        with self._archive.open(entry) as file:
            kind, found = _layout(file, name)
            require(kind == np.dtype(dtype), f"{name} holds {kind}, not {np.dtype(dtype)}")
            wanted = shape if shape[0] is not None or not found else (min(found[0], most), *shape[1:])
            require(found == wanted, f"{name} has the shape {found}, not {wanted}")
            array = spool.zeros(found, dtype)
            for part in spool.chunks(len(array), array):
                data = file.read(array[part].nbytes)
                require(len(data) == array[part].nbytes, f"{name} ends too early")
                array[part] = np.frombuffer(data, dtype).reshape(array[part].shape)
            require(not file.read(1), f"{name} goes on after its end")  # looks at the checksum too
        return array

    def arrays(self, specs: Mapping[str, tuple[type, Shape]]) -> dict[str, NDArray[Any]]:
        """Several arrays, by their types and shapes."""
        return {name: self.array(name, *spec) for name, spec in specs.items()}


@contextmanager
def read_archive(path: str | os.PathLike[str], kind: Kind) -> Iterator[Archive]:
    """A file of some kind; raises MotionError, within the context too, for one that is damaged or no such file."""
    try:
        with _Frugal(local_file(path)) as file, zipfile.ZipFile(file) as archive:
            yield Archive(archive, kind)
    except ReadError as error:
        raise MotionError(str(error)) from error
    except OSError as error:
        raise MotionError(f"{path}: cannot be read ({error.strerror or error})") from error
    except DAMAGE as error:
        said = str(error).partition("\n")[0][:LONGEST_REASON] or type(error).__name__
        raise MotionError(f"{path}: is not {kind.name} ({said}); {kind.advice}") from error


def write_archive(
    path: str | os.PathLike[str], kind: Kind, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a file under its final name only when complete; raises OutputError."""
    target = Path(path)
    text = json.dumps({"schema": kind.schema, **header}).encode()
    try:
        with file_errors(), pending_file(target, overwrite=True) as pending, pending.open("wb") as file:
            np.savez_compressed(file, header=np.frombuffer(text, np.uint8), **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror})") from error


class _Frugal(io.FileIO):
    """A file of which `zipfile` reads little at once: it takes the table of contents whole, and ten times as much
    memory to look at it.
    """

    def read(self, size: int | None = -1, /) -> bytes | Any:
        require(size is None or size <= LARGEST_READ, "its table of contents is larger than any that is needed")
        return super().read(-1 if size is None else size)


def _layout(file: IO[bytes], name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """What an .npy says it holds. numpy itself would take its header for an expression of Python, with more ways to go
    wrong than can be named.
    """
    start = file.read(len(NPY_START) + 2)
    require(start.startswith(NPY_START), f"{name} is no array, or of an unknown kind")
    length = int.from_bytes(start[len(NPY_START) :], "little")
    found = NPY_HEADER.fullmatch(file.read(length)) if length <= NPY_HEADER_BYTES else None
    if found is None:
        raise ValueError(f"{name} does not say in numpy's own words what it holds")
    return np.dtype(found[1].decode()), tuple(map(int, found[2].replace(b",", b" ").split()))
