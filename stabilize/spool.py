"""Large arrays in memory-mapped temporary files, so that memory does not grow with the length of a video.

A spooled array is an ordinary array whose memory the system may reclaim; `release` returns it immediately. The files
are never in a tmpfs, as /tmp often is, since that takes memory too.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from localfiles.reading import PathLike

CHUNK_FRAMES = 1024  # frames processed before their memory is released
WRITE_BYTES = 1 << 20  # written at a time on systems without posix_fallocate
MOUNT_TABLE = "/proc/self/mountinfo"  # Linux only; on other systems temporary folders are on disk
FALLBACK_FOLDER = "/var/tmp"
_output_folder: ContextVar[Path | None] = ContextVar("output_folder", default=None)


@contextmanager
def use_folder_of(target: PathLike) -> Iterator[None]:
    """Allow temporary files in the folder of `target` as well, if the system's temporary folder is not on disk."""
    token = _output_folder.set(Path(target).absolute().parent)
    try:
        yield
    finally:
        _output_folder.reset(token)


def folders() -> list[Path]:
    """Return the folders on disk for temporary files, in order of preference.

    The candidates are the system's temporary folder (TMPDIR), the folder of the output, and /var/tmp.
    """
    try:
        system = [Path(tempfile.gettempdir())]
    except OSError:  # none is writable
        system = []
    candidates = [*system, *filter(None, [_output_folder.get()]), Path(FALLBACK_FOLDER)]
    memory = _memory_file_systems()
    return [folder for folder in dict.fromkeys(candidates) if folder.is_dir() and folder.stat().st_dev not in memory]


def _memory_file_systems() -> set[int]:
    """Return the device numbers of file systems in memory."""
    try:
        lines = Path(MOUNT_TABLE).read_text(errors="replace").splitlines()
    except OSError:
        return set()
    mounts = [line.partition(" - ") for line in lines]
    kinds = [(mount.split()[2], kind.split()[0]) for mount, _, kind in mounts if kind]
    return {os.makedev(*map(int, device.split(":"))) for device, kind in kinds if kind in ("tmpfs", "ramfs")}


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros in a file that is deleted with the array.

    If there is no space for the file, the array is in memory, and `memory_warning` tells so.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    for folder in folders() if size else ():
        try:
            with tempfile.TemporaryFile(prefix="stabilize-", dir=folder) as file:
                _reserve(file, size)
                return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
        except OSError:
            continue
    return np.zeros(shape, dtype)


def _reserve(file: BinaryIO | Any, size: int) -> None:
    """Allocate the space on disk: writing to a hole of a sparse file on a full disk would be a bus error."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, WRITE_BYTES):
        file.write(bytes(min(WRITE_BYTES, size - start)))
    file.flush()


def memory_warning(*arrays: NDArray[Any]) -> tuple[str, ...]:
    """Return a warning for the user if one of the arrays is not in a file, else nothing."""
    if all(_file_of(array) is not None for array in arrays if array.size):
        return ()
    tried = ", ".join(map(str, folders()))
    reason = f"none has enough free space ({tried})" if tried else "there is none"
    return (
        "memory grows with the length of the video: temporary files need a folder on disk, and "
        f"{reason}; set the environment variable TMPDIR to such a folder",
    )


def resized(array: NDArray[Any], length: int) -> NDArray[Any]:
    """Return a spooled copy of an array with `length` rows, truncated or padded with zeros."""
    copy = zeros((length, *array.shape[1:]), array.dtype)
    for part in chunks(min(length, len(array)), array, copy):
        copy[part] = array[part]
    return copy


def chunks(count: int, *arrays: NDArray[Any], size: int = CHUNK_FRAMES) -> Iterator[slice]:
    """Yield slices that cover range(count); release the arrays after each."""
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))
        for array in arrays:
            release(array)


def release(array: NDArray[Any]) -> None:
    """Return the memory of a spooled array, or of one that it is a view of, to the system. Its values remain."""
    file = _file_of(array)
    if file is not None and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)


def _file_of(array: NDArray[Any]) -> mmap.mmap | None:
    """Return the mapped file that an array, or its base, is in; None if it is in memory."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    return base


def trim_heap() -> None:
    """Return freed memory to the system: glibc keeps tens of megabytes after a solve."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if malloc_trim is not None:
        malloc_trim(0)
