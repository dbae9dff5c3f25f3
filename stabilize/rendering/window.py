"""A bounded window of decoded frames around each one."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from stabilize.rendering.matching import SourceFrame


@dataclass(frozen=True, slots=True)
class Window:
    """One source frame, and those around it in the same shot."""

    frames: tuple[SourceFrame, ...]
    """In order; fewer at the ends of a shot."""
    position: int
    """Of the frame itself among them."""
    following: SourceFrame | None
    """The next frame, of whatever shot; None after the last."""

    @property
    def centre(self) -> SourceFrame:
        return self.frames[self.position]


def windows(
    sources: Iterable[SourceFrame], shots: Sequence[slice], before: int = 0, after: int = 0
) -> Iterator[Window]:
    """The window [i - before, i + after] of every frame i, within its shot.

    Holds before + 1 + max(after, 1) frames at the most: `following` needs the next one in any case.
    """
    starts = [shot.start for shot in shots]
    coming = iter(sources)
    past: deque[SourceFrame] = deque(maxlen=before)
    held = deque(islice(coming, frames_ahead(after)))  # the centre first
    while held:
        held.extend(islice(coming, 1))
        yield _window(past, held, after, starts)
        past.append(held.popleft())


def _window(past: Sequence[SourceFrame], held: Sequence[SourceFrame], after: int, starts: Sequence[int]) -> Window:
    def of_shot(sources: Iterable[SourceFrame]) -> tuple[SourceFrame, ...]:
        return tuple(source for source in sources if bisect_right(starts, source.index) == shot)

    shot = bisect_right(starts, held[0].index)
    earlier = of_shot(past)
    frames = (*earlier, *of_shot(islice(held, after + 1)))
    return Window(frames, len(earlier), held[1] if len(held) > 1 else None)


def frames_ahead(after: int) -> int:
    """How many frames beyond the centre `windows` has drawn when it yields a window."""
    return max(after, 1)
