"""Motion between two gray frames: Lucas-Kanade tracks with forward-backward check, robust homography."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.opencv import cv2
from metrics.video import Gray

Points = NDArray[np.float32]  # (N, 2) px
Matrix = NDArray[np.float64]  # (3, 3)
Mask = NDArray[np.bool_]

MAX_CORNERS = 250
MIN_CORNER_DISTANCE_PX = 12.0
LK_WINDOW_PX = (15, 15)
LK_PYRAMID_LEVELS = 3  # motion up to 60 px per frame at a long side of 640 px
FORWARD_BACKWARD_MAX_PX = 0.5
RANSAC_PX = 1.5
MIN_INLIERS = 12
MIN_INLIER_SHARE = 0.3
STILL_MAX_PX, MOVING_MIN_PX = 0.15, 0.6  # per frame, at analysis size
STILL_MIN_COVERAGE, COVERAGE_CELL_PX = 1 / 3, 64


@dataclass(frozen=True)
class PairMotion:
    """Motion of one frame pair."""

    H_next_prev: Matrix
    """Homography, (3, 3) px."""
    prev: Points
    """Tracked points in the first frame."""
    following: Points
    """The same points in the second frame."""
    inlier: Mask
    """Which tracks agree with the homography."""


def detect(gray: Gray) -> Points:
    """Detect up to 250 Shi-Tomasi corners with a minimum distance."""
    corners = cv2.goodFeaturesToTrack(gray, MAX_CORNERS, 0.004, MIN_CORNER_DISTANCE_PX, blockSize=5)
    return np.empty((0, 2), np.float32) if corners is None else np.asarray(corners, np.float32).reshape(-1, 2)


def track(prev: Gray, following: Gray, points: Points, near: bool = False) -> tuple[Points, Points]:
    """Track `points` of `prev` into `following`; return those that pass the forward-backward check, in both frames.

    `near`: the frames are already aligned, so fine levels suffice and the check is skipped. Both results are (N, 2).
    """
    if len(points) < MIN_INLIERS:
        return points[:0], points[:0]
    start = points.reshape(-1, 1, 2)
    levels = 1 if near else LK_PYRAMID_LEVELS
    moved, forward_ok, _ = cv2.calcOpticalFlowPyrLK(prev, following, start, None, winSize=LK_WINDOW_PX, maxLevel=levels)
    h, w = following.shape
    x, y = moved[:, 0, 0], moved[:, 0, 1]
    valid = (forward_ok.ravel() == 1) & (x >= 0) & (y >= 0) & (x < w) & (y < h)
    if not near:
        # Starting at the expected end point, the fine levels suffice to detect a wrong track.
        back, backward_ok, _ = cv2.calcOpticalFlowPyrLK(
            following, prev, moved, start.copy(), winSize=LK_WINDOW_PX, maxLevel=1, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
        )
        valid &= (backward_ok.ravel() == 1) & (
            np.linalg.norm((back - start).reshape(-1, 2), axis=1) < FORWARD_BACKWARD_MAX_PX
        )
    return points[valid], moved.reshape(-1, 2)[valid]


def fit(prev: Points, following: Points) -> PairMotion | None:
    """Fit the homography that most tracks agree with within 1.5 px (RANSAC); None if too few do."""
    if len(prev) < MIN_INLIERS:
        return None
    H, mask = cv2.findHomography(prev, following, cv2.RANSAC, RANSAC_PX)
    if H is None or not np.isfinite(H).all():
        return None
    inlier = mask.ravel().astype(bool)
    still = _still_background(prev, following)
    if still is not None:
        return PairMotion(np.eye(3), prev, following, still)
    if inlier.sum() < MIN_INLIERS or inlier.mean() < MIN_INLIER_SHARE or abs(np.linalg.det(H[:2, :2])) < 1e-3:
        return None
    return PairMotion(np.asarray(H, np.float64), prev, following, inlier)


def _still_background(prev: Points, following: Points) -> Mask | None:
    """Return the still tracks if they cover a third of the frame while the others move; else None.

    A moving camera leaves no such area still. In front of a tripod a moving object may have more tracks; where it is
    slow, its homography takes in the still ones too.
    """
    moved = np.linalg.norm(following - prev, axis=1)
    still: Mask = moved < STILL_MAX_PX
    if still.sum() < MIN_INLIERS or still.all() or np.median(moved[~still]) < MOVING_MIN_PX:
        return None
    cell = (prev // COVERAGE_CELL_PX).astype(np.int64) @ [1, 4096]
    covered = len(np.unique(cell[still])) / len(np.unique(cell))
    return still if covered >= STILL_MIN_COVERAGE else None


def between(prev: Gray, following: Gray, points: Points, near: bool = False) -> PairMotion | None:
    """Return the motion of `points` from one frame to the next; None if it could not be estimated."""
    return fit(*track(prev, following, points, near))


def similarity(motion: PairMotion, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return (dx, dy, roll, log scale): px at the frame's centre, radians, natural log. Least squares over inliers.

    A camera path needs these four parameters only; they have a fraction of the noise of a homography.
    """
    centre = (np.array(size) - 1) / 2
    p = motion.prev[motion.inlier].astype(np.float64) - centre
    q = motion.following[motion.inlier].astype(np.float64) - centre
    p_mean, q_mean = p.mean(axis=0), q.mean(axis=0)
    z, w = (p - p_mean) @ [1, 1j], (q - q_mean) @ [1, 1j]
    scaled_rotation = np.vdot(z, w) / np.vdot(z, z).real  # scale * exp(i roll)
    moved = q_mean @ [1, 1j] - scaled_rotation * (p_mean @ [1, 1j])
    return np.array([moved.real, moved.imag, np.angle(scaled_rotation), np.log(abs(scaled_rotation))])
