"""Standard output and error that cannot fail in the middle: a reader who left, a full disk and a closed stream are kept
in mind and told at the end, whoever writes - this package, Typer, rich, other packages.
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
    """A standard stream, written to until the first failure, which is kept; what comes after it goes nowhere."""

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
                select.select([], [self], [])  # somebody made it non-blocking, and it is full
        return view.nbytes


def guard() -> Outlet:
    """Put such streams in the place of the process's own; returns the one of stdout."""
    _open_closed()
    outlet = Outlet(1, "w", closefd=False)
    sys.stdout = _text(outlet, outlet.isatty())
    sys.stderr = _text(Outlet(2, "w", closefd=False), True)
    return outlet


def lost(outlet: Outlet) -> str | None:
    """Why what was written to stdout did not arrive; None where it did, or where its reader left on purpose."""
    sys.stdout.flush()
    failure = outlet.failure
    if failure is None or isinstance(failure, BrokenPipeError):
        return None
    return "it is closed" if failure.errno == errno.EBADF else reason(failure)


def _open_closed() -> None:
    """Else the next file that is opened would take the number, and be written to by whoever prints."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # gets the lowest free number; writing to it fails, as it should


def _text(outlet: Outlet, line_buffering: bool) -> TextIO:
    encoding = getattr(sys.__stdout__ or sys.__stderr__, "encoding", None) or "utf-8"
    buffer = io.BufferedWriter(outlet)
    # Names of files may hold bytes that are no text, and a terminal may know fewer letters than they do.
    return io.TextIOWrapper(buffer, encoding, errors="backslashreplace", line_buffering=line_buffering)
