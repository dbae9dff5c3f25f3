"""Which of several motions in a pair is the camera's.

A person close to the lens can hold more corners than the world behind. Several motions are fitted one after the other;
the one whose support covers most of what has been background so far is taken, and the belief in each cell follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilize.core import Float, Float32
from stabilize.motion.features import Corners
from stabilize.motion.models import errors, transfer
from stabilize.motion.sources import PointMatches

THRESHOLD_PX = 0.8  # looser, and one motion is fitted through two that differ little
LEARN = 0.12  # share by which one pair moves the belief; less where under a tenth of the points move otherwise
DISTINCT_PX = 3.0  # off from a motion, a point surely moves otherwise
DOUBT = 0.3  # belief below which support speaks against a motion
FORGET = 0.015  # share by which it falls back to the prior: a wrong belief must not feed itself for ever
PLAIN = 0.8  # belief in a plain cell of a bare picture: what is filmed has texture
SHADED_SHIFT_MAX_PX = 10.0  # of a motion that shades speak of: in a fast one sky hardly moves, and is no wall
NEW = 0.6  # belief in picture that has just come into view
UNDISPUTED = 0.85  # share of the points from which on no other motion is looked for
POINTS_MIN = 8  # that can carry a motion
WEIGHT_MIN = 0.1  # of a match: what a source doubts more is as good as not found
Mask = NDArray[np.bool_]
Shading = Callable[[list[Float]], Mask]  # which cells (m, rows * cols) without a match agree with each of m motions
RobustFit = Callable[[Float32, Float32, float], Float | None]  # of points, next points, threshold in pixels


@dataclass(frozen=True, slots=True)
class Belief:
    """Chance (rows, cols) that each cell shows background."""

    cells: Float32


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One motion that part of the matches agrees on."""

    H_px: Float
    """(3, 3), previous to next."""
    support: Mask
    """(k,) the matches that agree."""
    shades: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    """The cells without a match that agree, where these were looked at."""
    contrary: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    """Those that agree with another motion only."""

    @property
    def cells(self) -> int:
        """How many cells agree."""
        return int(self.support.sum()) + len(self.shades)


@dataclass(frozen=True, slots=True)
class Found:
    """The corners of a picture that were found in the next one, k of them."""

    prev: Float32
    """(k, 2) pixels."""
    next: Float32
    """(k, 2) pixels."""
    weight: Float32
    """(k,) up to 1, as the motion source says."""
    cell: NDArray[np.intp]
    """(k,) where each lies, as in `Corners`."""
    coarseness: int
    """By how much errors are larger than in a clear picture."""
    blurred: bool = False
    """Nothing beyond an affine motion can be told from them."""


def found_of(corners: Corners, matches: PointMatches) -> Found:
    """The matches that may be used at all."""
    ok = matches.weight >= WEIGHT_MIN
    return Found(corners.points[ok], matches.points[ok], matches.weight[ok], corners.cell[ok], corners.coarseness)


def first_belief(corners: Corners) -> Belief:
    """Before anything is known: the border is likelier background than the middle, where people put what they film,
    and in bare pictures the plain cells are.
    """
    return Belief(_prior(corners))


def _prior(corners: Corners) -> Float32:
    prior = _nearer_the_border(corners.grid)
    if not corners.bare:
        return prior
    plain = np.ones(prior.size, bool)
    plain[corners.cell] = False
    return np.where(plain.reshape(prior.shape), np.maximum(prior, PLAIN), prior)


@cache
def _nearer_the_border(grid: tuple[int, int]) -> Float32:
    y, x = np.meshgrid(np.linspace(-1, 1, grid[0]), np.linspace(-1, 1, grid[1]), indexing="ij")
    return (0.3 + 0.6 * np.maximum(abs(x), abs(y)) ** 2).astype(np.float32)


def _magsac(prev: Float32, next_: Float32, threshold_px: float) -> Float | None:
    H, _ = cv2.findHomography(prev, next_, cv2.USAC_MAGSAC, threshold_px, maxIters=1000, confidence=0.995)
    return None if H is None or not np.isfinite(H).all() else np.asarray(H)


def _ransac_affine(prev: Float32, next_: Float32, threshold_px: float) -> Float | None:
    A, _ = cv2.estimateAffine2D(
        prev, next_, method=cv2.RANSAC, ransacReprojThreshold=threshold_px, maxIters=2000, confidence=0.995
    )
    return None if A is None or not np.isfinite(A).all() else np.vstack([A, [0, 0, 1.0]])


def hypotheses(
    prev: Float32, next_: Float32, likely: Mask, threshold_px: float = THRESHOLD_PX, affine: bool = False
) -> list[Hypothesis]:
    """Motions that part of the points agree on: homographies, or no more than `affine`.

    They are no motion, the background so far, the largest group, and the largest of the rest.
    """
    found = [Hypothesis(np.eye(3), np.linalg.norm(next_ - prev, axis=1) < threshold_px / 2)]
    everything = np.ones(len(prev), bool)
    for pick in (likely, everything, None):
        if pick is not likely and max(h.support.mean() for h in found) > UNDISPUTED:
            break
        fit = _ransac_affine if affine else _magsac
        _propose(prev, next_, ~found[-1].support if pick is None else pick, threshold_px, fit, found)
    return found


