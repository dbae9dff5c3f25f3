"""Motion between two gray frames: checked Lucas-Kanade tracks and a robust homography."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.opencv import cv2
from metrics.video import Gray

Points = NDArray[np.float32]  # (N, 2) px
Matrix = NDArray[np.float64]  # (3, 3)
Mask = NDArray[np.bool_]

MAX_POINTS = 250
MIN_DISTANCE_PX = 12.0
WINDOW = (15, 15)
LEVELS = 3  # of halving: motions up to 60 px a frame at 640
CHECK_PX = 0.5  # forward and back again must meet
RANSAC_PX = 1.5
MIN_INLIERS = 12
MIN_INLIER_SHARE = 0.3
STILL_PX, MOVING_PX = 0.15, 0.6
STILL_COVER, STILL_CELL_PX = 1 / 3, 64


@dataclass(frozen=True)
class PairMotion:
    """H_next_prev (3, 3) in px, the tracks it was fitted to, and which of them agree with it."""

    H_next_prev: Matrix
    prev: Points
    following: Points
    inlier: Mask


def detect(gray: Gray) -> Points:
    """Up to 250 corners, spread over the picture by a least distance."""
    found = cv2.goodFeaturesToTrack(gray, MAX_POINTS, 0.004, MIN_DISTANCE_PX, blockSize=5)
    return np.empty((0, 2), np.float32) if found is None else np.asarray(found, np.float32).reshape(-1, 2)


def track(prev: Gray, following: Gray, points: Points, near: bool = False) -> tuple[Points, Points]:
    """Those `points` of `prev` that are found in `following` and lead back; both (N, 2).

    `near`: the two pictures already lie over one another, so fine levels are enough and the way back says nothing.
    """
    if len(points) < MIN_INLIERS:
        return points[:0], points[:0]
    start = points.reshape(-1, 1, 2)
    levels = 1 if near else LEVELS
    moved, found, _ = cv2.calcOpticalFlowPyrLK(prev, following, start, None, winSize=WINDOW, maxLevel=levels)
    h, w = following.shape
    x, y = moved[:, 0, 0], moved[:, 0, 1]
    kept = (found.ravel() == 1) & (x >= 0) & (y >= 0) & (x < w) & (y < h)
    if not near:
        # The way back starts where it should end and takes the fine levels only: enough to find out a wrong track.
        back, returned, _ = cv2.calcOpticalFlowPyrLK(
            following, prev, moved, start.copy(), winSize=WINDOW, maxLevel=1, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
        )
        kept &= (returned.ravel() == 1) & (np.linalg.norm((back - start).reshape(-1, 2), axis=1) < CHECK_PX)
    return points[kept], moved.reshape(-1, 2)[kept]


def fit(prev: Points, following: Points) -> PairMotion | None:
    """The homography that most tracks agree on within 1.5 px; None where too few do."""
    if len(prev) < MIN_INLIERS:
        return None
    H, mask = cv2.findHomography(prev, following, cv2.RANSAC, RANSAC_PX)
    if H is None or not np.isfinite(H).all():
        return None
    inlier = mask.ravel().astype(bool)
    still = _still_behind(prev, following, inlier)
    if still is not None:
        return PairMotion(np.eye(3), prev, following, still)
    if inlier.sum() < MIN_INLIERS or inlier.mean() < MIN_INLIER_SHARE or abs(np.linalg.det(H[:2, :2])) < 1e-3:
        return None
    return PairMotion(np.asarray(H, np.float64), prev, following, inlier)


def _still_behind(prev: Points, following: Points, inlier: Mask) -> Mask | None:
    """The tracks that stand still, where most others move and yet those at rest cover a third of the picture.

    A camera that moves leaves no such part at rest; an object in front of a camera on a tripod can win by number.
    """
    moved = np.linalg.norm(following - prev, axis=1)
    still: Mask = moved < STILL_PX
    if not inlier.any() or np.median(moved[inlier]) < MOVING_PX or (still & ~inlier).sum() < MIN_INLIERS:
        return None
    cell = (prev // STILL_CELL_PX).astype(np.int64) @ [1, 4096]
    covered = len(np.unique(cell[still])) / len(np.unique(cell))
    return still if covered >= STILL_COVER else None


def between(prev: Gray, following: Gray, points: Points, near: bool = False) -> PairMotion | None:
    """Motion of `points` from one frame to the next, or None: a failure that the caller counts."""
    return fit(*track(prev, following, points, near))


def similarity(motion: PairMotion, size: tuple[int, int]) -> NDArray[np.float64]:
    """(dx, dy, roll, log scale): px at the frame's centre, radians, nat; least squares over the inliers.

    Four parameters instead of eight: what a path needs, with a fraction of the noise of a homography.
    """
    centre = (np.array(size) - 1) / 2
    p = motion.prev[motion.inlier].astype(np.float64) - centre
    q = motion.following[motion.inlier].astype(np.float64) - centre
    p_mean, q_mean = p.mean(axis=0), q.mean(axis=0)
    z, w = (p - p_mean) @ [1, 1j], (q - q_mean) @ [1, 1j]
    turn = np.vdot(z, w) / np.vdot(z, z).real  # complex scale * exp(i roll)
    moved = q_mean @ [1, 1j] - turn * (p_mean @ [1, 1j])
    return np.array([moved.real, moved.imag, np.angle(turn), np.log(abs(turn))])
