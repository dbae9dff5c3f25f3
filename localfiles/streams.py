"""Standard output and error streams that do not raise on write failures.

A closed pipe, a full disk or a closed stream is recorded and reported at exit, whichever code writes (this project,
Typer, rich).
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TextIO

from localfiles.errors import reason


class Outlet(io.FileIO):
    """A standard stream that records its first write failure and discards everything written after it."""

    failure: OSError | None = None

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        while self.failure is None:
            try:
                written = super().write(view)
            except OSError as error:
                self.failure = error
            else:
                if written is not None:
                    return written
                select.select([], [self], [])  # non-blocking and full
        return view.nbytes


def guard() -> Outlet:
    """Replace sys.stdout and sys.stderr by such streams; return that of stdout."""
    _open_closed()
    outlet = Outlet(1, "w", closefd=False)
    sys.stdout = _text(outlet, outlet.isatty())
    sys.stderr = _text(Outlet(2, "w", closefd=False), True)
    return outlet


def lost(outlet: Outlet) -> str | None:
    """Return why writing to stdout failed; None if it did not, or if the reader closed the pipe."""
    sys.stdout.flush()
    failure = outlet.failure
    if failure is None or isinstance(failure, BrokenPipeError):
        return None
    return "it is closed" if failure.errno == errno.EBADF else reason(failure)


def _open_closed() -> None:
    """Open closed standard streams, or the next opened file would get their number and receive printed text."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # gets the lowest free number; read-only, so that writing fails


def _text(outlet: Outlet, line_buffering: bool) -> TextIO:
    encoding = getattr(sys.__stdout__ or sys.__stderr__, "encoding", None) or "utf-8"
    buffer = io.BufferedWriter(outlet)
    # File names may contain invalid UTF-8, and the encoding may lack characters.
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=line_buffering)
