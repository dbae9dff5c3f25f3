"""How far a run is: a bar on a terminal, a plain line every few seconds elsewhere, nothing where nobody looks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localfiles.terminal import complain

if TYPE_CHECKING:
    from rich.progress import TaskID

    from stabilize.progress import StageProgress

EVERY_S = 5.0


@contextmanager
def progress(shown: bool) -> Iterator[StageProgress | None]:
    """A callback for the stages; None where nothing is to be shown."""
    if not shown:
        yield None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with bar() as report:
            yield report
    else:
        yield Lines()


@contextmanager
def bar() -> Iterator[StageProgress]:
    """One bar for each stage, with frames per second and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    speed = TextColumn("{task.fields[fps]}", justify="right")
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=5, transient=True) as shown:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = shown.add_task(stage, total=total or None, fps="")
            speed = shown.tasks[tasks[stage]].speed
            # The total is an estimate; a bar beyond its end would look broken.
            shown.update(
                tasks[stage],
                completed=done,
                total=max(done, total) if total else None,
                fps=f"{speed:.0f} fps" if speed else "",
            )

        yield report


class Lines:
    """Plain lines on stderr: where a stage stands, every few seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._first = 0
        self._began = self._said = clock()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = self._clock()
        if stage != self._stage:
            self._stage, self._began, self._first = stage, now, done
        if now - self._said < EVERY_S:
            return
        self._said = now
        complain(self._line(done, total, now - self._began))

    def _line(self, done: int, total: int, passed_s: float) -> str:
        rate = (done - self._first) / passed_s if passed_s > 0 else 0.0
        left = f", {duration((total - done) / rate)} left" if rate and total > done else ""
        speed = f", {rate:.1f} fps" if rate else ""
        return f"{self._stage}: {done}{f' of {total}' if total >= done else ''} frames{speed}{left}"


def duration(seconds: float) -> str:
    """1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
