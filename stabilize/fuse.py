"""Motion, and rotation from a gyroscope where there is one -> CameraPath.

The picture gives each pair's whole field of motion; a gyroscope gives the part of it that rotation and rolling shutter
explain. What is taken from where is decided pair by pair. Then each field is split into the similarity that the path
solver works on and the wobble around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stabilize import spool
from stabilize.core import CameraPath, Float, Float16, Float32, Motion, PairStatus
from stabilize.fields.grid import node_positions, sample
from stabilize.fields.rotation import CameraRotation
from stabilize.fields.smoothing import TRUNCATE, gaussian_mean, in_frames
from stabilize.settings import FuseConfig

SURE, UNSURE = 0.35, 0.1  # share of the picture in support: above, its residual is believed as it is; below, not at all
LEAST_BELIEF = 0.05  # in a bridged step: a path that nothing binds may jump
DOUBTFUL_RESIDUAL = 0.003  # units, a pixel of 640: there a pair is believed by half
RESIDUAL_S = 0.3  # over which the residual of doubtful pairs is taken from their neighbours
FAINT_S = 0.035  # over which it is averaged where it is rough: noise differs from pair to pair, parallax hardly
RESIDUAL_LIMIT = 0.05  # units: what is left after rotation is a shift by translation, and that is small
SCALES, FARTHEST = (0.1, 10.0), 16.0  # of a step that a camera can have made; units of its shift
SHUTTER_LIMIT = 2.0  # units: more is no rolling shutter
LOCAL_LIMIT = 20.0  # units: what is near it is scaled back anyway, and 16 bits hold its sum over the longest window
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RotationFields:
    """What a gyroscope says of n frames, on nodes spread edge to edge, in units.

    `turned` (n-1, rows, cols, 2): displacement of the nodes from frame to frame by rotation alone, in pictures without
    rolling shutter.
    `shutter` (n, rows, cols, 2): where a point of such a picture is found in the real one, less the point. `known`
    (n-1,): whether the log covers the pair. `level`: as in `CameraPath`.
    """

    turned: Float32
    shutter: Float32
    known: Mask
    level: Float | None = None
    camera: CameraRotation | None = None
    """How the camera itself turned, for a path of rotations."""


def camera_path(motion: Motion, config: FuseConfig, rotation: RotationFields | None = None) -> CameraPath:
    """The camera's path, from the picture alone or from both."""
    measured = motion.measured
    wobble: Float16 = spool.zeros((len(motion.timeline), *motion.mesh.shape[1:]), np.float16)
    local = wobble[1:]  # first each pair's local motion, then, in its place, what has to be taken out of each frame
    step = _split(motion, rotation, local)
    sure = (measured if rotation is None else measured | rotation.known) & _likely(step)
    step[~sure] = (1, 0, 0, 0)
    local[~sure] = 0
    sigma = in_frames(config.wobble_s, motion.timeline.interval_s)
    for shot in motion.shots:
        inner = _pairs_of(shot)
        _bridge(step[inner], sure[inner])
        _accumulate(wobble[shot], sigma)
    _limit(wobble, config.wobble_limit)
    if rotation is not None:
        for part in spool.chunks(len(wobble), wobble, rotation.shutter):
            wobble[part] += rotation.shutter[part].clip(-SHUTTER_LIMIT, SHUTTER_LIMIT).astype(np.float16)
    level = None if rotation is None else rotation.level
    weight = 1 - config.doubt * (1 - np.maximum(_belief(motion, rotation) * sure, LEAST_BELIEF))
    return CameraPath(motion.timeline, motion.geometry, step, weight, wobble, tuple(motion.shots), level)


def _belief(motion: Motion, rotation: RotationFields | None) -> Float:
    """How far each pair's evidence goes (n-1,), 0 to 1: by its support and its residual. A log's word is taken."""
    sharp = 1 / (1 + (motion.residual.astype(np.float64) / DOUBTFUL_RESIDUAL) ** 2)
    belief = _support(motion) * sharp
    return belief if rotation is None else np.where(rotation.known, 1.0, belief)


