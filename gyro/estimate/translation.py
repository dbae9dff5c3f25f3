"""The direction in which the camera moved between two frames: the one vector to which all normals of the pair are orthogonal."""

from __future__ import annotations

import numpy as np

from gyro.log import Float

from .tracks import Int

NEAR_EPIPOLE = 0.1  # sine of the angle to the epipole below which a match says next to nothing
ROUNDS = 5


def directions(n: Float, noise: Float, pair: Int, pairs: int, sigma_px: float, start: Float | None = None) -> Float:
    """Unit translation directions (pairs, 3), sign arbitrary: argmin over m of the robust sum of (n.m)^2 / m'Dm.

    D = noise_x noise_x' + noise_y noise_y' is the covariance of n (m, 3) per squared pixel, `noise` (2, m, 3). Kanatani's
    renormalisation: the smallest generalised eigenvector of (sum w n n', sum w D), which does not lean towards the optical axis
    when n is all noise; reweighted with a Cauchy loss of scale 2 `sigma_px`, from `start` where given.
    """
    spread = covariance(noise)
    scatter = n[:, :, None] * n[:, None, :]
    m = start
    for _ in range(ROUNDS):
        weight = 1 / np.trace(spread, axis1=1, axis2=2)
        if m is not None:
            distance = noise_along(spread, m[pair])
            residual = np.einsum("ij,ij->i", n, m[pair]) / distance
            weight = 1 / (1 + (residual / (2 * sigma_px)) ** 2) / distance**2
        w = weight[:, None, None]
        m = _smallest(sum_pairs(w * scatter, pair, pairs), sum_pairs(w * spread, pair, pairs))
    assert m is not None
    return m


def covariance(noise: Float) -> Float:
    """D (m, 3, 3) of one pixel of noise, with a floor that keeps matches next to the epipole from counting as exact."""
    spread = noise[0][:, :, None] * noise[0][:, None, :] + noise[1][:, :, None] * noise[1][:, None, :]
    floor = NEAR_EPIPOLE**2 / 2 * np.trace(spread, axis1=1, axis2=2)
    return np.asarray(spread + floor[:, None, None] * np.eye(3))


def noise_along(spread: Float, m: Float) -> Float:
    """Standard deviation (k,) of n.m for one pixel of noise."""
    return np.sqrt(np.einsum("ij,ijk,ik->i", m, spread, m))


def tangents(m: Float) -> Float:
    """Two unit vectors orthogonal to each m, (k, 2, 3)."""
    helper = np.eye(3)[np.argmin(np.abs(m), axis=1)]
    first = np.cross(m, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(m, first)], axis=1)


def sum_pairs(values: Float, pair: Int, pairs: int) -> Float:
    """Sums over the matches of each pair: (m, ...) to (pairs, ...); `pair` ascends and leaves no pair out."""
    edges = np.searchsorted(pair, np.arange(pairs))
    return np.asarray(np.add.reduceat(values, edges, axis=0))


def _smallest(scatter: Float, noise: Float) -> Float:
    """Generalised eigenvector of the smallest eigenvalue, batched, through the Cholesky factor of `noise`."""
    trace = np.trace(noise, axis1=1, axis2=2)[:, None, None]
    lower = np.linalg.cholesky(noise + (1e-4 * trace + 1e-300) * np.eye(3))
    inverse = np.linalg.inv(lower)
    _, vectors = np.linalg.eigh(inverse @ scatter @ np.swapaxes(inverse, 1, 2))
    m = np.einsum("kji,kj->ki", inverse, vectors[:, :, 0])
    return np.asarray(m / np.linalg.norm(m, axis=1, keepdims=True))
