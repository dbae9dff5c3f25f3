"""Residuals of the matches under a camera that only rotates, that also translates, or whose lens shifts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gyro.log import Float, GyroLog

from .integrate import OrientationTrack
from .model import INDEX, Camera, Normals, Observations, normal_derivatives, normals, normals_from_rotations
from .translation import (
    covariance_product,
    direction_changes,
    directions,
    loss_weight,
    match_directions,
    normal_std,
    sum_pairs,
    tangents,
)
from .vectors import cross, dot

DIRECTION_REFINEMENTS = 2  # Gauss-Newton steps per evaluation
DIRECTION_STEP_MAX_RAD = 0.3

# What each pair may do besides rotating: "turns": nothing; "moves": translate in one direction past a scene; "shifts":
# shift as a whole, as by a stabilising lens.
Kind = Literal["turns", "moves", "shifts"]


@dataclass(frozen=True, slots=True)
class Point:
    """The residuals at one camera, at the optimum of the free parameters of each pair."""

    kind: Kind
    camera: Camera
    geometry: Normals
    track: OrientationTrack
    """For derivatives."""
    e: Float
    """(k, r) residuals in pixels."""
    m: Float | None = None
    """(pairs, 3) directions of translation, for "moves"."""
    direction: Float | None = None
    """(k, 3) direction of translation of each match, for "moves"."""
    shift: Float | None = None
    """(pairs, 2) shifts in pixels, for "shifts"."""


def evaluate(obs: Observations, log: GyroLog, camera: Camera, kind: Kind, previous: Point | None = None) -> Point:
    """Return the residuals under a camera; the free parameters of each pair start from `previous`, where given."""
    geometry, track = normals(obs, log, camera)
    displacement = residual_px(geometry, None)
    sigma = noise_px(displacement if previous is None else previous.e)
    if kind == "turns":
        return Point(kind, camera, geometry, track, displacement)
    if kind == "shifts":
        shift = _shifts(obs, displacement, sigma, None if previous is None else previous.shift)
        return Point(kind, camera, geometry, track, displacement - shift[obs.pair], shift=shift)
    m = directions(
        geometry.n, geometry.noise, obs.pair, obs.pairs, sigma_px=sigma, start=None if previous is None else previous.m
    )
    change = direction_changes(m, obs.neighbours)
    when = obs.line.mean(axis=0) @ camera.readout_s / obs.interval_s
    for _ in range(DIRECTION_REFINEMENTS):
        m = _refine_directions(obs, geometry, m, match_directions(m, change, obs.pair, when), sigma)
    direction = match_directions(m, change, obs.pair, when)
    return Point(kind, camera, geometry, track, residual_px(geometry, direction), m, direction)


def _shifts(obs: Observations, displacement: Float, sigma: float, start: Float | None) -> Float:
    """Return the robust mean displacement (pairs, 2) of each pair, from `start` or else the median."""
    if start is None:
        edges = np.searchsorted(obs.pair, np.arange(1, obs.pairs))
        start = np.array([np.median(part, axis=0) for part in np.split(displacement, edges)])
    shift = start
    for _ in range(5):
        weight = loss_weight(np.sum((displacement - shift[obs.pair]) ** 2, axis=1), sigma)[:, None]
        total = np.maximum(sum_pairs(weight, obs.pair, obs.pairs), 1e-9)
        shift = sum_pairs(weight * displacement, obs.pair, obs.pairs) / total
    return np.asarray(shift)


def _refine_directions(obs: Observations, geometry: Normals, m: Float, direction: Float, sigma: float) -> Float:
    """Take one Gauss-Newton step of the directions on the cost that the solver minimises."""
    e = residual_px(geometry, direction)
    T = _direction_jacobian(obs, geometry, m, direction, e)
    weight = loss_weight(e[:, 0] ** 2, sigma)[:, None]
    C = sum_pairs(weight[:, :, None] * T * np.swapaxes(T, 1, 2), obs.pair, obs.pairs)
    h = sum_pairs(weight * e * T[:, 0], obs.pair, obs.pairs)
    C += (0.01 * np.trace(C, axis1=1, axis2=2) + 1e-12)[:, None, None] * np.eye(2)
    step = np.linalg.solve(C, h[..., None])[..., 0]
    step *= np.minimum(1, DIRECTION_STEP_MAX_RAD / np.maximum(np.linalg.norm(step, axis=1), 1e-12))[:, None]
    moved = m - np.einsum("ki,kij->kj", step, tangents(m))
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))


def residual_px(geometry: Normals, m: Float | None) -> Float:
    """Return, with m (k, 3), the Sampson distance from the epipolar plane, (k, 1); without, the displacement in the
    next frame that rotation leaves, (k, 2)."""
    if m is not None:
        return np.asarray(dot(geometry.n, m) / normal_std(geometry.noise, m))[:, None]
    return dot(_px_per_normal(geometry), geometry.n[:, None])


def _px_per_normal(geometry: Normals) -> Float:
    """Return d displacement / d normal in pixels (k, 2, 3): the dual basis of `noise` in the plane orthogonal to the
    ray."""
    x, y, ray = geometry.noise[0], geometry.noise[1], geometry.rays[0]
    volume = dot(cross(x, y), ray)[:, None]
    return np.asarray(np.stack([cross(y, ray), cross(ray, x)], axis=1) / volume[:, None])


def noise_px(e: Float) -> float:
    """Return the robust standard deviation of one component from the median length of residuals (k, 1 or 2)."""
    median = float(np.median(np.linalg.norm(e, axis=1)))
    return max(median * (1.4826 if e.shape[1] == 1 else 0.8493), 1e-6)


def jacobian(obs: Observations, point: Point) -> Float:
    """Return d e / d parameters, (k, r, 12). For the lens the whole residual is differenced: it also changes the angle
    of a pixel, and otherwise a longer focal length would shrink the noise."""
    geometry, m = point.geometry, point.direction
    along = _px_per_normal(geometry) if m is None else (m / normal_std(geometry.noise, m)[:, None])[:, None]
    J = normal_derivatives(obs, point.camera, geometry, point.track, along)
    displacement = point.e if point.shift is None else point.e + point.shift[obs.pair]
    h = 1e-4
    for name, step in (("log_focal", (h, 0.0)), ("k1", (0.0, h))):
        shifted = normals_from_rotations(
            obs, geometry.R_world_cam, point.camera.log_focal + step[0], point.camera.k1 + step[1]
        )
        J[:, :, INDEX[name]] = (residual_px(shifted, m) - displacement) / h
    return np.asarray(J)


def pair_jacobian(obs: Observations, point: Point) -> Float | None:
    """Return d e / d (the two free parameters of each pair), (k, r, 2): tangents of m, or the shift."""
    if point.shift is not None:
        return np.broadcast_to(-np.eye(2), (len(point.e), 2, 2))
    if point.m is None or point.direction is None:
        return None
    return _direction_jacobian(obs, point.geometry, point.m, point.direction, point.e)


def _direction_jacobian(obs: Observations, geometry: Normals, m: Float, direction: Float, e: Float) -> Float:
    """Return d e / d (two tangents of m), (k, 1, 2)."""
    basis = tangents(m)[obs.pair]
    distance = normal_std(geometry.noise, direction)[:, None]
    along = dot(geometry.n[:, None], basis) / distance
    longer = dot(covariance_product(geometry.noise, direction)[:, None], basis) / distance**2
    return np.asarray((along - e * longer)[:, None])
