"""Motion -> CameraPath: bridge what could not be measured, and split each pair's motion into a similarity and the wobble around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stabilize.core import CameraPath, Float, Float32, Motion, PairStatus

ZOOM_SIGMA_S = 0.5


@dataclass(frozen=True, slots=True)
class FuseConfig:
    """`wobble_s`: local motion quicker than about this is taken out, slower is left (it is parallax, or the scene); 0 leaves all of it.
    `wobble_limit`: the most that a point may be moved by it, as a share of the half long side."""

    wobble_s: float = 0.3
    wobble_limit: float = 0.03

    def __post_init__(self) -> None:
        if not 0 <= self.wobble_s <= 5:
            raise ValueError(f"wobble_s must be between 0 and 5 seconds, not {self.wobble_s}")
        if not 0 <= self.wobble_limit <= 0.2:
            raise ValueError(f"wobble_limit must be between 0 and 0.2, not {self.wobble_limit}")


def camera_path(motion: Motion, config: FuseConfig) -> CameraPath:
    """The camera's path from the picture alone."""
    ok = motion.status == PairStatus.OK
    step, local = _split(motion)
    step[~ok] = 0
    step[~ok, 0] = 1
    local[~ok] = 0
    for shot in motion.shots:
        inner = slice(shot.start, max(shot.stop - 1, shot.start))
        _bridge(step[inner], ok[inner])
    wobble = _wobble(motion, step, local, config)
    return CameraPath(motion.timeline, motion.geometry, step, ok.astype(np.float64), wobble, tuple(motion.shots))


def _nodes(motion: Motion) -> Float:
    rows, cols = motion.mesh.shape[1:3]
    hx, hy = motion.geometry.half_extent
    y, x = np.meshgrid(np.linspace(-hy, hy, rows), np.linspace(-hx, hx, cols), indexing="ij")
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def _split(motion: Motion) -> tuple[Float, Float32]:
    """Steps (m, 4), the similarity nearest to the whole field of each pair, and what the field has beyond it (m, rows, cols, 2)."""
    nodes = _nodes(motion)
    p = nodes[:, 0] + 1j * nodes[:, 1]
    spread = np.sum(np.abs(p) ** 2)
    step = np.zeros((len(motion.mesh), 4))
    local = np.empty_like(motion.mesh)
    homogeneous = np.column_stack([nodes, np.ones(len(nodes))])
    for first in range(0, len(step), 4096):
        part = slice(first, first + 4096)
        image = homogeneous @ motion.H_next_prev[part].transpose(0, 2, 1)
        mesh = motion.mesh[part].reshape(-1, len(nodes), 2)
        q = image[..., 0] / image[..., 2] + mesh[..., 0] + 1j * (image[..., 1] / image[..., 2] + mesh[..., 1])
        w = q.mean(axis=1)  # the nodes are centred on the origin
        z = (q @ p.conj()) / spread
        rest = q - z[:, None] * p - w[:, None]
        step[part] = np.stack([z.real, z.imag, w.real, w.imag], axis=1)
        local[part] = np.stack([rest.real, rest.imag], axis=-1).reshape(-1, *local.shape[1:])
    return step, local


def _bridge(step: Float, ok: np.ndarray) -> None:  # type: ignore[type-arg]
    """Fill, in place, unmeasured steps of one shot by interpolation in time: the camera went on as it went."""
    if ok.all() or not ok.any():
        return
    at = np.arange(len(step))
    for column in range(4):
        step[~ok, column] = np.interp(at[~ok], at[ok], step[ok, column])


def _wobble(motion: Motion, step: Float, local: Float32, config: FuseConfig) -> Float32:
    """Quick part of each node's own path (MeshFlow's vertex profiles): (n, rows, cols, 2)."""
    frames = len(motion.timeline)
    wobble = np.zeros((frames, *motion.mesh.shape[1:]), np.float32)
    sigma = config.wobble_s / motion.timeline.interval_s
    if sigma <= 0:
        return wobble
    for shot in motion.shots:
        inner = slice(shot.start, max(shot.stop - 1, shot.start))
        profile = wobble[shot]
        np.cumsum(local[inner], axis=0, out=profile[1:])
        profile -= gaussian_filter1d(profile, sigma, axis=0, mode="nearest", truncate=3)
    _limit(wobble, config.wobble_limit)
    return wobble


def _limit(wobble: Float32, limit: float) -> None:
    """Scale back, in place, every frame in which a node would move too far: a frame as a whole, so that nothing folds."""
    if limit <= 0:
        wobble[:] = 0
        return
    largest = np.abs(wobble).max(axis=(1, 2, 3))
    wobble *= np.minimum(1, limit / np.maximum(largest, 1e-9)).astype(np.float32)[:, None, None, None]