def _propose(  # noqa: PLR0917
    prev: Float32, next_: Float32, pick: Mask, threshold_px: float, fit: RobustFit, found: list[Hypothesis]
) -> None:
    if pick.sum() < POINTS_MIN:
        return
    H = fit(prev[pick], next_[pick], threshold_px)
    if H is not None and np.linalg.det(H[:2, :2]) > 0.1:
        found.append(Hypothesis(H, errors(H, prev.astype(np.float64), next_.astype(np.float64)) < threshold_px))


def camera_motion(found: Found, belief: Belief, shading: Shading | None = None) -> Hypothesis | None:
    """The hypothesis whose support covers most believed background; None where no group is large enough.

    Support where there was foreground counts against it: while that moves almost as the world does, one motion fits
    both, badly. Each match counts by its weight, and each cell without one as a match, if `shading` tells of them.
    """
    chance = belief.cells.ravel()[found.cell]
    likely = chance * found.weight
    threshold_px = THRESHOLD_PX * found.coarseness
    candidates = hypotheses(found.prev, found.next, likely > np.median(likely), threshold_px, found.blurred)
    if shading and max(h.support.mean() for h in candidates) <= UNDISPUTED and _all_slow(candidates, found.prev):
        candidates = _shaded(candidates, shading)
    worth = found.weight * (chance - DOUBT)
    shade_worth = belief.cells.ravel() - DOUBT
    best = max(candidates, key=lambda h: float(np.sum(worth[h.support])) + float(np.sum(shade_worth[h.shades])))
    return best if best.cells >= POINTS_MIN else None


def _all_slow(candidates: list[Hypothesis], points: Float32) -> bool:
    return all(shift_px(h.H_px, points) <= SHADED_SHIFT_MAX_PX for h in candidates)


def shift_px(H_px: Float, points: Float32) -> float:
    """How far a motion moves points (k, 2), in the median."""
    moved = transfer(H_px, points.astype(np.float64)) - points
    return float(np.median(np.hypot(moved[:, 0], moved[:, 1])))


def _shaded(candidates: list[Hypothesis], shading: Shading) -> list[Hypothesis]:
    agree = shading([h.H_px for h in candidates])
    anywhere = agree.any(axis=0)
    return [
        replace(h, shades=np.flatnonzero(cells), contrary=np.flatnonzero(anywhere & ~cells))
        for h, cells in zip(candidates, agree, strict=True)
    ]


def learn(belief: Belief, found: Found, best: Hypothesis, size: tuple[int, int], corners: Corners) -> Belief:
    """Belief after the pair, moved along with the picture of (width, height) `size` into the next frame; `corners` are
    those of the picture before. What moves otherwise takes its belief along.

    In bare pictures less is learned the less the other points differ: what stands still beside a wall is no wall yet.
    """
    cells = belief.cells.copy()
    flat = cells.ravel()
    off_px = errors(best.H_px, found.prev.astype(np.float64), found.next.astype(np.float64))
    rate = LEARN * min(1.0, 10 * (1 - float(best.support.mean())))
    rate *= _distinctness(off_px[~best.support]) if corners.bare else 1.0
    flat[found.cell] += rate * found.weight * (best.support.astype(np.float32) - flat[found.cell])
    flat[best.shades] += rate * (1 - flat[best.shades])
    flat[best.contrary] -= rate * flat[best.contrary]
    cells += FORGET * (_prior(corners) - cells)
    rows, cols = cells.shape
    sx, sy = cols / size[0], rows / size[1]
    T_cells_px = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1]])
    H_cells = T_cells_px @ best.H_px @ np.linalg.inv(T_cells_px)
    border: dict[str, Any] = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": NEW}
    moved = np.asarray(cv2.warpPerspective(cells, H_cells, (cols, rows), flags=cv2.INTER_LINEAR, **border), np.float32)
    _take_along(moved, cells, found, off_px > DISTINCT_PX * found.coarseness, best.support, size)
    return Belief(moved)


def _distinctness(off_px: Float) -> float:
    """How far the points that do not support a motion are off from it, 0 to 1."""
    return min(1.0, float(np.median(off_px)) / DISTINCT_PX) if len(off_px) else 0.0


def _take_along(  # noqa: PLR0917
    moved: Float32, cells: Float32, found: Found, distinct: Mask, support: Mask, size: tuple[int, int]
) -> None:
    """Lower, in place, the belief in the next picture to where `distinct` points came from, unless others support the
    motion there.
    """
    rows, cols = moved.shape
    at = (found.next * (cols / size[0], rows / size[1])).astype(np.intp)
    inside = ((found.next >= 0) & (at < (cols, rows))).all(axis=1)
    target = at[:, 1] * cols + at[:, 0]
    free = np.ones(moved.size, bool)
    free[target[support & inside]] = False
    chosen = np.flatnonzero(distinct & inside)
    chosen = chosen[free[target[chosen]]]
    np.minimum.at(moved.reshape(-1), target[chosen], cells.ravel()[found.cell[chosen]])
