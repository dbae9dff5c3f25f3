"""How far the work is, on stderr: a bar on a terminal, a plain line every few seconds elsewhere. Work that is done in a
moment shows nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from localfiles.terminal import complain
from localfiles.text import clean

PATIENCE_S = 1.0  # before the bar appears, whether a step is done by then or not
EVERY_S = 5.0  # between plain lines
Tick = Callable[[int], None]


@contextmanager
def progress(label: str, total: int | None, shown: bool) -> Iterator[Tick | None]:
    """Gives a function to call with the number of steps done, or None where nothing is to be shown."""
    if not shown or sys.stderr is None:
        yield None
        return
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    with (_bar if on_terminal else _lines)(clean(label), total or None) as tick:
        yield tick


@contextmanager
def _bar(label: str, total: int | None) -> Iterator[Tick]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(label, total=total)
    patience = threading.Timer(PATIENCE_S, bar.start)
    patience.daemon = True
    patience.start()
    try:
        yield lambda done: bar.update(task, completed=done)
    finally:
        patience.cancel()
        patience.join()  # it may be about to start the bar
        bar.stop()


@contextmanager
def _lines(label: str, total: int | None) -> Iterator[Tick]:
    done, over, began = [0], threading.Event(), time.monotonic()

    def tick(steps: int) -> None:
        done[0] = steps

    def tell() -> None:
        while not over.wait(EVERY_S):
            complain(_line(label, done[0], total, time.monotonic() - began))

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield tick
    finally:
        over.set()
        teller.join()


def _line(label: str, done: int, total: int | None, passed_s: float) -> str:
    if not done:
        return f"{label}: {passed_s:.0f} s so far"
    if total is None or done >= total:
        return f"{label}: {done} done"
    return f"{label}: {done} of {total}, about {passed_s / done * (total - done):.0f} s left"
