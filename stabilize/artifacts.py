"""Motion on disk: a .npz of plain arrays with a JSON header (schema, what it was made from, by which versions)."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import struct
import zipfile
import zlib
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from localfiles import ReadError, local_file, pending_file
from localfiles.reading import PathLike
from stabilize import __version__, spool
from stabilize.core import FrameGeometry, Motion, Timeline
from stabilize.errors import InputError, MotionError, OutputError, file_errors
from stabilize.motion.mesh import COLS, ROWS

SCHEMA = 1
SAMPLE_BYTES = 1 << 20
MOST_FRAMES = 1 << 23  # 77 hours at 30 frames a second: 6 GB of meshes, in a temporary file
HEADER_BYTES = 1 << 16
NPY_START = b"\x93NUMPY\x01\x00"
NPY_HEADER = re.compile(
    rb"\{'descr': '([<|][a-z]\d)', 'fortran_order': False, 'shape': \(((?:\d{1,15},? ?){0,4})\), \} *\n"
)
NPY_HEADER_BYTES = 1000
LARGEST_READ = 1 << 20
LONGEST_REASON = 200
# All that numpy, zipfile, zlib and json raise on damaged or hostile files.
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
)
ARRAYS = tuple(f.name for f in fields(Motion) if f.name not in ("timeline", "geometry"))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What file a motion belongs to: its length, and a hash of its first and last MiB."""

    size_bytes: int
    sha256: str


def fingerprint(path: PathLike) -> Fingerprint:
    """Fingerprint of a regular file that is not empty; raises InputError where there is none that can be read."""
    try:
        with file_errors(), local_file(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest = hashlib.sha256(size.to_bytes(8, "big"))
            for start in (0, max(0, size - SAMPLE_BYTES)):
                file.seek(start)
                digest.update(file.read(SAMPLE_BYTES))
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: cannot be read ({error.strerror})") from error
    return Fingerprint(size, digest.hexdigest())


def save_motion(motion: Motion, path: PathLike, source: Fingerprint | None = None) -> None:
    """Write a motion under its final name only when complete."""
    target = Path(path)
    header = {
        "schema": SCHEMA,
        "versions": _versions(),
        "source": asdict(source) if source else None,
        "time_base": str(motion.timeline.time_base),
        "geometry": asdict(motion.geometry),
    }
    arrays = {name: getattr(motion, name) for name in ARRAYS}
    try:
        with file_errors(), pending_file(target, overwrite=True) as pending, pending.open("wb") as file:
            np.savez_compressed(
                file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), pts=motion.timeline.pts, **arrays
            )
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror})") from error


def load_motion(path: PathLike) -> tuple[Motion, Fingerprint | None]:
    """A saved motion and the fingerprint of its source; raises MotionError where the file is not one.

    Nothing that the file says of its own sizes is believed before it is compared with what a motion of so many frames
    has, and no more is unpacked than that.
    """
    try:
        with _Frugal(local_file(path)) as file, zipfile.ZipFile(file) as archive:
            header = _header(archive)
            pts = _array(archive, "pts", np.int64, (None,))
            _require(len(pts) > 0, "it has no frame")
            motion = Motion(
                Timeline(pts, _time_base(header["time_base"])),
                FrameGeometry(**header["geometry"]),
                **{name: _array(archive, name, *spec) for name, spec in _arrays(len(pts)).items()},
            )
            return motion, _source(header["source"])
    except ReadError as error:
        raise MotionError(str(error)) from error
    except OSError as error:
        raise MotionError(f"{path}: cannot be read ({error.strerror or error})") from error
    except DAMAGE as error:
        said = str(error).partition("\n")[0][:LONGEST_REASON] or type(error).__name__
        raise MotionError(f"{path}: is not a motion saved by `stabilize analyse` ({said}); analyse again") from error


class _Frugal(io.FileIO):
    """A file of which `zipfile` reads little at once: it takes the table of contents whole, and ten times as much
    memory to look at it.
    """

    def read(self, size: int | None = -1, /) -> bytes | Any:
        _require(size is None or size <= LARGEST_READ, "its table of contents is larger than that of any motion")
        return super().read(-1 if size is None else size)


