"""Progress on stderr: a bar on a terminal, otherwise a plain line every few seconds. Short jobs show nothing."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from localfiles.terminal import complain
from localfiles.text import clean

BAR_DELAY_S = 1.0  # before the bar appears, even if no step is done yet
LINE_INTERVAL_S = 5.0
Tick = Callable[[int], None]  # called with the number of steps done so far


@contextmanager
def progress(label: str, total: int | None, shown: bool) -> Iterator[Tick | None]:
    """Yield a function to call with the number of steps done, or None if progress is not `shown`."""
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
    delayed_start = threading.Timer(BAR_DELAY_S, bar.start)
    delayed_start.daemon = True
    delayed_start.start()
    try:
        yield lambda done: bar.update(task, completed=done)
    finally:
        delayed_start.cancel()
        delayed_start.join()  # it may be about to start the bar
        bar.stop()


@contextmanager
def _lines(label: str, total: int | None) -> Iterator[Tick]:
    done, finished, start_s = [0], threading.Event(), time.monotonic()

    def tick(steps: int) -> None:
        done[0] = steps

    def report() -> None:
        while not finished.wait(LINE_INTERVAL_S):
            complain(_line(label, done[0], total, time.monotonic() - start_s))

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield tick
    finally:
        finished.set()
        reporter.join()


def _line(label: str, done: int, total: int | None, elapsed_s: float) -> str:
    if not done:
        return f"{label}: {elapsed_s:.0f} s so far"
    if total is None or done >= total:
        return f"{label}: {done} done"
    return f"{label}: {done} of {total}, about {elapsed_s / done * (total - done):.0f} s left"
