"""Dense inverse search (Kroeger et al. 2016), there and back."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stabilize.core import Float32
from stabilize.motion.sources.contract import DenseField, MotionSource, PicturePair, PointMatches
from stabilize.motion.sources.klt import ROUND_TRIP_MAX_PX, klt

DENSE_ROUND_TRIP_MAX_PX = 2 * ROUND_TRIP_MAX_PX  # a field is smooth, and so less exact at a point than its own window
SHORT_SIDE_MIN_PX = 32  # DIS has a coarsest level of its own that needs some picture


def dis(pair: PicturePair) -> DenseField | PointMatches:
    """The field, sure where forward and backward agree; faint and tiny pictures are followed by points."""
    if pair.prev.faint or min(pair.prev.gray.shape) < SHORT_SIDE_MIN_PX:
        return klt(pair)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    forward = search.calc(pair.prev.gray, pair.next.gray, None)  # type: ignore[call-overload]
    backward = search.calc(pair.next.gray, pair.prev.gray, None)  # type: ignore[call-overload]
    error = forward_backward_error(forward, backward)
    return DenseField(forward, (error < DENSE_ROUND_TRIP_MAX_PX).astype(np.float32))


def forward_backward_error(forward: Float32, backward: Float32) -> Float32:
    """How far from home (h, w) each pixel ends that follows one field (h, w, 2) and then the other, px."""
    height, width = forward.shape[:2]
    home = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), axis=-1)
    there = home + forward
    back = cv2.remap(backward, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(np.linalg.norm(there + back - home, axis=2), np.float32)


def _follow(pairs: Sequence[PicturePair]) -> list[DenseField | PointMatches]:
    return [dis(pair) for pair in pairs]


DIS = MotionSource(lambda _: _follow)
