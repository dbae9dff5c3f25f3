"""Stop signals (SIGINT, SIGTERM, SIGHUP) raise an exception, so that temporary files are removed.

They are handled from the first line of the program to the last. Signals that the parent process ignores stay ignored.
This module imports almost nothing: until `catch` is called, Ctrl-C shows a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_REPEAT_MIN_S = 5.0  # repeated signals are ignored for so long, to let the clean-up finish
_RAISE_AGAIN_S = 0.01
_received: list[tuple[int, float]] = []  # (signal, time); global like the signal handlers of a process


class Interrupted(BaseException):
    """The process received a stop signal. Not an Exception, so that only `main` catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def catch() -> None:
    """From now on a stop signal raises `Interrupted` in the main thread."""
    for number in _stop_signals():
        signal.signal(number, _stop)
    sys.unraisablehook = _unraisable


def ignore() -> None:
    """Ignore stop signals during the interpreter's shutdown, which they could only disturb."""
    for number in _stop_signals():
        signal.signal(number, signal.SIG_IGN)


def received() -> int | None:
    """Return the first stop signal received, if any. It may have caused later errors, for instance of an import."""
    return _received[0][0] if _received else None


def report(interrupt: Interrupted) -> int:
    """Write one line to stderr, without Python's streams, and return the exit code."""
    with suppress(OSError):
        os.write(2, f"stabilize: stopped by {interrupt}; nothing was left behind\n".encode())
    return interrupt.exit_code


def _stop_signals() -> list[int]:
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _stop(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    if not _received or now - _received[-1][1] > _REPEAT_MIN_S:
        _received.append((number, now))
        raise Interrupted(number)


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Raise `Interrupted` again if Python discarded it, in a destructor or while cleaning up after an import."""
    if not isinstance(unraisable.exc_value, Interrupted):
        sys.__unraisablehook__(unraisable)
    elif hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _raise_again)
        signal.setitimer(signal.ITIMER_REAL, _RAISE_AGAIN_S)


def _raise_again(number: int, frame: FrameType | None) -> None:
    raise Interrupted(_received[-1][0])
