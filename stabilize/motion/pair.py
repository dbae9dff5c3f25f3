"""The motion between two prepared frames, or why there is none.

Follow the corners, find the camera's motion, choose the model, fit the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stabilize.core import Float, Float32, FrameGeometry, MotionModel, PairMotion, PairStatus, possible
from stabilize.motion.background import LEAST, Belief, Mask, camera_motion, first_belief, learn
from stabilize.motion.features import Corners, corners
from stabilize.motion.flow import Picture, Tracks
from stabilize.motion.mesh import COLS, ROWS, local_motion
from stabilize.motion.models import choose, errors, transfer
from stabilize.settings import MotionConfig

NOISE_PX = 0.03  # what KLT cannot beat on real pictures
SCALE_PX = 0.8  # from here on a point is doubted
LEAST_COVERAGE = 0.04  # share of the picture's cells
DARK_MEAN, DARK_DEVIATION = 28.0, 5.0
BLUR_DROP = 0.45  # gradient energy against the usual


@dataclass(frozen=True, slots=True)
class PairResult:
    """`motion`; `tracked`: share of points followed there and back; `belief` for the next pair."""

    motion: PairMotion
    tracked: float
    belief: Belief


def sharpness(picture: Picture) -> float:
    """Mean absolute difference of neighbouring pixels in gray levels."""
    gray = picture.gray
    across = cv2.norm(gray[:, 1:], gray[:, :-1], cv2.NORM_L1)
    down = cv2.norm(gray[1:], gray[:-1], cv2.NORM_L1)
    return float(across + down) / gray.size


def failed(status: PairStatus) -> PairMotion:
    """A pair without measurement."""
    return PairMotion(status, MotionModel.NONE, np.eye(3), np.zeros((ROWS, COLS, 2), np.float16), 0.0, 0.0)


def pair_motion(  # noqa: PLR0917
    prev: Picture,
    next_: Picture,
    at: Corners,
    tracks: Tracks,
    belief: Belief,
    usual_sharpness: float,
    config: MotionConfig,
) -> PairResult:
    """Motion from `prev` to `next_` by the `tracks` of the corners `at` of `prev`, in the unit frame."""
    tracked = float(tracks.ok.mean()) if len(tracks.ok) else 0.0
    best = camera_motion(at.points, tracks.points, at, tracks.ok, belief) if tracks.ok.sum() >= LEAST else None
    if best is None or best.support.sum() < LEAST_COVERAGE * at.grid[0] * at.grid[1]:
        status = _why(prev, next_, len(at.points), usual_sharpness)
        return PairResult(failed(status), tracked, first_belief(at.grid))
    height, width = prev.gray.shape
    grown = learn(belief, at, tracks.ok, best.support, best.H_px, (width, height))
    trust = belief.cells.ravel()[at.cell[tracks.ok]].astype(np.float64)
    motion = _measure(at, tracks, best.support, trust, FrameGeometry(width, height), config.mesh)
    return PairResult(motion or failed(PairStatus.NO_CONSENSUS), tracked, grown)


def _why(prev: Picture, next_: Picture, found: int, usual_sharpness: float) -> PairStatus:
    """The most plain reason for a pair that could not be measured."""
    if any(p.mean < DARK_MEAN and p.deviation < DARK_DEVIATION for p in (prev, next_)):
        return PairStatus.DARK
    if min(sharpness(prev), sharpness(next_)) < BLUR_DROP * usual_sharpness:
        return PairStatus.BLURRED
    return PairStatus.TEXTURELESS if found < 3 * LEAST else PairStatus.NO_CONSENSUS


def _measure(  # noqa: PLR0917
    at: Corners, tracks: Tracks, support: Mask, trust: Float, geometry: FrameGeometry, mesh: bool
) -> PairMotion | None:
    """None where the points agree on what no camera can have done, as on a line of them."""
    unit_px = geometry.half_long_px
    prev, next_ = (geometry.to_unit(_double(p[tracks.ok])) for p in (at.points, tracks.points))
    scale, noise = (px * at.coarseness / unit_px for px in (SCALE_PX, NOISE_PX))
    model, H, _ = choose(prev[support], next_[support], trust[support], scale, noise)
    if not possible(H[None])[0]:
        return None
    distance = errors(H, prev[support], next_[support])
    local = np.zeros((ROWS, COLS, 2), np.float16)
    if mesh and model is not MotionModel.STILL and not at.faint:
        local = local_motion(prev, next_ - transfer(H, prev), geometry.half_extent)
    coverage = float(support.sum() / (at.grid[0] * at.grid[1]))
    status = PairStatus.FAINT if at.faint else PairStatus.OK
    return PairMotion(status, model, H, local, coverage, float(np.median(distance)))


def _double(points: Float32) -> Float:
    return points.astype(np.float64)


__all__ = ["PairResult", "corners", "failed", "pair_motion", "sharpness"]
