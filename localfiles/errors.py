"""Errors of this package. The packages that use it convert them to their own."""

from __future__ import annotations


class LocalFileError(Exception):
    """Base class. The message names the file, what is wrong with it, and what to do."""


class ReadError(LocalFileError):
    """The file cannot be read: missing, empty, too large, not a regular local file, not a video."""


class WriteError(LocalFileError):
    """The file cannot be written: it already exists, its folder does not exist, or the disk is full."""


class SameFileError(WriteError):
    """The target is one of the inputs, under the same or another name."""


def reason(error: Exception) -> str:
    """Return the system's message for an error in lower case, to be embedded in a message."""
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()
