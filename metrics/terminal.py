"""What goes to a terminal or a pipe. A reader who left is no error, a full disk is one; strings must be clean."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from localfiles.errors import reason
from metrics.errors import OutputError


def say(text: str) -> None:
    """Lines on stdout. Raises `OutputError` where they cannot be written."""
    try:
        _write(sys.stdout, text)
    except OSError as error:
        _mute(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise OutputError(f"the standard output cannot be written ({reason(error)})") from error


def complain(text: str) -> None:
    """Lines on stderr; where they cannot be written there is nobody left to tell."""
    try:
        _write(sys.stderr, text)
    except OSError:
        _mute(sys.stderr)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:  # it was closed before this program began
        return
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def _mute(stream: TextIO) -> None:
    """Send what is still to come to nowhere; else the interpreter tries again at its end, and complains."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
