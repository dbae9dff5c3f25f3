"""What is left of each match under a camera: by rotation alone, beside a translation, or beside a shift of the lens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gyro.log import Float, GyroLog

from .integrate import OrientationTrack
from .model import INDEX, Camera, Normals, Observations, look, normal_derivatives, normals
from .translation import (
    across_noise,
    directions,
    loss_weight,
    noise_along,
    spread_out,
    sum_pairs,
    swings,
    tangents,
)
from .vectors import cross, dot

POLISH = 2
MOST_STEP = 0.3  # radians: how far one step may turn a direction

# What a pair may do besides turning: nothing; move in one direction past a scene; shift as a whole, as a moving lens
# makes it.
Kind = Literal["turns", "moves", "shifts"]


@dataclass(frozen=True, slots=True)
class Point:
    """The problem at one camera, with what is free in each pair at its best.

    `e` (k, r) residuals in pixels; `m` (pairs, 3) directions and `course` (k, 3) that of each match, where it moves;
    `shift` (pairs, 2) in pixels, where it shifts. `track` is for derivatives.
    """

    kind: Kind
    camera: Camera
    at: Normals
    track: OrientationTrack
    e: Float
    m: Float | None = None
    course: Float | None = None
    shift: Float | None = None


def evaluate(seen: Observations, log: GyroLog, camera: Camera, kind: Kind, near: Point | None = None) -> Point:
    """The residuals under a camera; what is free in each pair starts from `near`, where given."""
    at, track = normals(seen, log, camera)
    whole = residual_px(at, None)
    sigma = noise_px(whole if near is None else near.e)
    if kind == "turns":
        return Point(kind, camera, at, track, whole)
    if kind == "shifts":
        shift = _shifts(seen, whole, sigma, None if near is None else near.shift)
        return Point(kind, camera, at, track, whole - shift[seen.pair], shift=shift)
    m = directions(at.n, at.noise, seen.pair, seen.pairs, sigma_px=sigma, start=None if near is None else near.m)
    swing = swings(m, seen.neighbours)
    when = seen.line.mean(axis=0) @ camera.readout_s / seen.interval_s
    for _ in range(POLISH):
        m = _polish(seen, at, m, spread_out(m, swing, seen.pair, when), sigma)
    course = spread_out(m, swing, seen.pair, when)
    return Point(kind, camera, at, track, residual_px(at, course), m, course)


def _shifts(seen: Observations, whole: Float, sigma: float, start: Float | None) -> Float:
    """The shift (pairs, 2) that most matches of each pair share: a robust mean, from the median where nothing is
    known."""
    if start is None:
        edges = np.searchsorted(seen.pair, np.arange(1, seen.pairs))
        start = np.array([np.median(part, axis=0) for part in np.split(whole, edges)])
    shift = start
    for _ in range(5):
        weight = loss_weight(np.sum((whole - shift[seen.pair]) ** 2, axis=1), sigma)[:, None]
        total = np.maximum(sum_pairs(weight, seen.pair, seen.pairs), 1e-9)
        shift = sum_pairs(weight * whole, seen.pair, seen.pairs) / total
    return np.asarray(shift)


def _polish(seen: Observations, at: Normals, m: Float, course: Float, sigma: float) -> Float:
    """One Gauss-Newton step of the directions towards the very cost that the solver minimises."""
    e = residual_px(at, course)
    T = _direction_jacobian(seen, at, m, course, e)
    weight = loss_weight(e[:, 0] ** 2, sigma)[:, None]
    C = sum_pairs(weight[:, :, None] * T * np.swapaxes(T, 1, 2), seen.pair, seen.pairs)
    h = sum_pairs(weight * e * T[:, 0], seen.pair, seen.pairs)
    C += (0.01 * np.trace(C, axis1=1, axis2=2) + 1e-12)[:, None, None] * np.eye(2)
    step = np.linalg.solve(C, h[..., None])[..., 0]
    step *= np.minimum(1, MOST_STEP / np.maximum(np.linalg.norm(step, axis=1), 1e-12))[:, None]
    moved = m - np.einsum("ki,kij->kj", step, tangents(m))
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))


def residual_px(at: Normals, m: Float | None) -> Float:
    """With m (k, 3): distance from the epipolar plane in units of what a pixel does to it (Sampson), (k, 1). Without:
    the whole displacement in the next picture that rotation leaves, (k, 2)."""
    if m is not None:
        return np.asarray(dot(at.n, m) / noise_along(at.noise, m))[:, None]
    return dot(_px_per_normal(at), at.n[:, None])


def _px_per_normal(at: Normals) -> Float:
    """Pixels (k, 2, 3) of the displacement that a normal stands for: the dual basis of `noise` within the plane across
    the ray."""
    x, y, ray = at.noise[0], at.noise[1], at.rays[0]
    volume = dot(cross(x, y), ray)[:, None]
    return np.asarray(np.stack([cross(y, ray), cross(ray, x)], axis=1) / volume[:, None])


def noise_px(e: Float) -> float:
    """Robust standard deviation of one component: from the median of |e| (one component) or of a length (two)."""
    median = float(np.median(np.linalg.norm(e, axis=1)))
    return max(median * (1.4826 if e.shape[1] == 1 else 0.8493), 1e-6)


def jacobian(seen: Observations, point: Point) -> Float:
    """d e / d parameters, (k, r, 12). The lens changes what a pixel is worth as well, or else a longer focal length
    would shrink noise: there the whole residual is differenced."""
    at, m = point.at, point.course
    along = _px_per_normal(at) if m is None else (m / noise_along(at.noise, m)[:, None])[:, None]
    J = normal_derivatives(seen, point.camera, at, point.track, along)
    whole = point.e if point.shift is None else point.e + point.shift[seen.pair]
    h = 1e-4
    for name, step in (("log_focal", (h, 0.0)), ("k1", (0.0, h))):
        bent = look(seen, at.R_world_cam, point.camera.log_focal + step[0], point.camera.k1 + step[1])
        J[:, :, INDEX[name]] = (residual_px(bent, m) - whole) / h
    return np.asarray(J)


def free_jacobian(seen: Observations, point: Point) -> Float | None:
    """d e / d (the two numbers that are free in each pair), (k, r, 2): tangents of m, or the shift."""
    if point.shift is not None:
        return np.broadcast_to(-np.eye(2), (len(point.e), 2, 2))
    if point.m is None or point.course is None:
        return None
    return _direction_jacobian(seen, point.at, point.m, point.course, point.e)


def _direction_jacobian(seen: Observations, at: Normals, m: Float, course: Float, e: Float) -> Float:
    """d e / d (two tangents of m), (k, 1, 2)."""
    basis = tangents(m)[seen.pair]
    distance = noise_along(at.noise, course)[:, None]
    along = dot(at.n[:, None], basis) / distance
    longer = dot(across_noise(at.noise, course)[:, None], basis) / distance**2
    return np.asarray((along - e * longer)[:, None])
