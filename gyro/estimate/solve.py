"""Robust least squares by iteratively reweighted Levenberg-Marquardt, the directions of translation eliminated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gyro.log import Float, GyroLog

from .model import INDEX, PARAMETERS, ROTATION, Camera, Normals, Observations
from .residuals import Kind, Point, evaluate, jacobian, noise_px, pair_jacobian
from .translation import LOSS_SCALE_SIGMAS, loss_weight, sum_pairs

# Lengths of blocks of pairs whose errors may be correlated: through a feature's neighbours, or a step of a walker.
SANDWICH_BLOCK_PAIRS = (6, 15, 30)
ITERATIONS_MAX = 20
COST_REL_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Prior:
    """Gaussian prior of the parameters."""

    mean: Camera
    std: Float
    """(12,) in the order of PARAMETERS; 0 fixes a parameter, infinity leaves it free."""

    @property
    def free(self) -> NDArray[np.bool_]:
        """(12,) which parameters are estimated."""
        return np.asarray(self.std > 0)

    @property
    def information(self) -> Float:
        """(12,) inverse variances, zero where fixed or free."""
        return np.where(self.free, 1 / np.where(self.free, self.std, 1.0) ** 2, 0.0)

    def deviation(self, camera: Camera) -> Float:
        """Return the deviation (12,) from the mean."""
        away = camera.vector - self.mean.vector
        away[ROTATION] = (camera.R_cam_gyro * self.mean.R_cam_gyro.inv()).as_rotvec()
        return away

    def fixed(self, *names: str) -> Prior:
        """Return the prior with some parameters fixed at the mean."""
        std = self.std.copy()
        std[[INDEX[name] for name in names]] = 0
        return Prior(self.mean, std)


@dataclass(frozen=True, slots=True)
class Fit:
    """Optimum of the solver."""

    camera: Camera
    covariance: Float
    """(12, 12), zero for fixed parameters."""
    sigma_px: float
    """Robust standard deviation of one component of a residual."""
    cost: float
    kind: Kind
    geometry: Normals


def solve(
    obs: Observations, log: GyroLog, start: Camera, prior: Prior, *, kind: Kind, iterations: int = ITERATIONS_MAX
) -> Fit:
    """Minimise the sum of Geman-McClure losses of residual / sigma plus the squares of the prior over the free
    parameters.

    For "moves" the residual is the distance of each match from its epipolar plane; otherwise it is the displacement
    that is left. The free parameters of each pair are eliminated (variable projection, Kaufman 1975).
    """
    point = evaluate(obs, log, start, kind)
    damping = 1e-3
    for _ in range(iterations):
        sigma = noise_px(point.e)
        cost = _cost(point, sigma, prior)
        H, g, _ = _normal_equations(obs, point, sigma)
        point, lower, damping = _descend(
            obs, log, point, prior, equations=(H, g), sigma=sigma, cost=cost, damping=damping
        )
        if cost - lower < COST_REL_TOLERANCE * cost:
            break
    return _finish(obs, point, prior)


def _cost(point: Point, sigma: float, prior: Prior) -> float:
    u2 = np.sum(point.e**2, axis=1) / (LOSS_SCALE_SIGMAS * sigma) ** 2
    data = LOSS_SCALE_SIGMAS**2 * np.sum(u2 / (1 + u2))
    return float(data + np.sum(prior.deviation(point.camera) ** 2 * prior.information))


def _normal_equations(obs: Observations, point: Point, sigma: float) -> tuple[Float, Float, Float]:
    """Return the Hessian (12, 12), the gradient (12,) and its part from each pair (pairs, 12), the parameters of the
    pairs eliminated, in units of the noise."""
    J = jacobian(obs, point)
    weight = loss_weight(np.sum(point.e**2, axis=1), sigma) / sigma**2
    half = (J * np.sqrt(weight)[:, None, None]).reshape(-1, len(PARAMETERS))
    H = half.T @ half
    score = sum_pairs(np.einsum("irp,ir->ip", J, point.e * weight[:, None]), obs.pair, obs.pairs)
    T = pair_jacobian(obs, point)
    if T is not None:
        B = sum_pairs(np.einsum("irp,irt->ipt", J * weight[:, None, None], T), obs.pair, obs.pairs)
        C = sum_pairs(np.einsum("irs,irt->ist", T * weight[:, None, None], T), obs.pair, obs.pairs)
        h = sum_pairs(np.einsum("irt,ir->it", T, point.e * weight[:, None]), obs.pair, obs.pairs)
        C += (1e-9 * np.trace(C, axis1=1, axis2=2) + 1e-12)[:, None, None] * np.eye(2)
        BC = np.linalg.solve(C, np.swapaxes(B, 1, 2))
        H = H - np.einsum("kpt,ktq->pq", B, BC)
        score = score - np.einsum("ktp,kt->kp", BC, h)
    return H, score.sum(axis=0), score


def _descend(
    obs: Observations,
    log: GyroLog,
    point: Point,
    prior: Prior,
    *,
    equations: tuple[Float, Float],
    sigma: float,
    cost: float,
    damping: float,
) -> tuple[Point, float, float]:
    """Take a step that lowers the cost, with increasing damping; return the point itself where none does."""
    for _ in range(6):
        trial = point.camera.plus(_step(*equations, prior, point.camera, damping))
        moved = evaluate(obs, log, trial, point.kind, point)
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


def _finish(obs: Observations, point: Point, prior: Prior) -> Fit:
    sigma = noise_px(point.e)
    covariance = _covariance(obs, point, prior, sigma)
    return Fit(point.camera, covariance, sigma, _cost(point, sigma, prior), point.kind, point.geometry)


def _covariance(obs: Observations, point: Point, prior: Prior, sigma: float) -> Float:
    """Return the sandwich covariance over blocks of pairs (White 1980; Liang & Zeger 1986): the largest variances over
    several block lengths, for correlated errors, and at least those of the model."""
    H, _, score = _normal_equations(obs, point, sigma)
    u2 = np.sum(point.e**2, axis=1) / (LOSS_SCALE_SIGMAS * sigma) ** 2
    H = H * max(float(np.sum((1 - 3 * u2) / (1 + u2) ** 3) / np.sum(1 / (1 + u2) ** 2)), 0.2)
    free = prior.free
    information = np.diag(prior.information[free])
    inverse = np.linalg.pinv(H[np.ix_(free, free)] + information, hermitian=True)
    sandwiches = [inverse @ (_scatter(score[:, free], block) + information) @ inverse for block in SANDWICH_BLOCK_PAIRS]
    widest = np.maximum.reduce([np.diag(one) for one in (*sandwiches, inverse)])
    grow = np.sqrt(widest / np.maximum(np.diag(sandwiches[0]), 1e-300))
    covariance = np.zeros((len(PARAMETERS), len(PARAMETERS)))
    covariance[np.ix_(free, free)] = sandwiches[0] * grow[:, None] * grow
    return covariance


def _scatter(score: Float, block: int) -> Float:
    """Return the sum over blocks of the outer product of their scores, with the usual correction for few blocks."""
    sums = np.add.reduceat(score, np.arange(0, len(score), block), axis=0)
    return np.asarray(sums.T @ sums * (len(sums) / max(len(sums) - 1, 1)))
