"""A camera that stands still, told from one that moves a little.

Against a frame of half a second ago the first has not moved at all. Between neighbours a moving foreground and noise
leave a tenth of a pixel on every fit; only time tells this from a hand's slow drift.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stabilize.core import Float32, PairMotion, PairStatus
from stabilize.motion.background import Belief
from stabilize.motion.faint import REDUCED
from stabilize.motion.features import Corners
from stabilize.motion.sources import Picture, PicturePair
from stabilize.motion.sources.klt import klt

NEAR_PX = 0.4  # a point that has moved less may be standing
DRIFT_PX = 0.15  # common shift of the standing points from which on the camera has moved
SHARE_NEW, SHARE_KEPT = 0.5, 0.2  # of the believed background that must be standing, to begin and to go on
SLOW_PX = 0.6  # a stand does not begin on pairs quicker than this
POINTS_MIN = 12
STAND_MIN_FRAMES = 10  # that a stand must last
RENEW_SHARE = 0.7  # of its corners, below which a stand is held against a newer frame
COVERED_MAX_FRAMES = 45  # for which something may hide the view before the stand is given up


@dataclass(frozen=True, slots=True)
class Stand:
    """A camera that has not moved for a while."""

    index: int
    """The frame that it has not moved since."""
    picture: Picture
    """Of the frame that others are held against."""
    corners: Corners
    """Of that frame."""
    run: int = 0
    """Frames that have shown it standing."""
    covered: int = 0
    """Frames in a row, the last ones, that have not."""
    support: int = 0
    """Corners that stood at first."""


def standing(stand: Stand, now: Picture, belief: Belief) -> int:
    """How many corners of the believed background lie in `now` where they lay; 0 where the camera may have moved."""
    matches = klt(PicturePair(stand.picture, now, stand.corners.points))
    ok = matches.weight > 0
    if ok.sum() < POINTS_MIN:
        return 0
    shift: Float32 = (matches.points - stand.corners.points)[ok]
    chance = belief.cells.ravel()[stand.corners.cell[ok]]
    near = np.linalg.norm(shift, axis=1) < NEAR_PX * stand.corners.coarseness
    share = SHARE_KEPT if stand.run >= STAND_MIN_FRAMES else SHARE_NEW
    if near.sum() < POINTS_MIN or chance[near].sum() < share * chance.sum():
        return 0
    drift_px = np.linalg.norm(np.median(shift[near], axis=0))
    return int(near.sum()) if drift_px < DRIFT_PX * stand.corners.coarseness else 0


def advance(stand: Stand | None, fresh: Stand, now: Picture, belief: Belief, may_begin: bool) -> Stand | None:
    """The stand after one more frame: the running one, or one that begins at the previous frame (`fresh`), or none."""
    if stand and (may_begin or stand.run >= STAND_MIN_FRAMES):
        support = standing(stand, now, belief)
        if support:
            worn = support < RENEW_SHARE * stand.support  # hidden by and by: what has come into view takes over
            base = replace(fresh, index=stand.index, support=support) if worn and not stand.covered else stand
            return replace(base, run=stand.run + 1, covered=0)
        if stand.run >= STAND_MIN_FRAMES and stand.covered < COVERED_MAX_FRAMES:
            return replace(stand, covered=stand.covered + 1)
    support = standing(fresh, now, belief) if may_begin else 0
    return replace(fresh, run=1, support=support) if support else None


def slow(motion: PairMotion, half_long_px: float) -> bool:
    """Whether a pair is slow enough for a camera that may stand."""
    centre = motion.H_next_prev[:2, 2] / motion.H_next_prev[2, 2]
    most_px = SLOW_PX * (REDUCED if motion.status == PairStatus.FAINT else 1)
    return motion.measured and float(np.linalg.norm(centre)) * half_long_px < most_px
