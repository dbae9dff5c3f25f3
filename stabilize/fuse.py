"""Motion, and rotation from a gyroscope log where there is one -> CameraPath.

The picture gives each pair's whole field of motion. A log gives the part that rotation and rolling shutter explain. How
much of either is used is decided pair by pair. Then each field is split into a similarity, which the path solver works
on, and the wobble around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stabilize import spool
from stabilize.core import CameraPath, Float, Float16, Float32, Motion, PairStatus
from stabilize.fields.grid import node_positions, sample
from stabilize.fields.picture_motion import bridge_gaps, picture_motion
from stabilize.fields.rotation import CameraRotation
from stabilize.fields.smoothing import KERNEL_SIGMAS, gaussian_mean, in_frames
from stabilize.fields.wobble import LOCAL_UNITS_MAX, accumulate_wobble, limit_wobble, neighbourhoods
from stabilize.settings import FuseConfig

COVERAGE_FULL, COVERAGE_MIN = 0.35, 0.1  # share of the picture in support: full trust above, none below
TRUST_MIN = 1e-3  # of a bridged step: with more, squared penalties still bind the path to it
HALF_TRUST_RESIDUAL_UNITS = 0.003  # about a pixel of 640, at which trust in a pair is halved
RESIDUAL_SIGMA_S = 0.3  # of the mean over neighbours that replaces the residual of pairs with little support
FAINT_SIGMA_S = 0.035  # of the mean over faint pairs: noise differs from pair to pair, parallax hardly
RESIDUAL_UNITS_MAX = 0.05  # what is left after rotation is parallax of a translation, which is small
SCALE_MIN, SCALE_MAX, SHIFT_UNITS_MAX = 0.1, 10.0, 16.0  # of a step that a camera can make
SHUTTER_UNITS_MAX = 2.0  # more is no rolling shutter
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RotationFields:
    """What a gyroscope log says of n frames, on nodes spread edge to edge, in units."""

    displacement: Float32
    """(n-1, rows, cols, 2) of the nodes from frame to frame, by rotation alone and without rolling shutter."""
    shutter: Float32
    """(n, rows, cols, 2) displacement by rolling shutter, from rectified to real frames."""
    known: Mask
    """(n-1,) whether the log covers each pair."""
    level: Float | None = None
    """As in `CameraPath`."""
    camera: CameraRotation | None = None
    """The camera's rotation itself, for a path of rotations."""


def camera_path(motion: Motion, config: FuseConfig, rotation: RotationFields | None = None) -> CameraPath:
    """The camera path, from the picture alone or from picture and log."""
    measured = motion.measured
    wobble: Float16 = spool.zeros((len(motion.timeline), *motion.mesh.shape[1:]), np.float16)
    local = wobble[1:]  # first each pair's local motion, then, in the same array, the wobble of each frame
    step = _split(motion, rotation, local)
    valid = (measured if rotation is None else measured | rotation.known) & _is_plausible(step)
    step[~valid] = (1, 0, 0, 0)
    local[~valid] = 0
    sigma = in_frames(config.wobble_s, motion.timeline.interval_s)
    for shot in motion.shots:
        pairs = _pairs_of(shot)
        bridge_gaps(step[pairs], valid[pairs])
        accumulate_wobble(wobble[shot], sigma)
    limit_wobble(wobble, config.wobble_limit)
    if rotation is not None:
        for part in spool.chunks(len(wobble), wobble, rotation.shutter):
            wobble[part] += rotation.shutter[part].clip(-SHUTTER_UNITS_MAX, SHUTTER_UNITS_MAX).astype(np.float16)
    level = None if rotation is None else rotation.level
    weight = np.maximum(_trust(motion, rotation) * valid, TRUST_MIN) ** config.doubt
    return CameraPath(motion.timeline, motion.geometry, step, weight, wobble, tuple(motion.shots), level)


def _trust(motion: Motion, rotation: RotationFields | None) -> Float:
    """Trust in each pair (n-1,), 0 to 1, by its support and its residual; 1 where a log covers it."""
    accuracy = 1 / (1 + (motion.residual.astype(np.float64) / HALF_TRUST_RESIDUAL_UNITS) ** 2)
    trust = _support(motion) * accuracy
    return trust if rotation is None else np.where(rotation.known, 1.0, trust)


def _support(motion: Motion) -> Float:
    """Support of each pair (n-1,), 0 to 1, by the share of the picture that agrees with its motion; 0 if unmeasured."""
    support = ((motion.coverage - COVERAGE_MIN) / (COVERAGE_FULL - COVERAGE_MIN)).clip(0, 1) * motion.measured
    return support.astype(np.float64)


