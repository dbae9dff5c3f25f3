"""Large arrays in temporary files: a video may last hours, and memory is not to grow with it.

A spooled array is an ordinary one whose memory the system may take back; `release` gives it back at once.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

CHUNK = 1024  # frames that are worked on before what they took is given back


def zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros in a file that goes when the array does; in memory where there is no room for the file."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size and hasattr(os, "posix_fallocate"):
        try:
            with tempfile.TemporaryFile(prefix="stabilize-") as file:
                os.posix_fallocate(file.fileno(), 0, size)  # a hole that cannot be filled later would be a bus error
                return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
        except OSError:
            pass
    return np.zeros(shape, dtype)


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
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is not None and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def trim() -> None:
    """Give back to the system what has been freed: glibc keeps it for itself, tens of megabytes after a solve."""
    free_heap = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if free_heap is not None:
        free_heap(0)
