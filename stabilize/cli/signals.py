"""Signals that ask to stop. They end the work by an exception, so that temporary files go, from the first line of the
program to its last; ignored ones stay ignored.

This module loads next to nothing: until `catch` was called, Ctrl-C shows a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not known everywhere
_SECOND_THOUGHT_S = 5.0
_AGAIN_S = 0.01
_asked: list[tuple[int, float]] = []  # signal, when: a process has one set of handlers, and so one such list


class Interrupted(BaseException):
    """A signal asked to stop. Not an Exception: nothing but the end of the program may catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def catch() -> None:
    """From now on a signal that asks to stop raises `Interrupted` in the main thread."""
    for number in _caught():
        signal.signal(number, _stop)
    sys.unraisablehook = _unraisable


def ignore() -> None:
    """All is done, and the interpreter is taking itself apart: a signal could only spoil that."""
    for number in _caught():
        signal.signal(number, signal.SIG_IGN)


def asked() -> int | None:
    """The signal that asked to stop, if one did: errors that follow may be its doing, as where it broke an import."""
    return _asked[0][0] if _asked else None


def said(stopped: Interrupted) -> int:
    """Say on stderr what stopped the program, by the shortest way, and return the exit code."""
    with suppress(OSError):
        os.write(2, f"stabilize: stopped by {stopped}; nothing was left behind\n".encode())
    return stopped.exit_code


def _caught() -> list[int]:
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _stop(number: int, frame: FrameType | None) -> None:
    # While the first one is cleaned up after, a nervous second one must not cut that short.
    now = time.monotonic()
    if not _asked or now - _asked[-1][1] > _SECOND_THOUGHT_S:
        _asked.append((number, now))
        raise Interrupted(number)


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """An exception goes nowhere from a destructor, or from what cleans up after an import: raise this one once more."""
    if not isinstance(lost.exc_value, Interrupted):
        sys.__unraisablehook__(lost)
    elif hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _raise_again)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)


def _raise_again(number: int, frame: FrameType | None) -> None:
    raise Interrupted(_asked[-1][0])
