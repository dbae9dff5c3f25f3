"""The errors of this package.

The CLI catches `StabilizeError` in one place and turns it into one line and an exit code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from localfiles import ReadError, SameFileError, WriteError


class StabilizeError(Exception):
    """Root of every error that a user can cause or mend. `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(StabilizeError):
    """The request itself cannot be met: a bad option, an unknown config key, output equal to input."""

    exit_code = 2


class InputError(StabilizeError):
    """The input cannot be read: absent, empty, corrupt, no video track, or not a local media file."""

    exit_code = 3


class OutputError(StabilizeError):
    """The output cannot be written: it exists, the disk is full, the encoder refuses."""

    exit_code = 4


class MotionError(StabilizeError):
    """No usable motion could be estimated, or an artefact does not fit the video."""

    exit_code = 5


class SolveError(StabilizeError):
    """No path satisfies the constraints."""

    exit_code = 6


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
