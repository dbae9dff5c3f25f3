"""The motion between two prepared frames, or why there is none.

Find the camera's motion among the matches, choose the model, fit the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from stabilize.core import Float, Float16, FrameGeometry, MotionModel, PairMotion, PairStatus, possible
from stabilize.motion.background import (
    POINTS_MIN,
    SHADED_SHIFT_MAX_PX,
    Belief,
    Found,
    Hypothesis,
    camera_motion,
    first_belief,
    found_of,
    learn,
    shift_px,
)
from stabilize.motion.features import Corners
from stabilize.motion.mesh import Shape, flat_mesh, local_motion
from stabilize.motion.models import choose, errors, transfer
from stabilize.motion.retry import SEARCHES, is_shown
from stabilize.motion.shading import shaded_cells
from stabilize.motion.sources import Picture, PointMatches

NOISE_PX = 0.03  # what Lucas-Kanade cannot beat on real pictures
OUTLIER_PX = 0.8  # from here on a point is doubted
COVERAGE_MIN = 0.04  # share of the picture's cells in support
SURE_COVERAGE = 0.15  # from which on a further search needs no confirmation: a still face may fill the rest
DARK_MEAN_LEVEL, DARK_DEVIATION_LEVELS = 28.0, 5.0
BLURRED_SHARE = 0.45  # of the usual sharpness
CORNERS_MIN = 3 * POINTS_MIN  # fewer are no texture
HIGHEST = {False: MotionModel.HOMOGRAPHY, True: MotionModel.AFFINE}  # model that is told from clear and blurred matches


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


@dataclass(frozen=True, slots=True)
class PairFit:
    """What every fit of a pair needs beside its matches."""

    pictures: tuple[Picture, Picture]
    corners: Corners
    """Of the first picture."""
    belief: Belief
    """Where there is background, in the first picture."""
    usual_sharpness: float
    shape: Shape
    """Rows and columns of the mesh."""
    mesh: bool
    """Whether local motion is measured; else the mesh stays flat."""


def fit_pair(task: PairFit, matches: PointMatches) -> FittedPair:
    """Motion between two pictures by the matches of the corners of the first, in the unit frame; where they agree on
    none, by further searches.
    """
    found = found_of(task.corners, matches)
    corners = len(task.corners.points)
    tracked = len(found.cell) / corners if corners else 0.0
    fitted = _fit(task, found)
    if fitted is None and corners >= CORNERS_MIN and not task.corners.faint:
        fitted = _retry(task)
    if fitted is not None:
        return FittedPair(fitted[0], tracked, fitted[1])
    status = _why(task.pictures, corners, task.usual_sharpness)
    return FittedPair(failed(status, task.shape), tracked, first_belief(task.corners))


def _fit(task: PairFit, found: Found) -> tuple[PairMotion, Belief] | None:
    """The motion that the matches agree on, and the belief after it; None where they do not."""
    shading = partial(shaded_cells, *task.pictures, task.corners) if task.corners.bare and not found.blurred else None
    best = camera_motion(found, task.belief, shading) if len(found.cell) >= POINTS_MIN else None
    cells = task.corners.grid[0] * task.corners.grid[1]
    if best is None or best.cells < COVERAGE_MIN * cells:
        return None
    height, width = task.pictures[0].gray.shape
    measured = _measure(found, best, task, FrameGeometry(width, height))
    if measured is None:
        return None
    model, H, local, residual = measured
    status = PairStatus.FAINT if found.coarseness > 1 else PairStatus.OK
    grown = learn(task.belief, found, best, (width, height), task.corners)
    return PairMotion(status, model, H, local, best.cells / cells, residual), grown


def _retry(task: PairFit) -> tuple[PairMotion, Belief] | None:
    """The first of the further searches whose motion much of the picture agrees on, or shows in its gray levels."""
    height, width = task.pictures[0].gray.shape
    T = FrameGeometry(width, height).T_px_unit
    for search in SEARCHES:
        fitted = _fit(task, search(*task.pictures, task.corners))
        if fitted is None:
            continue
        H_px = T @ fitted[0].H_next_prev @ np.linalg.inv(T)
        if fitted[0].coverage >= SURE_COVERAGE or is_shown(*task.pictures, H_px):
            return fitted
    return None


def _why(pictures: tuple[Picture, Picture], corners: int, usual_sharpness: float) -> PairStatus:
    """The most plain reason for a pair that could not be measured."""
    if any(p.mean < DARK_MEAN_LEVEL and p.deviation < DARK_DEVIATION_LEVELS for p in pictures):
        return PairStatus.DARK
    if min(sharpness(p) for p in pictures) < BLURRED_SHARE * usual_sharpness:
        return PairStatus.BLURRED
    return PairStatus.TEXTURELESS if corners < CORNERS_MIN else PairStatus.NO_CONSENSUS


def _measure(
    found: Found, best: Hypothesis, task: PairFit, geometry: FrameGeometry
) -> tuple[MotionModel, Float, Float16, float] | None:
    """Model, homography, local motion, and median distance of the inliers, in units; None where the points agree on
    what no camera can have done, as on a line of them.
    """
    local = flat_mesh(task.shape)
    if best.support.sum() < POINTS_MIN:
        return (MotionModel.STILL, np.eye(3), local, 0.0) if (best.H_px == np.eye(3)).all() else None
    unit_px = geometry.half_long_px
    prev, next_ = (geometry.to_unit(points.astype(np.float64)) for points in (found.prev, found.next))
    outlier, noise = (px * found.coarseness / unit_px for px in (OUTLIER_PX, NOISE_PX))
    trust, support = task.belief.cells.ravel()[found.cell].astype(np.float64) * found.weight, best.support
    highest = MotionModel.SIMILARITY if len(best.shades) else HIGHEST[found.blurred]
    model, H = choose(prev[support], next_[support], trust[support], outlier, noise, geometry.half_extent, highest)
    if not possible(H[None])[0]:
        return None
    distance = errors(H, prev[support], next_[support])
    # In a bare picture what corners there are lie mostly on what is filmed: no mesh can be told from them.
    bare = task.corners.bare and shift_px(best.H_px, found.prev) <= SHADED_SHIFT_MAX_PX
    if task.mesh and model is not MotionModel.STILL and found.coarseness == 1 and not bare:
        weight = found.weight.astype(np.float64)
        local = local_motion(prev, next_ - transfer(H, prev), weight, geometry.half_extent, task.shape)
    return model, H, local, float(np.median(distance))
