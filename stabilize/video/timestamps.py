"""Repair presentation times: the result increases strictly, and valid times are not changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any, TypeVar

T = TypeVar("T")

_LOOK_AHEAD_FRAMES = 16  # frames that wait for a valid time; bounds the memory
_RESTART_FRAMES_MIN = 100  # a larger step back is a restart of the time, not a single wrong one


def nominal_step(stream: Any) -> int:
    """Return the interval between frames at the stream's frame rate, in its time base, at least 1."""
    rate = stream.average_rate or stream.guessed_rate
    return max(1, round(1 / (Fraction(rate) * stream.time_base))) if rate else 1


class PresentationClock:
    """Choose between pts and dts of decoded frames: pts, unless those of the file decrease where its dts do not.

    Frames leave the decoder in display order, so decreasing times are wrong. AVI has only decoding times, and some MP4
    writers write a wrong reordering table. FFmpeg's `guess_correct_pts` switches permanently at the first error, so one
    bad frame shifts the whole video. Here, more than one frame in eight must be wrong.
    """

    def __init__(self) -> None:
        self._last: list[int | None] = [None, None]
        self._errors = [0, 0]
        self._frames = 0

    def __call__(self, pts: int | None, dts: int | None) -> int | None:
        self._frames += 1
        for i, (stamp, other) in enumerate(((pts, dts), (dts, pts))):
            last = self._last[i]
            if stamp is not None and last is not None and stamp <= last:
                self._errors[i] += 1
            self._last[i] = stamp if stamp is not None else other if other is not None else last
        use_pts = self._errors[0] <= self._errors[1] + self._frames // 8
        return pts if pts is not None and (use_pts or dts is None) else dts


def repair_times(
    timed: Iterable[tuple[int | None, T]], step: int, on_repair: Callable[[], None]
) -> Iterator[tuple[int, T]]:
    """Yield (pts, item) with strictly increasing pts, for all items in the same order.

    Missing, repeated or decreasing pts are interpolated between valid neighbours, or extrapolated by `step`, the
    nominal interval, if no later valid pts is near. After a large step back, the following pts are shifted. `on_repair`
    is called for each replaced pts, and for each such step.
    """
    last: int | None = None
    offset = 0
    waiting: list[T] = []
    for pts, item in timed:
        if pts is not None and last is not None and last - (pts + offset) > _RESTART_FRAMES_MIN * step:
            offset = last + step * (len(waiting) + 1) - pts
            on_repair()
        is_valid = pts is not None and (last is None or pts + offset > last + len(waiting))
        if not is_valid:
            waiting.append(item)
            on_repair()
            if len(waiting) < _LOOK_AHEAD_FRAMES:
                continue
        end = pts + offset if is_valid and pts is not None else None
        for interpolated, waited in _interpolate(last, end, waiting, step):
            last = interpolated
            yield interpolated, waited
        waiting.clear()
        if end is not None:
            last = end
            yield end, item
    yield from _interpolate(last, None, waiting, step)


def _interpolate(last: int | None, end: int | None, items: list[T], step: int) -> Iterator[tuple[int, T]]:
    """Space `items` evenly between `last` and `end` (exclusive), or by `step` if one of them is unknown."""
    count = len(items)
    if last is None:
        last = -step if end is None else end - step * (count + 1)
    for k, item in enumerate(items, start=1):
        yield (last + step * k if end is None else last + (end - last) * k // (count + 1)), item
