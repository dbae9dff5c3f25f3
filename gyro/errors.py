"""The errors of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from localfiles import ReadError, SameFileError, WriteError


class GyroError(Exception):
    """Root of every error that a log, a video or a setting can cause; the message says what, where, and what to do.

    `exit_code` is what the command line ends with.
    """

    exit_code = 1


class LogError(GyroError):
    """What the log says cannot be understood."""


class NoLogError(LogError):
    """Nothing is broken: the file just holds no gyroscope log."""


class SyncError(GyroError):
    """Log and picture cannot be brought together: flat, contradictory or absent evidence."""


class LensError(GyroError):
    """A lens profile cannot be understood, or a lens cannot be calibrated from what was given."""


class UsageError(GyroError):
    """The request itself cannot be met: a bad option, a result that is one of the inputs."""

    exit_code = 2


class InputError(GyroError):
    """A log, a lens profile or a video cannot be read: absent, empty, too large, not a local file, not a video."""

    exit_code = 3


class OutputError(GyroError):
    """The result cannot be written: it exists, its folder does not, the disk is full."""

    exit_code = 4


@contextmanager
def file_errors() -> Iterator[None]:
    """What `localfiles` says of a file, as an error of this package; also as the decorator of a function."""
    try:
        yield
    except ReadError as error:
        raise InputError(str(error)) from error
    except SameFileError as error:
        raise UsageError(str(error)) from error
    except WriteError as error:
        raise OutputError(str(error)) from error
