"""Archives of arrays: .npz files of plain arrays with a JSON header, read as untrusted.

Sizes given in a file are checked before allocation, and no more bytes than expected are decompressed.
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

FRAMES_MAX = 1 << 23  # 77 hours at 30 frames/s: 6 GB of meshes, in a temporary file
HEADER_BYTES_MAX = 1 << 16
NPY_MAGIC = b"\x93NUMPY\x01\x00"
NPY_HEADER_PATTERN = re.compile(
    rb"\{'descr': '([<|][a-z]\d)', 'fortran_order': False, 'shape': \(((?:\d{1,15},? ?){0,4})\), \} *\n"
)
NPY_HEADER_BYTES_MAX = 1000
READ_BYTES_MAX = 1 << 20
REASON_CHARACTERS_MAX = 200
# All that numpy, zipfile, zlib, json and msgspec raise for damaged or hostile files.
DAMAGE_ERRORS = (
    ValueError,  # also from JSON, text decoding, and the checks of dataclasses
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,  # encrypted, not implemented, nested too deep
    MemoryError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    msgspec.MsgspecError,
)
Shape = tuple[int | None, ...]
"""Expected shape of an array in a file; the length of the first axis may be None for any."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """A type of file."""

    schema: int
    """Version of the format; files of other versions are refused."""
    name: str
    """Description for messages, such as "a motion saved by `stabilize analyse`"."""
    advice: str
    """What to do if a file is damaged, for messages."""


class Archive:
    """An open archive: its header, and its arrays by name. Raises only DAMAGE_ERRORS."""

    def __init__(self, archive: zipfile.ZipFile, kind: FileKind) -> None:
        self._archive = archive
        header = json.loads(self.array("header", np.uint8, (None,), HEADER_BYTES_MAX).tobytes())
        require(isinstance(header, dict), "its header is not a JSON object")
        schema = header["schema"]
        require(schema == kind.schema, f"its schema is {schema!r:.20}, this version of stabilize reads {kind.schema}")
        self.header: dict[str, Any] = header

    def array(self, name: str, dtype: type, shape: Shape, rows_max: int = FRAMES_MAX) -> NDArray[Any]:
        """Read an array. If the first axis of `shape` is None, its length is at most `rows_max`."""
        entry = self._archive.getinfo(f"{name}.npy")
        require(not entry.flag_bits & 1, f"{name} is encrypted")
        # Other methods raise further types of errors, and may not handle damaged data safely.
        is_supported = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        require(is_supported, f"{name} has an unsupported compression method")
        with self._archive.open(entry) as file:
            found_dtype, found = _read_npy_header(file, name)
            require(found_dtype == np.dtype(dtype), f"{name} holds {found_dtype}, not {np.dtype(dtype)}")
            expected = shape if shape[0] is not None or not found else (min(found[0], rows_max), *shape[1:])
            require(found == expected, f"{name} has the shape {found}, not {expected}")
            array = spool.zeros(found, dtype)
            for part in spool.chunks(len(array), array):
                data = file.read(array[part].nbytes)
                require(len(data) == array[part].nbytes, f"{name} is truncated")
                array[part] = np.frombuffer(data, dtype).reshape(array[part].shape)
            require(not file.read(1), f"{name} has more data than its shape needs")  # also verifies the checksum
        return array

    def arrays(self, specs: Mapping[str, tuple[type, Shape]]) -> dict[str, NDArray[Any]]:
        """Read several arrays, given their types and shapes."""
        return {name: self.array(name, *spec) for name, spec in specs.items()}


@contextmanager
def read_archive(path: str | os.PathLike[str], kind: FileKind) -> Iterator[Archive]:
    """Open an archive. Raises MotionError, also within the context, if it is damaged or of another type."""
    try:
        with _BoundedFile(local_file(path)) as file, zipfile.ZipFile(file) as archive:
            yield Archive(archive, kind)
    except ReadError as error:
        raise MotionError(str(error)) from error
    except OSError as error:
        raise MotionError(f"{path}: cannot be read ({error.strerror or error})") from error
    except DAMAGE_ERRORS as error:
        reason = str(error).partition("\n")[0][:REASON_CHARACTERS_MAX] or type(error).__name__
        raise MotionError(f"{path}: is not {kind.name} ({reason}); {kind.advice}") from error


def write_archive(
    path: str | os.PathLike[str], kind: FileKind, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write an archive, which gets its name only when it is complete. Raises OutputError."""
    target = Path(path)
    text = json.dumps({"schema": kind.schema, **header}).encode()
    try:
        with file_errors(), pending_file(target, overwrite=True) as pending, pending.open("wb") as file:
            np.savez_compressed(file, header=np.frombuffer(text, np.uint8), **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror})") from error


class _BoundedFile(io.FileIO):
    """A file with limited reads: `zipfile` reads the directory at once and needs ten times its size in memory."""

    def read(self, size: int | None = -1, /) -> bytes | Any:
        require(size is None or size <= READ_BYTES_MAX, "its directory is too large")
        return super().read(-1 if size is None else size)


def _read_npy_header(file: IO[bytes], name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Read the type and shape of an .npy member. numpy's own parser evaluates the header as a Python expression."""
    start = file.read(len(NPY_MAGIC) + 2)
    require(start.startswith(NPY_MAGIC), f"{name} is not an array in NPY format 1.0")
    length = int.from_bytes(start[len(NPY_MAGIC) :], "little")
    match = NPY_HEADER_PATTERN.fullmatch(file.read(length)) if length <= NPY_HEADER_BYTES_MAX else None
    if match is None:
        raise ValueError(f"{name} has an invalid NPY header")
    return np.dtype(match[1].decode()), tuple(map(int, match[2].replace(b",", b" ").split()))
