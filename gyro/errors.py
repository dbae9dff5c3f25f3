"""The errors of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from localfiles import ReadError, SameFileError, WriteError


class GyroError(Exception):
    """Base of all errors that a log, a video or a setting can cause. `exit_code` is that of the command line."""

    exit_code = 1


class LogError(GyroError):
    """The log is damaged or of an unknown format."""


class NoLogError(LogError):
    """The file is intact but has no gyroscope log."""


class SyncError(GyroError):
    """Log and video cannot be synchronised: the evidence is missing or contradictory."""


class LensError(GyroError):
    """A lens profile is not usable, or the views do not determine a lens."""


class UsageError(GyroError):
    """The request is not valid: a bad option, or an output that is one of the inputs."""

    exit_code = 2


class InputError(GyroError):
    """A file cannot be read: missing, empty, too large, not a regular local file, not a video."""

    exit_code = 3


class OutputError(GyroError):
    """The result cannot be written: it exists, its folder does not, the disk is full."""

    exit_code = 4


@contextmanager
def file_errors() -> Iterator[None]:
    """Convert the errors of `localfiles` to those of this package; also usable as a decorator."""
    try:
        yield
    except ReadError as error:
        raise InputError(str(error)) from error
    except SameFileError as error:
        raise UsageError(str(error)) from error
    except WriteError as error:
        raise OutputError(str(error)) from error
