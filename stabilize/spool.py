"""Large arrays in temporary files: a video may last hours, and memory is not to grow with it.

A spooled array is an ordinary one whose memory the system may take back; `release` gives it back at once. The files lie
where they do not take memory themselves: not in a tmpfs, as /tmp often is one.
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

CHUNK = 1024  # frames that are worked on before what they took is given back
BLOCK = 1 << 20  # bytes written at once where room cannot be reserved otherwise
MOUNTS = "/proc/self/mountinfo"  # of Linux; elsewhere temporary folders are on a disk
LAST_RESORT = "/var/tmp"
_beside: ContextVar[Path | None] = ContextVar("beside", default=None)


@contextmanager
def beside(target: PathLike) -> Iterator[None]:
    """Within it, the folder of `target` serves for temporary files too, where the usual one is no disk."""
    token = _beside.set(Path(target).absolute().parent)
    try:
        yield
    finally:
        _beside.reset(token)


def folders() -> list[Path]:
    """Where temporary files may lie, best first: the system's folder (TMPDIR), the output's, /var/tmp; of these those
    that are on a disk.
    """
    try:
        usual = [Path(tempfile.gettempdir())]
    except OSError:  # none that can be written to
        usual = []
    found = [*usual, *filter(None, [_beside.get()]), Path(LAST_RESORT)]
    memory = _memory_devices()
    return [folder for folder in dict.fromkeys(found) if folder.is_dir() and folder.stat().st_dev not in memory]


def _memory_devices() -> set[int]:
    """Device numbers of the file systems that are memory."""
    try:
        lines = Path(MOUNTS).read_text(errors="replace").splitlines()
    except OSError:
        return set()
    mounts = [line.partition(" - ") for line in lines]
    kinds = [(mount.split()[2], kind.split()[0]) for mount, _, kind in mounts if kind]
    return {os.makedev(*map(int, device.split(":"))) for device, kind in kinds if kind in ("tmpfs", "ramfs")}


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros in a file that goes when the array does; in memory where there is no room for the file, which
    `note` tells.
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
    """Take the room on the disk now: a hole that cannot be filled later would be a bus error."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, BLOCK):
        file.write(bytes(min(BLOCK, size - start)))
    file.flush()


def note(*arrays: NDArray[Any]) -> tuple[str, ...]:
    """For a person, where one of the arrays found no room in a file."""
    if all(_file_of(array) is not None for array in arrays if array.size):
        return ()
    tried = ", ".join(map(str, folders()))
    why = f"none has room enough ({tried})" if tried else "there is none"
    return (
        "memory grows with the length of the video: temporary files need a folder on a disk, and "
        f"{why}; name one in the environment variable TMPDIR",
    )


def resized(array: NDArray[Any], length: int) -> NDArray[Any]:
    """A copy of a spooled array with its first axis made longer, by zeros, or cut."""
    other = zeros((length, *array.shape[1:]), array.dtype)
    for part in chunks(min(length, len(array)), array, other):
        other[part] = array[part]
    return other


def chunks(count: int, *arrays: NDArray[Any], size: int = CHUNK) -> Iterator[slice]:
    """Slices of range(count); the arrays are released after each."""
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))
        for array in arrays:
            release(array)


def release(array: NDArray[Any]) -> None:
    """Let go of the memory of a spooled array, or of one that is part of one; its values stay. No other is touched."""
    file = _file_of(array)
    if file is not None and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)


def _file_of(array: NDArray[Any]) -> mmap.mmap | None:
    """The mapped file that an array lies in, or the one that it is part of; None for memory."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    return base


def trim() -> None:
    """Give back to the system what has been freed: glibc keeps it for itself, tens of megabytes after a solve."""
    free_heap = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if free_heap is not None:
        free_heap(0)
