"""One robust least-squares problem: iteratively reweighted Levenberg-Marquardt with the translation directions
eliminated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gyro.log import Float, GyroLog

from .integrate import OrientationTrack
from .model import INDEX, PARAMETERS, ROTATION, Camera, Normals, Observations, look, normal_derivatives, normals
from .translation import LOSS, covariance, directions, loss_weight, noise_along, spread_out, sum_pairs, swings, tangents

BLOCK = 6  # pairs whose errors may depend on one another: a feature's error is shared by neighbouring pairs
ITERATIONS = 30
POLISH = 2
CONVERGED = 1e-6  # relative change of the cost


@dataclass(frozen=True, slots=True)
class Prior:
    """Gaussian knowledge around `mean`: `std` (12,) in the order of PARAMETERS; 0 fixes, infinity leaves free."""

    mean: Camera
    std: Float

    @property
    def free(self) -> NDArray[np.bool_]:
        """(12,) what is to be estimated."""
        return np.asarray(self.std > 0)

    @property
    def information(self) -> Float:
        """(12,) inverse variances, zero where fixed or unknown."""
        return np.where(self.free, 1 / np.where(self.free, self.std, 1.0) ** 2, 0.0)

    def deviation(self, camera: Camera) -> Float:
        """(12,) from the mean."""
        away = camera.vector - self.mean.vector
        away[ROTATION] = (camera.R_cam_gyro * self.mean.R_cam_gyro.inv()).as_rotvec()
        return away

    def fixed(self, *names: str) -> Prior:
        """The same with some parameters held at the mean."""
        std = self.std.copy()
        std[[INDEX[name] for name in names]] = 0
        return Prior(self.mean, std)


@dataclass(frozen=True, slots=True)
class Fit:
    """Where the solver ended.

    `covariance` (12, 12), zero for what was fixed; `sigma_px` robust noise of one residual; `residual_px` (m,)
    distance of each match; `m` (pairs, 3) translation directions, None where the camera only turns; `at` the rays and
    normals there.
    """

    camera: Camera
    covariance: Float
    sigma_px: float
    cost: float
    residual_px: Float
    m: Float | None
    at: Normals


@dataclass(frozen=True, slots=True)
class _Point:
    """The problem at one camera: residuals e (k, r) in pixels under the best directions m (pairs, 3), that of each match `course` (k, 3), derivatives by
    `track`."""

    camera: Camera
    at: Normals
    track: OrientationTrack
    m: Float | None
    course: Float | None
    e: Float


def solve(
    seen: Observations, log: GyroLog, start: Camera, prior: Prior, *, translation: bool, iterations: int = ITERATIONS
) -> Fit:
    """Minimise the sum of Geman-McClure losses of residual / sigma plus the prior's squares over everything that `prior` leaves free.

    With `translation` the residual is each match's distance from its epipolar plane, the best direction of each pair
    eliminated (variable projection, Kaufman 1975); without, the whole angle that rotation leaves.
    """
    point = _point(seen, log, start, translation, None)
    damping, change = 1e-3, 1.0
    for _ in range(iterations):
        sigma = noise_px(point.e)
        cost = _cost(point, sigma, prior)
        H, g, _ = _normal_equations(seen, point, sigma)
        point, lower, damping = _descend(seen, log, point, (H, g), prior, sigma, cost, damping)
        change = (cost - lower) / cost
        if change < CONVERGED:
            break
    return _finish(seen, point, prior)


def _point(seen: Observations, log: GyroLog, camera: Camera, translation: bool, near: _Point | None) -> _Point:
    at, track = normals(seen, log, camera)
    if not translation:
        return _Point(camera, at, track, None, None, residual_px(at, None))
    sigma = noise_px(residual_px(at, None) if near is None else near.e)
    m = directions(at.n, at.noise, seen.pair, seen.pairs, sigma, None if near is None else near.m)
    swing = swings(m, seen.neighbours)
    when = seen.line.mean(axis=0) @ camera.readout_s / seen.interval_s
    for _ in range(POLISH):
        course = spread_out(m, swing, seen.pair, when)
        m = _polish(seen, at, m, course, sigma)
    course = spread_out(m, swing, seen.pair, when)
    return _Point(camera, at, track, m, course, residual_px(at, course))


def _polish(seen: Observations, at: Normals, m: Float, course: Float, sigma: float) -> Float:
    """One Gauss-Newton step of the directions towards the very cost that the solver minimises."""
    e = residual_px(at, course)
    T = _direction_jacobian(seen, at, m, course, e)
    weight = loss_weight(e[:, 0] ** 2, sigma)[:, None]
    C = sum_pairs(weight[:, :, None] * T * np.swapaxes(T, 1, 2), seen.pair, seen.pairs)
    h = sum_pairs(weight * e * T[:, 0], seen.pair, seen.pairs)
    C += (0.01 * np.trace(C, axis1=1, axis2=2) + 1e-12)[:, None, None] * np.eye(2)
    step = np.linalg.solve(C, h[..., None])[..., 0]
    step *= np.minimum(1, 0.3 / np.maximum(np.linalg.norm(step, axis=1), 1e-12))[:, None]
    moved = m - np.einsum("ki,kij->kj", step, tangents(m))
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))


def residual_px(at: Normals, m: Float | None) -> Float:
    """With m (k, 3): distance from the epipolar plane in units of what a pixel does to it (Sampson), (k, 1). Without:
    the whole displacement in the next picture that rotation leaves, (k, 2)."""
    if m is not None:
        return np.asarray(np.einsum("ij,ij->i", at.n, m) / noise_along(covariance(at.noise), m))[:, None]
    return np.einsum("irj,ij->ir", _px_per_normal(at), at.n)


def _px_per_normal(at: Normals) -> Float:
    """Pixels (k, 2, 3) of the displacement that a normal stands for: the dual basis of `noise` within the plane across
    the ray."""
    x, y, ray = at.noise[0], at.noise[1], at.rays[0]
    volume = np.einsum("ij,ij->i", np.cross(x, y), ray)[:, None]
    return np.stack([np.cross(y, ray), np.cross(ray, x)], axis=1) / volume[:, None]


def noise_px(e: Float) -> float:
    """Robust standard deviation of one component: from the median of |e| (one component) or of a length (two)."""
    median = float(np.median(np.linalg.norm(e, axis=1)))
    return max(median * (1.4826 if e.shape[1] == 1 else 0.8493), 1e-6)


def _cost(point: _Point, sigma: float, prior: Prior) -> float:
    u2 = np.sum(point.e**2, axis=1) / (LOSS * sigma) ** 2
    data = LOSS**2 * np.sum(u2 / (1 + u2))
    return float(data + np.sum(prior.deviation(point.camera) ** 2 * prior.information))


def _jacobian(seen: Observations, point: _Point) -> Float:
    """d e / d parameters, (k, r, 12). The lens changes what a pixel is worth as well, or else a longer focal length
    would shrink noise: there the whole residual is differenced."""
    at, m = point.at, point.course
    dn = normal_derivatives(seen, point.camera, at, point.track)
    if m is None:
        J = np.einsum("irj,ijp->irp", _px_per_normal(at), dn)
    else:
        J = np.einsum("ijp,ij->ip", dn, m / noise_along(covariance(at.noise), m)[:, None])[:, None]
    h = 1e-4
    for name, step in (("log_focal", (h, 0.0)), ("k1", (0.0, h))):
        bent = look(seen, at.R_world_cam, point.camera.log_focal + step[0], point.camera.k1 + step[1])
        J[:, :, INDEX[name]] = (residual_px(bent, m) - point.e) / h
    return np.asarray(J)


def _direction_jacobian(seen: Observations, at: Normals, m: Float, course: Float, e: Float) -> Float:
    """d e / d (two tangents of m), (k, 1, 2)."""
    basis = tangents(m)[seen.pair]
    spread = covariance(at.noise)
    distance = noise_along(spread, course)[:, None]
    along = np.einsum("ij,ikj->ik", at.n, basis) / distance
    longer = np.einsum("ij,ijl,ikl->ik", course, spread, basis) / distance**2
    return np.asarray((along - e * longer)[:, None])


def _normal_equations(seen: Observations, point: _Point, sigma: float) -> tuple[Float, Float, Float]:
    """Hessian (12, 12), gradient (12,) and its share from each pair (pairs, 12), directions eliminated; in units of
    the noise."""
    J = _jacobian(seen, point)
    weight = loss_weight(np.sum(point.e**2, axis=1), sigma) / sigma**2
    half = (J * np.sqrt(weight)[:, None, None]).reshape(-1, len(PARAMETERS))
    H = half.T @ half
    score = sum_pairs(np.einsum("irp,ir->ip", J, point.e * weight[:, None]), seen.pair, seen.pairs)
    if point.m is not None and point.course is not None:
        T = _direction_jacobian(seen, point.at, point.m, point.course, point.e)
        B = sum_pairs(np.einsum("irp,irt->ipt", J * weight[:, None, None], T), seen.pair, seen.pairs)
        C = sum_pairs(np.einsum("irs,irt->ist", T * weight[:, None, None], T), seen.pair, seen.pairs)
        h = sum_pairs(np.einsum("irt,ir->it", T, point.e * weight[:, None]), seen.pair, seen.pairs)
        C += (1e-9 * np.trace(C, axis1=1, axis2=2) + 1e-12)[:, None, None] * np.eye(2)
        BC = np.linalg.solve(C, np.swapaxes(B, 1, 2))
        H = H - np.einsum("kpt,ktq->pq", B, BC)
        score = score - np.einsum("ktp,kt->kp", BC, h)
    return H, score.sum(axis=0), score


def _descend(
    seen: Observations, log: GyroLog, point: _Point, equations: tuple[Float, Float], prior: Prior, sigma: float, cost: float,
    damping: float,
) -> tuple[_Point, float, float]:  # fmt: skip
    """A step that lowers the cost, with more damping as long as it does not; the point itself where none does."""
    for _ in range(6):
        trial = point.camera.plus(_step(*equations, prior, point.camera, damping))
        moved = _point(seen, log, trial, point.m is not None, point)
        lower = _cost(moved, sigma, prior)
        if lower < cost:
            return moved, lower, max(damping / 10, 1e-9)
        damping *= 10
    return point, cost, damping


def _step(H: Float, g: Float, prior: Prior, camera: Camera, damping: float) -> Float:
    free = prior.free
    A = (H + np.diag(prior.information))[np.ix_(free, free)]
    b = (g + prior.information * prior.deviation(camera))[free]
    unit = 1 / np.sqrt(np.maximum(np.diag(A), 1e-30))
    A = A * unit[:, None] * unit + damping * np.eye(len(b))
    delta = np.zeros(len(PARAMETERS))
    delta[free] = -unit * np.linalg.solve(A, unit * b)
    return delta


def _finish(seen: Observations, point: _Point, prior: Prior) -> Fit:
    sigma = noise_px(point.e)
    distance = np.linalg.norm(point.e, axis=1)
    covariance = _covariance(seen, point, prior, sigma)
    return Fit(point.camera, covariance, sigma, _cost(point, sigma, prior), distance, point.m, point.at)


def _covariance(seen: Observations, point: _Point, prior: Prior, sigma: float) -> Float:
    """Sandwich covariance over blocks of pairs (White 1980; Liang & Zeger 1986), nowhere below the model's own."""
    H, _, score = _normal_equations(seen, point, sigma)
    u2 = np.sum(point.e**2, axis=1) / (LOSS * sigma) ** 2
    H = H * max(float(np.sum((1 - 3 * u2) / (1 + u2) ** 3) / np.sum(1 / (1 + u2) ** 2)), 0.2)
    free = prior.free
    inverse = np.linalg.pinv((H + np.diag(prior.information))[np.ix_(free, free)], hermitian=True)
    blocks = np.add.reduceat(score[:, free], np.arange(0, seen.pairs, BLOCK), axis=0)
    spread = blocks.T @ blocks * (len(blocks) / max(len(blocks) - 1, 1))
    sandwich = inverse @ (spread + np.diag(prior.information[free])) @ inverse
    grow = np.sqrt(np.maximum(np.diag(inverse) / np.maximum(np.diag(sandwich), 1e-300), 1.0))
    covariance = np.zeros((len(PARAMETERS), len(PARAMETERS)))
    covariance[np.ix_(free, free)] = sandwich * grow[:, None] * grow
    return covariance
