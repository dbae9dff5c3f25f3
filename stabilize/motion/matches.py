"""Which matches of a pair are kept for synchronisation: the strongest of each part of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stabilize.core import Float32
from stabilize.motion.background import WEIGHT_MIN
from stabilize.motion.features import Corners
from stabilize.motion.observation import PairMatches
from stabilize.motion.sources import Picture, PointMatches

KEPT_MAX = 240  # matches of a pair
PARTS = (6, 8)  # rows and columns of the picture, each with an equal share of them


def kept_matches(
    picture: Picture, corners: Corners, matches: PointMatches, half_extent: tuple[float, float]
) -> PairMatches:
    """At most KEPT_MAX matches of the corners of a picture, in the unit frame of a video with this `half_extent`."""
    height, width = picture.gray.shape
    inside = ((matches.points >= 0) & (matches.points <= (width - 1, height - 1))).all(axis=1)
    usable = np.flatnonzero(inside & (matches.weight >= WEIGHT_MIN))
    chosen = usable[_strongest(corners.points[usable], corners.strength[usable], (width, height))]

    def unit(points_px: Float32) -> Float32:
        share = (points_px + 0.5) / np.array([width, height])  # per axis: the analysis size is rounded
        return np.asarray((2 * share - 1) * np.array(half_extent), np.float32)

    return PairMatches(unit(corners.points[chosen]), unit(matches.points[chosen]), matches.weight[chosen])


def _strongest(points: Float32, strength: Float32, size: tuple[int, int]) -> NDArray[np.intp]:
    """Indices, ascending, of the strongest points of every part of a picture of this (width, height)."""
    row, col = (points[:, axis] * count / size[axis] for axis, count in ((1, PARTS[0]), (0, PARTS[1])))
    part = row.astype(np.intp) * PARTS[1] + col.astype(np.intp)
    order = np.lexsort((-strength, part))
    rank = np.arange(len(order)) - np.searchsorted(part[order], part[order])
    return np.sort(order[rank < KEPT_MAX // (PARTS[0] * PARTS[1])])