def _arrays(frames: int) -> dict[str, tuple[type, tuple[int | None, ...]]]:
    """Type and shape of every array in the file of a motion of so many frames; None is free."""
    pairs = frames - 1
    return {
        "H_next_prev": (np.float64, (pairs, 3, 3)),
        "mesh": (np.float16, (pairs, ROWS, COLS, 2)),
        "status": (np.uint8, (pairs,)),
        "model": (np.uint8, (pairs,)),
        "coverage": (np.float32, (pairs,)),
        "residual": (np.float32, (pairs,)),
        "sharpness": (np.float32, (None,)),
    }


def _header(archive: zipfile.ZipFile) -> dict[str, Any]:
    """What the arrays do not say. Raises one of DAMAGE."""
    header = json.loads(_array(archive, "header", np.uint8, (None,), HEADER_BYTES).tobytes())
    _require(isinstance(header, dict), "its header is no JSON object")
    schema = header["schema"]
    _require(schema == SCHEMA, f"its schema is {schema!r:.20}, this version reads {SCHEMA}")
    return dict(header)


def _array(
    archive: zipfile.ZipFile, name: str, dtype: type, shape: tuple[int | None, ...], most: int = MOST_FRAMES
) -> NDArray[Any]:
    """The array of that name; `shape` may leave the first side free, up to `most`. Raises one of DAMAGE."""
    entry = archive.getinfo(f"{name}.npy")
    _require(not entry.flag_bits & 1, f"{name} is encrypted")
    # Others than these raise errors of their own, and need not be trusted with a damaged stream.
    _require(entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), f"{name} is packed in an unknown way")
    with archive.open(entry) as file:
        kind, found = _layout(file, name)
        _require(kind == np.dtype(dtype), f"{name} holds {kind}, not {np.dtype(dtype)}")
        wanted = shape if shape[0] is not None or not found else (min(found[0], most), *shape[1:])
        _require(found == wanted, f"{name} has the shape {found}, not {wanted}")
        array = spool.zeros(found, dtype)
        for part in spool.chunks(len(array), array):
            data = file.read(array[part].nbytes)
            _require(len(data) == array[part].nbytes, f"{name} ends too early")
            array[part] = np.frombuffer(data, dtype).reshape(array[part].shape)
        _require(not file.read(1), f"{name} goes on after its end")  # looks at the checksum too
    return array


def _layout(file: IO[bytes], name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """What an .npy says it holds. numpy itself would take its header for an expression of Python, with more ways to go
    wrong than can be named.
    """
    start = file.read(len(NPY_START) + 2)
    _require(start.startswith(NPY_START), f"{name} is no array, or of an unknown kind")
    length = int.from_bytes(start[len(NPY_START) :], "little")
    found = NPY_HEADER.fullmatch(file.read(length)) if length <= NPY_HEADER_BYTES else None
    if found is None:
        raise ValueError(f"{name} does not say in numpy's own words what it holds")
    return np.dtype(found[1].decode()), tuple(map(int, found[2].replace(b",", b" ").split()))


def _time_base(text: object) -> Fraction:
    """Of `n` or `n/m`: what else a Fraction takes may keep it busy for ever."""
    _require(isinstance(text, str) and re.fullmatch(r"\d{1,10}(/\d{1,10})?", text) is not None, "its time base is none")
    return Fraction(str(text))


def _source(stated: object) -> Fingerprint | None:
    if stated is None:
        return None
    _require(isinstance(stated, dict), "its source is no JSON object")
    source = Fingerprint(**stated)  # type: ignore[arg-type]
    _require(isinstance(source.size_bytes, int) and isinstance(source.sha256, str), "its source is no fingerprint")
    return source


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _versions() -> dict[str, str | None]:
    """Of ourselves, and of the libraries as their distributions name them: None for one built by hand."""
    found: dict[str, str | None] = {"stabilize": __version__}
    for name in ("numpy", "opencv-contrib-python-headless", "av"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
