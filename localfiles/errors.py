"""Errors of this package. The packages that use it convert them to their own by `raise_as`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class LocalFileError(Exception):
    """Base class. The message names the file, what is wrong with it, and what to do."""


class ReadError(LocalFileError):
    """The file cannot be read: missing, empty, too large, not a regular local file, not a video."""


class WriteError(LocalFileError):
    """The file cannot be written: it already exists, its folder does not exist, or the disk is full."""


class SameFileError(WriteError):
    """The target is one of the inputs, under the same or another name."""


@contextmanager
def raise_as(read: type[Exception], same_file: type[Exception], write: type[Exception]) -> Iterator[None]:
    """Raise errors of this package as the given classes, with the same message. Also usable as a decorator."""
    try:
        yield
    except ReadError as error:
        raise read(str(error)) from error
    except SameFileError as error:
        raise same_file(str(error)) from error
    except WriteError as error:
        raise write(str(error)) from error


def reason(error: Exception) -> str:
    """Return the system's message for an error in lower case, to be embedded in a message."""
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()
