"""What a motion source declares, takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np

from stabilize.core import Float32
from stabilize.motion.sources.picture import Picture

Pixels = Literal["gray", "rgb"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a source has to be given."""

    pixels: Pixels = "gray"
    """`rgb`: pictures carry `Picture.rgb` as well; gray levels are always there."""
    long_side_px: int | None = None
    """The analysis size that it works on; None: the one in the settings."""
    batch: int = 1
    """Pairs that it takes at once, for the throughput of a device; the last batch of a video may be smaller."""
    device: str = "cpu"
    """Where it computes, in PyTorch's words: cpu, cuda, cuda:1."""


@dataclass(frozen=True, slots=True)
class PicturePair:
    """Two pictures, and what is to be found again."""

    prev: Picture
    next: Picture
    points: Float32
    """(k, 2) pixels of `prev`, x and y."""


@dataclass(frozen=True, slots=True)
class PointMatches:
    """Where the points of a pair are in its next picture."""

    points: Float32
    """(k, 2) pixels of the next picture."""
    weight: Float32
    """(k,) from 0, not found, to 1."""


@dataclass(frozen=True, slots=True)
class DenseField:
    """Dense optical flow from the previous picture to the next, of any resolution."""

    flow: Float32
    """(h, w, 2) displacement in pixels of the pictures."""
    confidence: Float32
    """(h, w) from 0, not to be used, to 1: from the forward-backward error, or of the source's own."""


Follow = Callable[[Sequence[PicturePair]], Sequence[PointMatches | DenseField]]


@dataclass(frozen=True, slots=True)
class MotionSource:
    """A way to find points again."""

    open: Callable[[str], Follow]
    """Load what it takes (weights, say) onto a device; called once for each video, before its first pair."""
    needs: Needs = field(default_factory=Needs)


def at_points(answer: PointMatches | DenseField, pair: PicturePair) -> PointMatches:
    """The matches of the points of a pair: a dense field is read there, bilinearly. What would lie outside the next
    picture has no weight.
    """
    if isinstance(answer, PointMatches):
        return answer
    there = (pair.points + read_field(answer.flow, pair)).astype(np.float32)
    weight = read_field(answer.confidence, pair).reshape(-1).clip(0, 1)
    height, width = pair.next.gray.shape
    inside = ((there >= 0) & (there <= (width - 1, height - 1))).all(axis=1)
    return PointMatches(there, np.where(inside, weight, 0).astype(np.float32))


def read_field(values: Float32, pair: PicturePair) -> Float32:
    """Values (h, w, ...) over the whole previous picture, at the points of the pair: (k, ...)."""
    if not len(pair.points):
        return np.zeros((0, *values.shape[2:]), np.float32)
    height, width = pair.prev.gray.shape
    scale = np.array([values.shape[1] / width, values.shape[0] / height])
    at = ((pair.points + 0.5) * scale - 0.5).astype(np.float32).reshape(-1, 1, 2)
    found = cv2.remap(values, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(found).reshape(-1, *values.shape[2:])
