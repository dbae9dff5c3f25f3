"""The errors of this package."""

from __future__ import annotations

from functools import partial

from localfiles import raise_as


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


file_errors = partial(raise_as, read=InputError, same_file=UsageError, write=OutputError)
"""Context manager and decorator: errors of `localfiles` become errors of this package."""
