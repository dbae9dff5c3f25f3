"""The direction in which the camera moved between two frames: the one vector to which all normals of the pair are
orthogonal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gyro.log import Float

from .tracks import Int
from .vectors import cross, dot

NEAR_EPIPOLE = 0.1  # sine of the angle to the epipole below which a match says next to nothing
ROUNDS = 5
LOSS = (
    3.0  # scale of the Geman-McClure loss in noise sigmas: a walker's 3 px must not pull a clip with 0.15 px of noise
)
MOST_SWING = 1.0  # radians from one pair to the next: more is a direction that the scene does not fix


def directions(n: Float, noise: Float, pair: Int, pairs: int, *, sigma_px: float, start: Float | None = None) -> Float:
    """Unit translation directions (pairs, 3), sign arbitrary: argmin over m of the robust sum of (n.m)^2 / m'Dm.

    D = noise_x noise_x' + noise_y noise_y' is the covariance of n (m, 3) per squared pixel, `noise` (2, m, 3).
    Kanatani's renormalisation: the smallest generalised eigenvector of (sum w n n', sum w D), which does not lean
    towards the optical axis when n is all noise; reweighted by `loss_weight`, from `start`
    where given.
    """
    spread = covariance(noise)
    scatter = n[:, :, None] * n[:, None, :]
    m = start
    for _ in range(ROUNDS):
        weight = 1 / np.trace(spread, axis1=1, axis2=2)
        if m is not None:
            course = m[pair]
            distance = noise_along(noise, course)
            residual = dot(n, course) / distance
            weight = loss_weight(residual**2, sigma_px) / distance**2
        w = weight[:, None, None]
        m = _smallest(sum_pairs(w * scatter, pair, pairs), sum_pairs(w * spread, pair, pairs))
    assert m is not None
    return m


def loss_weight(square: Float, sigma: float) -> Float:
    """Weight of a squared residual under rho = u^2 / (1 + u^2), u = residual / (LOSS sigma) (Geman & McClure 1985)."""
    return np.asarray(1 / (1 + square / (LOSS * sigma) ** 2) ** 2)


def swings(m: Float, neighbours: NDArray[np.bool_]) -> Float:
    """How the direction turns from one pair to the next, (pairs, 3), tangent to m; zero where it jumps. A bouncing
    camera changes its course within the readout of one frame. `neighbours` (pairs - 1,): which pairs follow one
    another directly."""
    ahead, behind = np.zeros_like(m), np.zeros_like(m)
    sign = np.sign(np.einsum("ij,ij->i", m[1:], m[:-1]))[:, None] * neighbours[:, None]
    ahead[:-1] = sign * m[1:] - np.abs(sign) * m[:-1]
    behind[1:] = np.abs(sign) * m[1:] - sign * m[:-1]
    both = np.ones(len(m))
    both[1:-1] = np.maximum(neighbours[1:].astype(float) + neighbours[:-1], 1)
    swing = (ahead + behind) / both[:, None]
    swing -= m * np.einsum("ij,ij->i", swing, m)[:, None]
    return np.asarray(swing * (np.linalg.norm(swing, axis=1, keepdims=True) < MOST_SWING))


def spread_out(m: Float, swing: Float, pair: Int, when: Float) -> Float:
    """The direction (k, 3) of each match; `when` (k,) is its middle time after its pair's, in frame intervals."""
    out = m[pair] + swing[pair] * when[:, None]
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True))


def covariance(noise: Float) -> Float:
    """D (m, 3, 3) of one pixel of noise, with a floor that keeps matches next to the epipole from counting as exact."""
    spread = noise[0][:, :, None] * noise[0][:, None, :] + noise[1][:, :, None] * noise[1][:, None, :]
    return np.asarray(spread + _floor(noise)[:, None, None] * np.eye(3))


def _floor(noise: Float) -> Float:
    return np.asarray(NEAR_EPIPOLE**2 / 2 * dot(noise, noise).sum(axis=0))


def across_noise(noise: Float, m: Float) -> Float:
    """D m (k, 3), D as `covariance` has it."""
    x, y = noise
    return np.asarray(x * dot(x, m)[:, None] + y * dot(y, m)[:, None] + m * _floor(noise)[:, None])


def noise_along(noise: Float, m: Float) -> Float:
    """Standard deviation (k,) of n.m for one pixel of noise: sqrt(m' D m) for unit vectors m (k, 3)."""
    return np.asarray(np.sqrt((dot(noise, m) ** 2).sum(axis=0) + _floor(noise)))


def tangents(m: Float) -> Float:
    """Two unit vectors orthogonal to each m, (k, 2, 3)."""
    helper = np.eye(3)[np.argmin(np.abs(m), axis=1)]
    first = cross(m, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, cross(m, first)], axis=1)


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
