"""The motion between two prepared frames, or why there is none.

Find the camera's motion among the matches, choose the model, fit the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stabilize.core import Float, Float16, FrameGeometry, MotionModel, PairMotion, PairStatus, possible
from stabilize.motion.background import POINTS_MIN, Belief, Found, Mask, camera_motion, first_belief, found_of, learn
from stabilize.motion.features import Corners
from stabilize.motion.mesh import Shape, flat_mesh, local_motion
from stabilize.motion.models import choose, errors, transfer
from stabilize.motion.sources import Picture, PointMatches

NOISE_PX = 0.03  # what Lucas-Kanade cannot beat on real pictures
OUTLIER_PX = 0.8  # from here on a point is doubted
COVERAGE_MIN = 0.04  # share of the picture's cells in support
DARK_MEAN_LEVEL, DARK_DEVIATION_LEVELS = 28.0, 5.0
BLURRED_SHARE = 0.45  # of the usual sharpness
CORNERS_MIN = 3 * POINTS_MIN  # fewer are no texture


@dataclass(frozen=True, slots=True)
class FittedPair:
    """The motion of a pair, and what the next pairs are told of it."""

    motion: PairMotion
    tracked: float
    """Share of the corners that were found again."""
    belief: Belief
    """Where there is background, in the later frame."""


def sharpness(picture: Picture) -> float:
    """Mean absolute difference of neighbouring pixels in gray levels."""
    gray = picture.gray
    across = cv2.norm(gray[:, 1:], gray[:, :-1], cv2.NORM_L1)
    down = cv2.norm(gray[1:], gray[:-1], cv2.NORM_L1)
    return float(across + down) / gray.size


def failed(status: PairStatus, shape: Shape) -> PairMotion:
    """A pair without measurement."""
    return PairMotion(status, MotionModel.NONE, np.eye(3), flat_mesh(shape), 0.0, 0.0)


def fit_pair(  # noqa: PLR0917
    pictures: tuple[Picture, Picture],
    corners: Corners,
    matches: PointMatches,
    belief: Belief,
    usual_sharpness: float,
    shape: Shape,
    mesh: bool,
) -> FittedPair:
    """Motion between two pictures by the matches of the corners of the first, in the unit frame; `shape` is that of
    its mesh, which stays flat unless `mesh`.
    """
    found = found_of(corners, matches)
    tracked = len(found.cell) / len(corners.points) if len(corners.points) else 0.0
    best = camera_motion(found, belief) if len(found.cell) >= POINTS_MIN else None
    cells = corners.grid[0] * corners.grid[1]
    if best is None or best.support.sum() < COVERAGE_MIN * cells:
        status = _why(pictures, len(corners.points), usual_sharpness)
        return FittedPair(failed(status, shape), tracked, first_belief(corners.grid))
    height, width = pictures[0].gray.shape
    grown = learn(belief, found, best.support, best.H_px, (width, height))
    trust = belief.cells.ravel()[found.cell].astype(np.float64) * found.weight
    status = PairStatus.FAINT if corners.faint else PairStatus.OK
    coverage = float(best.support.sum() / cells)
    measured = _measure(found, best.support, trust, FrameGeometry(width, height), shape, mesh)
    if measured is None:
        return FittedPair(failed(PairStatus.NO_CONSENSUS, shape), tracked, grown)
    model, H, local, residual = measured
    return FittedPair(PairMotion(status, model, H, local, coverage, residual), tracked, grown)


def _why(pictures: tuple[Picture, Picture], corners: int, usual_sharpness: float) -> PairStatus:
    """The most plain reason for a pair that could not be measured."""
    if any(p.mean < DARK_MEAN_LEVEL and p.deviation < DARK_DEVIATION_LEVELS for p in pictures):
        return PairStatus.DARK
    if min(sharpness(p) for p in pictures) < BLURRED_SHARE * usual_sharpness:
        return PairStatus.BLURRED
    return PairStatus.TEXTURELESS if corners < CORNERS_MIN else PairStatus.NO_CONSENSUS


def _measure(  # noqa: PLR0917
    found: Found, support: Mask, trust: Float, geometry: FrameGeometry, shape: Shape, mesh: bool
) -> tuple[MotionModel, Float, Float16, float] | None:
    """Model, homography, local motion, and median distance of the inliers, in units; None where the points agree on
    what no camera can have done, as on a line of them.
    """
    unit_px = geometry.half_long_px
    prev, next_ = (geometry.to_unit(points.astype(np.float64)) for points in (found.prev, found.next))
    outlier, noise = (px * found.coarseness / unit_px for px in (OUTLIER_PX, NOISE_PX))
    model, H = choose(prev[support], next_[support], trust[support], outlier, noise)
    if not possible(H[None])[0]:
        return None
    distance = errors(H, prev[support], next_[support])
    local = flat_mesh(shape)
    if mesh and model is not MotionModel.STILL and found.coarseness == 1:
        weight = found.weight.astype(np.float64)
        local = local_motion(prev, next_ - transfer(H, prev), weight, geometry.half_extent, shape)
    return model, H, local, float(np.median(distance))
