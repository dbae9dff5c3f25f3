"""The errors of this package.

The CLI catches `StabilizeError` in one place and turns it into one line and an exit code.
"""

from __future__ import annotations

from functools import partial

from localfiles import raise_as


class StabilizeError(Exception):
    """Base of all errors that a user can cause or fix. `exit_code` is the exit code of the command line."""

    exit_code = 1


class UsageError(StabilizeError):
    """The request is not valid: a bad option, an unknown setting, an output that is the input."""

    exit_code = 2


class InputError(StabilizeError):
    """The input cannot be read: missing, empty, damaged, without a video track, or not a local media file."""

    exit_code = 3


class OutputError(StabilizeError):
    """The output cannot be written: it already exists, the disk is full, the encoder refuses it."""

    exit_code = 4


class MotionError(StabilizeError):
    """No usable motion could be estimated, or a motion or path file is damaged or belongs to another video."""

    exit_code = 5


class SolveError(StabilizeError):
    """No path satisfies the constraints."""

    exit_code = 6


file_errors = partial(raise_as, read=InputError, same_file=UsageError, write=OutputError)
"""Context manager and decorator: errors of `localfiles` become errors of this package."""
