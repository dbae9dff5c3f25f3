"""Global motion models, fitted by weighted least squares, and the choice among them by evidence.

All fits map `prev` (k, 2) to `next` (k, 2), any unit, and return 3x3 matrices. Points are expected near the origin with
extent of about 1 (the unit frame), which conditions the equations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stabilize.core import Float, MotionModel
from stabilize.fields.grid import node_positions

RIDGE = 1e-9  # keeps the equations of points on a line solvable
POINTS_EFFECTIVE = 200  # independent ones at the most: neighbours err alike
OUTLIER_MEDIANS = 2.5  # median distances at which a point starts to count as an outlier, at the least
ANCHOR_SHAPE, ANCHOR_COUNT = (5, 7), 35  # rows and columns over the frame
ANCHOR_DISTANCE_UNITS = 0.3  # from the nearest point, at which a place has no support
ANCHOR_SHARE = 0.02  # of the points' weight, if no place had support; the lever of far places is long
Weighted = tuple[Float, Float, Float]  # points of the previous frame (k, 2), of the next (k, 2), their weights (k,)
Fit = Callable[[Float, Float, Float], Float]


def still(prev: Float, next_: Float, weight: Float) -> Float:
    """No motion at all."""
    return np.eye(3)


def translation(prev: Float, next_: Float, weight: Float) -> Float:
    """Weighted mean shift."""
    H = np.eye(3)
    H[:2, 2] = weight @ (next_ - prev) / weight.sum()
    return H


def similarity(prev: Float, next_: Float, weight: Float) -> Float:
    """Rotation, uniform scale and shift (Umeyama 1991, in complex numbers)."""
    p, q = prev[:, 0] + 1j * prev[:, 1], next_[:, 0] + 1j * next_[:, 1]
    total = weight.sum()
    p0, q0 = weight @ p / total, weight @ q / total
    p = p - p0
    z = weight * p.conj() @ (q - q0) / max(float(weight @ (p.real**2 + p.imag**2)), 1e-12)
    w = q0 - z * p0
    return np.array([[z.real, -z.imag, w.real], [z.imag, z.real, w.imag], [0, 0, 1.0]])


def affine(prev: Float, next_: Float, weight: Float) -> Float:
    """Six parameters."""
    design = _homogeneous(prev)
    weighted = (design * weight[:, None]).T
    solution = np.linalg.solve(weighted @ design + RIDGE * np.eye(3), weighted @ next_)
    return np.vstack([solution.T, [0, 0, 1.0]])


def homography(prev: Float, next_: Float, weight: Float) -> Float:
    """Eight parameters, minimising the transfer error by Gauss-Newton from the affine fit (Hartley & Zisserman 4.5)."""
    H = affine(prev, next_, weight)
    points, k = _homogeneous(prev), len(prev)
    jacobian = np.zeros((2 * k, 8))  # of all x, then of all y
    both = np.concatenate([weight, weight])
    for _ in range(2):
        image = points @ H.T
        scaled = points / image[:, 2:]
        mapped = image[:, :2] / image[:, 2:]
        jacobian[:k, :3] = jacobian[k:, 3:6] = scaled
        jacobian[:k, 6:] = -mapped[:, :1] * scaled[:, :2]
        jacobian[k:, 6:] = -mapped[:, 1:] * scaled[:, :2]
        weighted = (jacobian * both[:, None]).T
        step = np.linalg.solve(weighted @ jacobian + RIDGE * np.eye(8), weighted @ (next_ - mapped).T.ravel())
        H = H + np.append(step, 0.0).reshape(3, 3)
    return H


def _homogeneous(points: Float) -> Float:
    """(k, 2) -> (k, 3)."""
    lifted = np.ones((len(points), 3))
    lifted[:, :2] = points
    return lifted


LADDER: dict[MotionModel, tuple[Fit, int]] = {
    MotionModel.STILL: (still, 0),
    MotionModel.TRANSLATION: (translation, 2),
    MotionModel.SIMILARITY: (similarity, 4),
    MotionModel.AFFINE: (affine, 6),
    MotionModel.HOMOGRAPHY: (homography, 8),
}


def transfer(H: Float, points: Float) -> Float:
    """Points (..., 2) mapped by H (3, 3)."""
    depth = np.asarray(points @ H[2, :2] + H[2, 2])
    depth[np.abs(depth) < 1e-9] = 1e-9
    return np.asarray((points @ H[:2, :2].T + H[:2, 2]) / depth[..., None])


def errors(H: Float, prev: Float, next_: Float) -> Float:
    """Transfer distance (k,)."""
    off = transfer(H, prev) - next_
    return np.asarray(np.sqrt(np.einsum("kc,kc->k", off, off)))


def robust_weight(distance: Float, scale: float) -> Float:
    """Geman-McClure weight of a distance."""
    return np.asarray(1 / (1 + (distance / scale) ** 2) ** 2)


def choose(  # noqa: PLR0917
    prev: Float,
    next_: Float,
    trust: Float,
    scale: float,
    floor: float,
    half_extent: tuple[float, float],
    highest: MotionModel = MotionModel.HOMOGRAPHY,
) -> tuple[MotionModel, Float]:
    """The model of the ladder, up to the `highest`, with the least description length (BIC), each fitted robustly.

    `trust` (k,): weight of each point before its distance is known; `scale`: distance at which a point starts to count
    as an outlier; `floor`: measurement noise that no fit can beat. Residuals of neighbouring points are not
    independent, so they count for less than their number (`POINTS_EFFECTIVE`). Where a frame of `half_extent` has no
    points, affine maps and homographies are held near the similarity: extrapolated, they would say anything.
    """
    anchors = _anchors(prev, half_extent)
    held = anchors[:0], anchors[:0], trust[:0]
    effective = min(len(prev), POINTS_EFFECTIVE)
    best: tuple[float, MotionModel, Float] | None = None
    for model, (fit, parameters) in LADDER.items():
        if 2 * len(prev) < parameters + 4 or model > highest:
            break
        H = _fit_robustly(fit, (prev, next_, trust), held, scale)
        if model is MotionModel.SIMILARITY:
            held = anchors, transfer(H, anchors), np.full(len(anchors), ANCHOR_SHARE * trust.sum() / ANCHOR_COUNT)
        distance = np.minimum(errors(H, prev, next_), 2 * scale)
        variance = float(np.mean(distance**2)) / 2 + floor**2
        length = 2 * effective * np.log(variance) + parameters * np.log(2 * effective)
        if best is None or length < best[0]:
            best = (length, model, H)
    assert best is not None
    return best[1], best[2]


def _anchors(points: Float, half_extent: tuple[float, float]) -> Float:
    """Places (m, 2) of the frame that are far from all points (k, 2)."""
    grid = node_positions(*ANCHOR_SHAPE, half_extent).reshape(-1, 2)
    square = ((grid[:, None] - points) ** 2).sum(axis=2).min(axis=1)
    return np.asarray(grid[square > ANCHOR_DISTANCE_UNITS**2])


def _fit_robustly(fit: Fit, matches: Weighted, held: Weighted, scale: float) -> Float:
    """Iterated reweighting; the scale shrinks to what the fit leaves, to tell a motion apart that differs a little.

    The weights of what is `held` stay as they are.
    """
    prev, next_, trust = matches
    weight = trust
    all_prev, all_next = np.concatenate([prev, held[0]]), np.concatenate([next_, held[1]])
    H = fit(all_prev, all_next, np.concatenate([weight, held[2]]))
    for shrink in (1.0, 0.5, 0.25):
        distance = errors(H, prev, next_)
        weight = trust * robust_weight(distance, max(shrink * scale, OUTLIER_MEDIANS * _middle(distance))) + 1e-9
        H = fit(all_prev, all_next, np.concatenate([weight, held[2]]))
    return H


def _middle(values: Float) -> float:
    """The (upper) median; numpy's own costs ten times as much on so few values."""
    half = len(values) // 2
    return float(np.partition(values, half)[half])
