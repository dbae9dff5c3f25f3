"""The errors of this package."""

from __future__ import annotations

from functools import partial

from localfiles import raise_as


class MetricsError(Exception):
    """Base class of all errors caused by files and settings. The message states what is wrong, where, and what to do.

    `exit_code` is the exit code of the command line.
    """

    exit_code = 1


class UsageError(MetricsError):
    """The request is invalid: an unknown mode, an output path that is one of the inputs."""

    exit_code = 2


class VideoReadError(MetricsError):
    """A video cannot be read: missing, not local, damaged from the start, or of an unsupported size."""

    exit_code = 3


class DatasetError(MetricsError):
    """A dataset folder or manifest has none of the supported layouts."""

    exit_code = 3


class OutputError(MetricsError):
    """A result cannot be written: it already exists, its folder does not exist, or the disk is full."""

    exit_code = 4


file_errors = partial(raise_as, read=VideoReadError, same_file=UsageError, write=OutputError)
"""Context manager and decorator: errors of `localfiles` become errors of this package."""
