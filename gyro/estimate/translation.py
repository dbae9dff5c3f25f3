"""Direction of translation between two frames: the vector to which all epipolar normals of a pair are orthogonal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gyro.log import Float

from .tracks import Int
from .vectors import cross, dot

EPIPOLE_SINE_MIN = 0.1  # sine of the angle to the epipole below which a match carries little information
IRLS_ITERATIONS = 5
# Scale of the Geman-McClure loss in noise standard deviations: a pedestrian's 3 px must not bias a clip with 0.15 px.
LOSS_SCALE_SIGMAS = 3.0
DIRECTION_CHANGE_MAX_RAD = 1.0  # from one pair to the next; a larger change is a direction that the scene leaves open


def directions(n: Float, noise: Float, pair: Int, pairs: int, *, sigma_px: float, start: Float | None = None) -> Float:
    """Return unit directions of translation (pairs, 3), sign arbitrary: argmin over m of the robust sum of (n.m)^2 /
    m'Dm.

    D = noise_x noise_x' + noise_y noise_y' is the covariance of n (m, 3) per squared pixel, `noise` (2, m, 3).
    Kanatani's renormalisation: the smallest generalised eigenvector of (sum w n n', sum w D), which is not biased
    towards the optical axis when n is all noise; reweighted by `loss_weight`, from `start` where given.
    """
    noise_covariance = covariance(noise)
    scatter = n[:, :, None] * n[:, None, :]
    m = start
    for _ in range(IRLS_ITERATIONS):
        weight = 1 / np.trace(noise_covariance, axis1=1, axis2=2)
        if m is not None:
            direction = m[pair]
            distance = normal_std(noise, direction)
            residual = dot(n, direction) / distance
            weight = loss_weight(residual**2, sigma_px) / distance**2
        w = weight[:, None, None]
        m = _smallest_eigenvectors(sum_pairs(w * scatter, pair, pairs), sum_pairs(w * noise_covariance, pair, pairs))
    assert m is not None
    return m


def loss_weight(square: Float, sigma: float) -> Float:
    """Return the weight of squared residuals under rho = u^2 / (1 + u^2), u = residual / (LOSS sigma) (Geman & McClure
    1985)."""
    return np.asarray(1 / (1 + square / (LOSS_SCALE_SIGMAS * sigma) ** 2) ** 2)


def direction_changes(m: Float, neighbours: NDArray[np.bool_]) -> Float:
    """Return how the direction changes from one pair to the next, (pairs, 3), tangent to m; zero where it jumps. A
    bouncing camera changes its course within the readout of one frame. `neighbours` (pairs - 1,): which pairs follow
    one another directly."""
    to_next, from_previous = np.zeros_like(m), np.zeros_like(m)
    sign = np.sign(np.einsum("ij,ij->i", m[1:], m[:-1]))[:, None] * neighbours[:, None]
    to_next[:-1] = sign * m[1:] - np.abs(sign) * m[:-1]
    from_previous[1:] = np.abs(sign) * m[1:] - sign * m[:-1]
    neighbour_count = np.ones(len(m))
    neighbour_count[1:-1] = np.maximum(neighbours[1:].astype(float) + neighbours[:-1], 1)
    change = (to_next + from_previous) / neighbour_count[:, None]
    change -= m * np.einsum("ij,ij->i", change, m)[:, None]
    return np.asarray(change * (np.linalg.norm(change, axis=1, keepdims=True) < DIRECTION_CHANGE_MAX_RAD))


def match_directions(m: Float, change: Float, pair: Int, when: Float) -> Float:
    """Return the direction (k, 3) of each match; `when` (k,) is its mean time relative to its pair, in frame
    intervals."""
    out = m[pair] + change[pair] * when[:, None]
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True))


def covariance(noise: Float) -> Float:
    """Return D (m, 3, 3) of one pixel of noise, with a floor, or matches next to the epipole would count as exact."""
    noise_covariance = noise[0][:, :, None] * noise[0][:, None, :] + noise[1][:, :, None] * noise[1][:, None, :]
    return np.asarray(noise_covariance + _variance_floor(noise)[:, None, None] * np.eye(3))


def _variance_floor(noise: Float) -> Float:
    return np.asarray(EPIPOLE_SINE_MIN**2 / 2 * dot(noise, noise).sum(axis=0))


def covariance_product(noise: Float, m: Float) -> Float:
    """Return D m (k, 3) with D of `covariance`."""
    x, y = noise
    return np.asarray(x * dot(x, m)[:, None] + y * dot(y, m)[:, None] + m * _variance_floor(noise)[:, None])


def normal_std(noise: Float, m: Float) -> Float:
    """Return the standard deviation (k,) of n.m for one pixel of noise: sqrt(m' D m) for unit vectors m (k, 3)."""
    return np.asarray(np.sqrt((dot(noise, m) ** 2).sum(axis=0) + _variance_floor(noise)))


def tangents(m: Float) -> Float:
    """Return two unit vectors orthogonal to each m, (k, 2, 3)."""
    helper = np.eye(3)[np.argmin(np.abs(m), axis=1)]
    first = cross(m, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, cross(m, first)], axis=1)


def sum_pairs(values: Float, pair: Int, pairs: int) -> Float:
    """Sum over the matches of each pair: (m, ...) to (pairs, ...); `pair` ascends and leaves no pair out."""
    edges = np.searchsorted(pair, np.arange(pairs))
    return np.asarray(np.add.reduceat(values, edges, axis=0))


def _smallest_eigenvectors(scatter: Float, noise: Float) -> Float:
    """Return the generalised eigenvectors of the smallest eigenvalues by the Cholesky factors of `noise`."""
    trace = np.trace(noise, axis1=1, axis2=2)[:, None, None]
    lower = np.linalg.cholesky(noise + (1e-4 * trace + 1e-300) * np.eye(3))
    inverse = np.linalg.inv(lower)
    _, vectors = np.linalg.eigh(inverse @ scatter @ np.swapaxes(inverse, 1, 2))
    m = np.einsum("kji,kj->ki", inverse, vectors[:, :, 0])
    return np.asarray(m / np.linalg.norm(m, axis=1, keepdims=True))
