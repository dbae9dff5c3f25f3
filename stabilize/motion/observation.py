"""What passes through the stream: one frame at a time, with the motion from the frame before it."""

from __future__ import annotations

from dataclasses import dataclass

from stabilize.core import Float32, PairMotion, UInt8


@dataclass(frozen=True, slots=True)
class PairMatches:
    """Points of the frame before, and where they are in this one: `matches.Matches` of one pair."""

    prev_unit: Float32
    """(k, 2)."""
    next_unit: Float32
    """(k, 2)."""
    weight: Float32
    """(k,) up to 1."""


@dataclass(frozen=True, slots=True)
class FrameMotion:
    """A frame, and how the camera came to it."""

    pts: int
    sharpness: float
    """Mean gradient, gray levels."""
    motion: PairMotion | None
    """From the frame before; None for the first."""
    matches: PairMatches | None = None
    """None where none are kept."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A frame that later ones may yet change: its pair may turn out to be a cut, or part of a stand."""

    frame: FrameMotion
    tracked: float
    """Share of the corners of the frame before that were found again."""
    thumbnail: UInt8
    stand: int | None = None
    """The frame that the camera has stood still since; None: it has not."""
    covered: bool = False
    """Something hides whether it still stands."""