def _support(motion: Motion) -> Float:
    """Of each pair (n-1,), 0 to 1, by the share of the picture that agrees with its motion; 0 where unmeasured."""
    support = ((motion.coverage - UNSURE) / (SURE - UNSURE)).clip(0, 1) * motion.measured
    return support.astype(np.float64)


def _likely(step: Float) -> Mask:
    """Which steps (m, 4) a camera can have made; a mesh or a log that is wrong says anything."""
    scale, shift = np.hypot(step[:, 0], step[:, 1]), np.hypot(step[:, 2], step[:, 3])
    return np.asarray((scale > SCALES[0]) & (scale < SCALES[1]) & (shift < FARTHEST))


def _pairs_of(shot: slice) -> slice:
    return slice(shot.start, max(shot.stop - 1, shot.start))


def _split(motion: Motion, rotation: RotationFields | None, local: Float16) -> Float:
    """Steps (m, 4), the similarity nearest to the whole field of each pair; fills `local` (m, rows, cols, 2), what
    it has beyond.
    """
    rows, cols = motion.mesh.shape[1:3]
    nodes = node_positions(rows, cols, motion.geometry.half_extent).reshape(-1, 2)
    p = nodes[:, 0] + 1j * nodes[:, 1]
    spread = np.sum(np.abs(p) ** 2)
    step = np.zeros((len(motion.mesh), 4))
    residual = None if rotation is None else _residual(motion, rotation, nodes)
    taken = () if rotation is None or residual is None else (rotation.turned, residual)
    for part in spool.chunks(len(step), motion.mesh, local, *taken):
        field = _seen(motion, part, nodes)
        if rotation is not None and residual is not None:
            both = nodes + (rotation.turned[part] + residual[part]).reshape(-1, len(nodes), 2)
            field = np.where(rotation.known[part, None, None], both, field)
        q = field[..., 0] + 1j * field[..., 1]
        w = q.mean(axis=1)  # the nodes are centred on the origin
        z = (q @ p.conj()) / spread
        rest = q - z[:, None] * p - w[:, None]
        step[part] = np.stack([z.real, z.imag, w.real, w.imag], axis=1)
        beyond = np.stack([rest.real, rest.imag], axis=-1).clip(-LOCAL_LIMIT, LOCAL_LIMIT)
        local[part] = beyond.reshape(-1, rows, cols, 2)
    return step


def _seen(motion: Motion, part: slice, nodes: Float) -> Float:
    """Where the picture's motion takes the nodes (k, 2) of some pairs: (m, k, 2)."""
    image = np.column_stack([nodes, np.ones(len(nodes))]) @ motion.H_next_prev[part].transpose(0, 2, 1)
    return np.asarray(image[..., :2] / image[..., 2:] + motion.mesh[part].reshape(-1, len(nodes), 2))


def _residual(motion: Motion, rotation: RotationFields, nodes: Float) -> Float32:
    """What the picture shows beyond rotation and shutter (m, rows, cols, 2), as far as each pair's evidence goes."""
    residual: Float32 = spool.zeros(motion.mesh.shape, np.float32)
    for part in spool.chunks(len(residual), residual, motion.mesh, rotation.turned, rotation.shutter):
        found = _seen(motion, part, nodes) - _predicted(motion, rotation, part, nodes)
        residual[part] = found.clip(-RESIDUAL_LIMIT, RESIDUAL_LIMIT).reshape(residual[part].shape)
    trust, interval_s = _support(motion), motion.timeline.interval_s
    faint = motion.status == PairStatus.FAINT
    for shot in motion.shots:
        pairs = _pairs_of(shot)
        _calm(residual[pairs], trust[pairs], in_frames(RESIDUAL_S, interval_s))
        _even(residual[pairs], faint[pairs], in_frames(FAINT_S, interval_s))
    return residual


