"""Mending presentation times: what leaves here increases strictly, and good times are left as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any, TypeVar

T = TypeVar("T")

_LOOKAHEAD = 16  # frames that may wait for a good time; bounds the memory
_RESET_STEPS = 100  # a step back by more than this many frames is a new clock, not a misplaced frame


def usual_step(stream: Any) -> int:
    """The usual distance of two frames in the stream's time base, at least 1."""
    rate = stream.average_rate or stream.guessed_rate
    return max(1, round(1 / (Fraction(rate) * stream.time_base))) if rate else 1


class PresentationClock:
    """The time of a decoded frame from its pts and dts: pts, unless this file's pts run backwards where its dts do not.

    Frames leave the decoder in order of presentation, so whichever stamp runs backwards is wrong. AVI has only decoding
    times, and some MP4 writers get the reordering table wrong. FFmpeg's `guess_correct_pts` changes over at the first
    fault, for good, which moves a whole video for one bad frame; here the faults must be more than one frame in eight.
    """

    def __init__(self) -> None:
        self._last: list[int | None] = [None, None]
        self._faults = [0, 0]
        self._frames = 0

    def __call__(self, pts: int | None, dts: int | None) -> int | None:
        self._frames += 1
        for i, (stamp, other) in enumerate(((pts, dts), (dts, pts))):
            last = self._last[i]
            if stamp is not None and last is not None and stamp <= last:
                self._faults[i] += 1
            self._last[i] = stamp if stamp is not None else other if other is not None else last
        pts_sound = self._faults[0] <= self._faults[1] + self._frames // 8
        return pts if pts is not None and (pts_sound or dts is None) else dts


def mended(timed: Iterable[tuple[int | None, T]], step: int, on_mend: Callable[[], None]) -> Iterator[tuple[int, T]]:
    """(pts, item) with strictly increasing pts, the same items in the same order.

    A missing, repeated or backward pts is placed evenly between its neighbours with good ones; `step` is the usual
    distance of two frames, used where no later good pts is near. A large step back is a restarted clock: what follows
    is shifted. `on_mend` is called for every pts that had to be made up.
    """
    last: int | None = None
    offset = 0
    waiting: list[T] = []
    for pts, item in timed:
        if pts is not None and last is not None and last - (pts + offset) > _RESET_STEPS * step:
            offset = last + step * (len(waiting) + 1) - pts
            on_mend()
        good = pts is not None and (last is None or pts + offset > last + len(waiting))
        if not good:
            waiting.append(item)
            on_mend()
            if len(waiting) < _LOOKAHEAD:
                continue
        end = pts + offset if good and pts is not None else None
        for made_up, waited in _spread(last, end, waiting, step):
            last = made_up
            yield made_up, waited
        waiting.clear()
        if end is not None:
            last = end
            yield end, item
    yield from _spread(last, None, waiting, step)


def _spread(last: int | None, end: int | None, items: list[T], step: int) -> Iterator[tuple[int, T]]:
    """`items` evenly between `last` and `end` (both exclusive); by `step` from the end that is known."""
    count = len(items)
    if last is None:
        last = -step if end is None else end - step * (count + 1)
    for k, item in enumerate(items, start=1):
        yield (last + step * k if end is None else last + (end - last) * k // (count + 1)), item