def _is_plausible(step: Float) -> Mask:
    """Which steps (m, 4) a camera can have made; a wrong mesh or log may contain any."""
    scale, shift = np.hypot(step[:, 0], step[:, 1]), np.hypot(step[:, 2], step[:, 3])
    return np.asarray((scale > SCALE_MIN) & (scale < SCALE_MAX) & (shift < SHIFT_UNITS_MAX))


def _pairs_of(shot: slice) -> slice:
    return slice(shot.start, max(shot.stop - 1, shot.start))


def _split(motion: Motion, rotation: RotationFields | None, local: Float16) -> Float:
    """Steps (m, 4): the similarity nearest to the whole field of each pair.

    Fills `local` (m, rows, cols, 2) with the rest of the field.
    """
    rows, cols = motion.mesh.shape[1:3]
    nodes = node_positions(rows, cols, motion.geometry.half_extent).reshape(-1, 2)
    p = nodes[:, 0] + 1j * nodes[:, 1]
    spread = np.sum(np.abs(p) ** 2)
    step = np.zeros((len(motion.mesh), 4))
    residual = None if rotation is None else _residual(motion, rotation, nodes)
    spooled = () if rotation is None or residual is None else (rotation.displacement, residual)
    for part in spool.chunks(len(step), motion.mesh, local, *spooled):
        field = picture_motion(motion, part, nodes)
        if rotation is not None and residual is not None:
            fused = nodes + (rotation.displacement[part] + residual[part]).reshape(-1, len(nodes), 2)
            field = np.where(rotation.known[part, None, None], fused, field)
        q = field[..., 0] + 1j * field[..., 1]
        w = q.mean(axis=1)  # the nodes are centred on the origin
        z = (q @ p.conj()) / spread
        rest = q - z[:, None] * p - w[:, None]
        step[part] = np.stack([z.real, z.imag, w.real, w.imag], axis=1)
        rest_xy = np.stack([rest.real, rest.imag], axis=-1).clip(-LOCAL_UNITS_MAX, LOCAL_UNITS_MAX)
        local[part] = rest_xy.reshape(-1, rows, cols, 2)
    return step


def _residual(motion: Motion, rotation: RotationFields, nodes: Float) -> Float32:
    """The picture's motion less that of rotation and shutter (m, rows, cols, 2), smoothed where support is low."""
    residual: Float32 = spool.zeros(motion.mesh.shape, np.float32)
    for part in spool.chunks(len(residual), residual, motion.mesh, rotation.displacement, rotation.shutter):
        shown = picture_motion(motion, part, nodes) - _rotation_motion(motion, rotation, part, nodes)
        residual[part] = shown.clip(-RESIDUAL_UNITS_MAX, RESIDUAL_UNITS_MAX).reshape(residual[part].shape)
    support, interval_s = _support(motion), motion.timeline.interval_s
    faint = motion.status == PairStatus.FAINT
    for shot in motion.shots:
        pairs = _pairs_of(shot)
        _fill_from_neighbours(residual[pairs], support[pairs], in_frames(RESIDUAL_SIGMA_S, interval_s))
        _smooth_faint(residual[pairs], faint[pairs], in_frames(FAINT_SIGMA_S, interval_s))
    return residual


def _fill_from_neighbours(residual: Float32, support: Float, sigma: float) -> None:
    """Replace, in place, the residual of pairs with little support by that of better neighbours, or by 0."""
    reach = int(KERNEL_SIGMAS * sigma) + 2
    weight = np.maximum(gaussian_mean(support, sigma), 0.05) if len(support) else support
    for part, inner, near in neighbourhoods(residual, reach):
        share = support[max(part.start - inner.start, 0) :][: len(near)].reshape(-1, 1, 1, 1)
        around = gaussian_mean(near * share, sigma)[inner] / weight[part].reshape(-1, 1, 1, 1)
        residual[part] += (1 - share[inner]) * (around - near[inner])


def _smooth_faint(residual: Float32, faint: Mask, sigma: float) -> None:
    """Average, in place, the residual of faint pairs with their neighbours'."""
    for part, inner, near in neighbourhoods(residual, int(KERNEL_SIGMAS * sigma) + 2):
        if faint[part].any():
            residual[part][faint[part]] = gaussian_mean(near.astype(np.float64), sigma)[inner][faint[part]]


def _rotation_motion(motion: Motion, rotation: RotationFields, part: slice, nodes: Float) -> Float:
    """Where the nodes (k, 2) of real frames are in the next one, by rotation and shutter alone: (m, k, 2)."""
    extent = motion.geometry.half_extent
    displacement, before = rotation.displacement[part], rotation.shutter[:-1][part]
    after = rotation.shutter[1:][part]
    start = np.broadcast_to(nodes, (len(displacement), *nodes.shape))
    rectified = start - sample(before, start - sample(before, start, extent), extent)
    arrived = rectified + sample(displacement, rectified, extent)
    return arrived + sample(after, arrived, extent)
