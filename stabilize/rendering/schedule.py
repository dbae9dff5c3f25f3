"""Which output frames there are, and when: a plain function of each source frame and the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stabilize.rendering.matching import SourceFrame


@dataclass(frozen=True, slots=True)
class Slot:
    """An output frame that is to be made."""

    pts: int
    """When it is shown, in units of the video's time base."""
    duration: int
    """How long, in the same units; 0: until the next one."""
    time_s: float
    """What moment of the path it shows, in seconds since the first frame."""


# From a source frame and the next one (None after the last) to the slots whose windows have that source frame in the
# centre: those from its own time up to the next one's. Their pts increase strictly over the whole video.
Schedule = Callable[[SourceFrame, SourceFrame | None], Sequence[Slot]]


def as_filmed(source: SourceFrame, following: SourceFrame | None) -> tuple[Slot, ...]:
    """One output frame for each source frame, at its own time."""
    return (Slot(source.frame.pts, source.frame.duration, source.time_s),)
