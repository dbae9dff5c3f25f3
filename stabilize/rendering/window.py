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

    def shot_of(source: SourceFrame) -> int:
        return bisect_right(starts, source.index)

    ahead = frames_ahead(after)
    coming = iter(sources)
    held = deque(islice(coming, ahead))
    past: deque[SourceFrame] = deque(maxlen=before)
    while held:
        held.extend(islice(coming, 1))
        centre = held.popleft()
        shot = shot_of(centre)
        earlier = [source for source in past if shot_of(source) == shot]
        later = [source for source in islice(held, after) if shot_of(source) == shot]
        yield Window((*earlier, centre, *later), len(earlier), held[0] if held else None)
        past.append(centre)


def frames_ahead(after: int) -> int:
    """How many frames beyond the centre `windows` has drawn when it yields a window."""
    return max(after, 1)
