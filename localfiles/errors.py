"""The errors of this package; the packages above turn them into their own."""

from __future__ import annotations


class LocalFileError(Exception):
    """Root of every error of a file; the message names the file, what is wrong with it, and what to do."""


class ReadError(LocalFileError):
    """The file cannot be read: absent, empty, too large, not a regular local file, not a video."""


class WriteError(LocalFileError):
    """The file cannot be written: it exists, its folder does not, the disk is full."""


class SameFileError(WriteError):
    """What would be written is one of the inputs, under this name or another."""


def reason(error: Exception) -> str:
    """What the system says of an error, in lower case, for the middle of a message."""
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()