def _calm(residual: Float32, trust: Float, sigma: float) -> None:
    """Replace, in place, the residual of doubtful pairs by that of surer neighbours; of none by nothing."""
    reach = int(TRUNCATE * sigma) + 2
    weight = np.maximum(gaussian_mean(trust, sigma), 0.05) if len(trust) else trust
    for part, own, near in _neighbourhoods(residual, reach):
        share = trust[max(part.start - own.start, 0) :][: len(near)].reshape(-1, 1, 1, 1)
        around = gaussian_mean(near * share, sigma)[own] / weight[part].reshape(-1, 1, 1, 1)
        residual[part] += (1 - share[own]) * (around - near[own])


def _even(residual: Float32, faint: Mask, sigma: float) -> None:
    """Average, in place, the residual of faint pairs with their neighbours'."""
    for part, own, near in _neighbourhoods(residual, int(TRUNCATE * sigma) + 2):
        if faint[part].any():
            residual[part][faint[part]] = gaussian_mean(near.astype(np.float64), sigma)[own][faint[part]]


def _neighbourhoods(fields: Float32 | Float16, reach: int) -> Iterator[tuple[slice, slice, Float32 | Float16]]:
    """Parts of an array, one after the other, that may be changed: where each lies in it, where in its neighbourhood,
    and the neighbourhood, `reach` further on both sides and as it was before any change.
    """
    before = fields[:0].copy()
    size = max(spool.CHUNK_FRAMES, reach)
    for part in spool.chunks(len(fields), fields, size=size):
        near = np.concatenate([before, fields[part.start : part.stop + reach]])
        own = slice(len(before), len(before) + part.stop - part.start)
        before = fields[max(part.stop - reach, part.start) : part.stop].copy()
        yield part, own, near


def _predicted(motion: Motion, rotation: RotationFields, part: slice, nodes: Float) -> Float:
    """Where rotation and shutter alone would take the nodes (k, 2) of real pictures: (m, k, 2)."""
    extent = motion.geometry.half_extent
    turned, before = rotation.turned[part], rotation.shutter[:-1][part]
    after = rotation.shutter[1:][part]
    start = np.broadcast_to(nodes, (len(turned), *nodes.shape))
    rectified = start - sample(before, start - sample(before, start, extent), extent)
    arrived = rectified + sample(turned, rectified, extent)
    return arrived + sample(after, arrived, extent)


def _bridge(step: Float, ok: Mask) -> None:
    """Fill, in place, unmeasured steps of one shot by interpolation in time: the camera went on as it went."""
    if ok.all() or not ok.any():
        return
    at = np.arange(len(step))
    for column in range(4):
        step[~ok, column] = np.interp(at[~ok], at[ok], step[ok, column])


def _accumulate(wobble: Float16, sigma: float) -> None:
    """Turn, in place, one shot's local motion of each pair (in the later frame) into the quick part of each node's own
    path.

    These are MeshFlow's vertex profiles (Liu et al. 2016), less their Gaussian mean over `sigma` frames. That depends
    on the neighbourhood alone, so a long shot is done in chunks that overlap.
    """
    if sigma <= 0:
        wobble[:] = 0
        return
    wobble[0] = 0
    for part, own, local in _neighbourhoods(wobble, int(TRUNCATE * sigma) + 2):
        profile = np.cumsum(local, axis=0, dtype=np.float64)
        profile -= gaussian_mean(profile, sigma)
        wobble[part] = profile[own]


def _limit(wobble: Float16, limit: float) -> None:
    """Scale back, in place, every frame in which a node would move too far: a frame as a whole, so that nothing
    folds.
    """
    if limit <= 0:
        wobble[:] = 0
        return
    for part in spool.chunks(len(wobble), wobble):
        largest = np.abs(wobble[part]).max(axis=(1, 2, 3)).astype(np.float64)
        wobble[part] *= np.minimum(1, limit / np.maximum(largest, 1e-9)).astype(np.float16)[:, None, None, None]
