"""The errors of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from localfiles import ReadError, SameFileError, WriteError


class MetricsError(Exception):
    """Root of every error that a file or a setting can cause; the message says what, where, and what to do.

    `exit_code` is what the command line ends with.
    """

    exit_code = 1


class UsageError(MetricsError):
    """The request itself cannot be met: a mode that does not exist, a result that is one of the inputs."""

    exit_code = 2


class VideoReadError(MetricsError):
    """A file is not a video that can be judged: missing, not local, damaged from the start, or of a refused size."""

    exit_code = 3


class DatasetError(MetricsError):
    """A dataset folder or manifest does not have one of the layouts that can be scored."""

    exit_code = 3


class OutputError(MetricsError):
    """A result cannot be written: it exists, its folder does not, the disk is full."""

    exit_code = 4


@contextmanager
def file_errors(unreadable: type[MetricsError] = VideoReadError) -> Iterator[None]:
    """What `localfiles` says of a file, as an error of this package; a file that cannot be read is `unreadable`."""
    try:
        yield
    except ReadError as error:
        raise unreadable(str(error)) from error
    except SameFileError as error:
        raise UsageError(str(error)) from error
    except WriteError as error:
        raise OutputError(str(error)) from error
