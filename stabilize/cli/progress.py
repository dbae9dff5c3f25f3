"""Progress on stderr: a bar on a terminal, otherwise a plain line every few seconds; nothing with --quiet or --json."""

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

LINE_INTERVAL_S = 5.0


@contextmanager
def progress(shown: bool) -> Iterator[StageProgress | None]:
    """A callback for the stages, None if no progress is shown."""
    if not shown:
        yield None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with bar() as report:
            yield report
    else:
        yield Lines()


@contextmanager
def bar() -> Iterator[StageProgress]:
    """One bar per stage, with frames per second and the remaining time."""
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
            # The total is an estimate and must not be exceeded.
            shown.update(
                tasks[stage],
                completed=done,
                total=max(done, total) if total else None,
                fps=f"{speed:.0f} fps" if speed else "",
            )

        yield report


class Lines:
    """A plain line on stderr every few seconds: stage, frames, speed, remaining time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._start_frame = 0
        self._start_s = self._last_line_s = clock()

    def __call__(self, stage: str, done: int, total: int) -> None:
        now_s = self._clock()
        if stage != self._stage:
            self._stage, self._start_s, self._start_frame = stage, now_s, done
        if now_s - self._last_line_s < LINE_INTERVAL_S:
            return
        self._last_line_s = now_s
        complain(self._line(done, total, now_s - self._start_s))

    def _line(self, done: int, total: int, elapsed_s: float) -> str:
        rate = (done - self._start_frame) / elapsed_s if elapsed_s > 0 else 0.0
        remaining = f", {duration((total - done) / rate)} left" if rate and total > done else ""
        speed = f", {rate:.1f} fps" if rate else ""
        return f"{self._stage}: {done}{f' of {total}' if total >= done else ''} frames{speed}{remaining}"


def duration(seconds: float) -> str:
    """1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
