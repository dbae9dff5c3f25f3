"""What is left of each match under a camera: by rotation alone, beside a translation, or beside a shift of the lens."""

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

DIRECTION_REFINEMENTS = 2
DIRECTION_STEP_MAX_RAD = 0.3  # radians: how far one step may turn a direction

# What a pair may do besides turning: nothing; move in one direction past a scene; shift as a whole, as a moving lens
# makes it.
Kind = Literal["turns", "moves", "shifts"]


@dataclass(frozen=True, slots=True)
class Point:
    """The problem at one camera, with what is free in each pair at its best.

    `e` (k, r) residuals in pixels; `m` (pairs, 3) directions and `direction` (k, 3) that of each match, where it moves;
    `shift` (pairs, 2) in pixels, where it shifts. `track` is for derivatives.
    """

    kind: Kind
    camera: Camera
    geometry: Normals
    track: OrientationTrack
    e: Float
    m: Float | None = None
    direction: Float | None = None
    shift: Float | None = None


def evaluate(obs: Observations, log: GyroLog, camera: Camera, kind: Kind, previous: Point | None = None) -> Point:
    """The residuals under a camera; what is free in each pair starts from `previous`, where given."""
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
    """The shift (pairs, 2) that most matches of each pair share: a robust mean, from the median where nothing is
    known."""
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
    """One Gauss-Newton step of the directions towards the very cost that the solver minimises."""
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
    """With m (k, 3): distance from the epipolar plane in units of what a pixel does to it (Sampson), (k, 1). Without:
    the whole displacement in the next picture that rotation leaves, (k, 2)."""
    if m is not None:
        return np.asarray(dot(geometry.n, m) / normal_std(geometry.noise, m))[:, None]
    return dot(_px_per_normal(geometry), geometry.n[:, None])


def _px_per_normal(geometry: Normals) -> Float:
    """Pixels (k, 2, 3) of the displacement that a normal stands for: the dual basis of `noise` within the plane across
    the ray."""
    x, y, ray = geometry.noise[0], geometry.noise[1], geometry.rays[0]
    volume = dot(cross(x, y), ray)[:, None]
    return np.asarray(np.stack([cross(y, ray), cross(ray, x)], axis=1) / volume[:, None])


def noise_px(e: Float) -> float:
    """Robust standard deviation of one component: from the median of |e| (one component) or of a length (two)."""
    median = float(np.median(np.linalg.norm(e, axis=1)))
    return max(median * (1.4826 if e.shape[1] == 1 else 0.8493), 1e-6)


def jacobian(obs: Observations, point: Point) -> Float:
    """d e / d parameters, (k, r, 12). The lens changes what a pixel is worth as well, or else a longer focal length
    would shrink noise: there the whole residual is differenced."""
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
    """d e / d (the two numbers that are free in each pair), (k, r, 2): tangents of m, or the shift."""
    if point.shift is not None:
        return np.broadcast_to(-np.eye(2), (len(point.e), 2, 2))
    if point.m is None or point.direction is None:
        return None
    return _direction_jacobian(obs, point.geometry, point.m, point.direction, point.e)


def _direction_jacobian(obs: Observations, geometry: Normals, m: Float, direction: Float, e: Float) -> Float:
    """d e / d (two tangents of m), (k, 1, 2)."""
    basis = tangents(m)[obs.pair]
    distance = normal_std(geometry.noise, direction)[:, None]
    along = dot(geometry.n[:, None], basis) / distance
    longer = dot(covariance_product(geometry.noise, direction)[:, None], basis) / distance**2
    return np.asarray((along - e * longer)[:, None])
