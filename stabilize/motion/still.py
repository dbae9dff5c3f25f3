"""A camera that stands still, told from one that moves a little.

Against a frame of half a second ago the first has not moved at all. Between neighbours a moving foreground and noise
leave a tenth of a pixel on every fit; only time tells this from a hand's slow drift.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stabilize.core import Float32, MotionModel, PairMotion, PairStatus
from stabilize.motion.background import Belief
from stabilize.motion.faint import REDUCED
from stabilize.motion.features import Corners
from stabilize.motion.flow import Picture, klt
from stabilize.motion.records import Records

NEAR_PX = 0.4  # a point that has moved less may be standing
DRIFT_PX = 0.15  # common shift of the standing points from which on the camera has moved
SHARE_NEW, SHARE_KEPT = 0.5, 0.2  # of the believed background that must be standing, to begin and to go on
PAIR_PX = 0.6  # a stand does not begin on pairs quicker than this
LEAST_POINTS = 12
LEAST_RUN = 10  # frames that a stand must last
GAP, HOP_PX = 12, 3.0  # pairs between two stands, and the way in them, that are taken for a mistake
STILL_SHARE = 0.7
RENEW = 0.7  # share of its corners below which a stand is held against a newer frame
PATIENCE = 45  # frames for which something may cover the view before the stand is given up


@dataclass(frozen=True, slots=True)
class Stand:
    """A camera that has not moved since frame `index`: seen `run` times, and not for the last `missed` frames.

    `picture` and `corners` are of the frame that others are held against, `support` how many corners stood at first.
    """

    index: int
    picture: Picture
    corners: Corners
    run: int = 0
    missed: int = 0
    support: int = 0


def standing(stand: Stand, now: Picture, belief: Belief) -> int:
    """How many corners of the believed background lie in `now` where they lay; 0 where the camera may have moved."""
    tracks = klt(stand.picture, now, stand.corners.points)
    if tracks.ok.sum() < LEAST_POINTS:
        return 0
    shift: Float32 = (tracks.points - stand.corners.points)[tracks.ok]
    chance = belief.cells.ravel()[stand.corners.cell[tracks.ok]]
    near = np.linalg.norm(shift, axis=1) < NEAR_PX * stand.corners.coarseness
    share = SHARE_KEPT if stand.run >= LEAST_RUN else SHARE_NEW
    if near.sum() < LEAST_POINTS or chance[near].sum() < share * chance.sum():
        return 0
    return (
        int(near.sum()) if np.linalg.norm(np.median(shift[near], axis=0)) < DRIFT_PX * stand.corners.coarseness else 0
    )


def advance(stand: Stand | None, fresh: Stand, now: Picture, belief: Belief, may_begin: bool) -> Stand | None:
    """The stand after one more frame: the running one, or one that begins at the previous frame (`fresh`), or none."""
    if stand and (may_begin or stand.run >= LEAST_RUN):
        seen = standing(stand, now, belief)
        if seen:
            worn = seen < RENEW * stand.support  # covered by and by: what has come into view instead takes over
            base = replace(fresh, index=stand.index, support=seen) if worn and not stand.missed else stand
            return replace(base, run=stand.run + 1, missed=0)
        if stand.run >= LEAST_RUN and stand.missed < PATIENCE:
            return replace(stand, missed=stand.missed + 1)
    support = standing(fresh, now, belief) if may_begin else 0
    return replace(fresh, run=1, support=support) if support else None


def slow(motion: PairMotion, half_long_px: float) -> bool:
    """Whether a pair is slow enough for a camera that may stand."""
    centre = motion.H_next_prev[:2, 2] / motion.H_next_prev[2, 2]
    most_px = PAIR_PX * (REDUCED if motion.status == PairStatus.FAINT else 1)
    return motion.measured and float(np.linalg.norm(centre)) * half_long_px < most_px


def note(anchors: list[int], stand: Stand | None) -> None:
    """Append the stand of one more pair to `anchors`, -1 for none.

    A view that was covered for a while has been standing all along.
    """
    seen = stand is not None and stand.missed == 0
    anchors.append(stand.index if stand and seen else -1)
    if stand and seen and stand.run > LEAST_RUN:
        behind = len(anchors) - 1
        while behind > 0 and anchors[behind - 1] == -1 and len(anchors) - behind <= PATIENCE + 1:
            behind -= 1
        if behind > 0 and anchors[behind - 1] == stand.index:
            anchors[behind:] = [stand.index] * (len(anchors) - behind)


def hold(records: Records, anchors: list[int], half_long_px: float) -> None:
    """Make, in place, the pairs of every long enough stand exactly still; `anchors` gives each pair's anchor frame, -1
    for none.

    A few pairs between two stands, or before or after one, are the stand seen badly: a camera does not hop and stop
    within half a second. Nor does it move in a longer one in which most pairs show no motion by themselves.
    """
    pairs, ids = records.pairs, np.array(anchors, dtype=np.int64)
    edges = np.flatnonzero(np.diff(ids, prepend=-2, append=-2))
    still = np.zeros(len(ids), bool)
    for first, last in pairwise(edges.tolist()):
        still[first:last] = ids[first] >= 0 and last - first >= LEAST_RUN
    for first, last in _runs(~still):
        gap = pairs[first:last]
        brief = len(gap) <= GAP or np.mean(gap["model"] == MotionModel.STILL) > STILL_SHARE
        hop = np.linalg.norm(gap["H_next_prev"][:, :2, 2].sum(axis=0))  # the way of the centre, in units
        if last - first < len(still) and brief and hop * half_long_px < HOP_PX:
            still[first:last] = True
    still &= np.isin(pairs["status"], (PairStatus.OK, PairStatus.FAINT))
    pairs["model"][still] = MotionModel.STILL
    pairs["H_next_prev"][still] = np.eye(3)
    records.mesh[still] = 0


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
