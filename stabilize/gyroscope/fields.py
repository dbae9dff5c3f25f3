"""What rotation and rolling shutter do to each frame (`fuse.RotationFields`), by a gyroscope that is synchronised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from gyro.estimate import OrientationTrack
from gyro.lens import Lens, project, unproject
from stabilize import spool
from stabilize.core import Float, Float32, FrameGeometry, Motion
from stabilize.fields.grid import node_positions
from stabilize.fields.rotation import BANDS, LENS_SHIFT_UNITS_MAX, CameraRotation
from stabilize.fuse import RotationFields
from stabilize.gyroscope.lens import PictureLens
from stabilize.gyroscope.match import SyncedGyro

UP_MIN = 0.3  # of the vertical that must lie in the picture: looking straight down there is no horizon
CHUNK_FRAMES = 512  # whose rays are in memory at once


def rotation_fields(motion: Motion, gyro: SyncedGyro) -> RotationFields:
    """The fields of every frame and pair of a motion; its first frame is time 0."""
    time_s, frames, shape = motion.timeline.time_s, len(motion.timeline), motion.mesh_shape
    shutter = spool.zeros((frames, *shape, 2), np.float32)
    turned = spool.zeros((max(frames - 1, 0), *shape, 2), np.float32)
    nodes = node_positions(*shape, motion.geometry.half_extent).reshape(-1, 2)
    rays = _rays(gyro.lens, nodes, motion.geometry)
    for part in spool.chunks(frames, shutter, turned, size=CHUNK_FRAMES):
        shutter[part] = _shutter(gyro, time_s[part], nodes, rays, motion.geometry).reshape(-1, *shape, 2)
        moved = _turned(gyro, time_s[part.start : part.stop + 1], nodes, rays, motion.geometry)
        turned[part.start : part.start + len(moved)] = moved.reshape(-1, *shape, 2)
    known = gyro.track.covers(time_s[:-1]) & gyro.track.covers(time_s[1:])
    seen = _without_nan(shutter)
    known &= _without_nan(turned) & seen[:-1] & seen[1:]
    return RotationFields(turned, shutter, known, _level(gyro.track, time_s), camera_rotation(motion, gyro))


def camera_rotation(motion: Motion, gyro: SyncedGyro) -> CameraRotation:
    """How the camera turned in every frame of a motion, line by line."""
    time_s, geometry = motion.timeline.time_s, motion.geometry
    turn, shift = (spool.zeros((len(time_s), BANDS, size), np.float64) for size in (3, 2))
    for part in spool.chunks(len(time_s), turn, shift, size=CHUNK_FRAMES):
        lines = _line_times(gyro, time_s[part])
        turn[part] = _turns(gyro, time_s[part])
        moved = _shift_units(gyro, lines.ravel(), geometry).reshape(*lines.shape, 2)
        shift[part] = moved.clip(-LENS_SHIFT_UNITS_MAX, LENS_SHIFT_UNITS_MAX)
    return CameraRotation(
        orientation=gyro.track.evaluate(time_s).as_rotvec(),
        line_turn=turn,
        line_shift=shift,
        by_columns=gyro.sync.readout_axis == "columns",
        known=gyro.track.covers(time_s),
        gravity=gyro.track.gravity,
        half_extent=geometry.half_extent,
        lens=PictureLens(gyro.lens, geometry.half_long_px),
    )


def _turned(gyro: SyncedGyro, time_s: Float, nodes: Float, rays: Float, geometry: FrameGeometry) -> Float:
    """Displacement (n-1, k, 2) of the nodes from frame to frame of n times, without rolling shutter."""
    R = gyro.track.evaluate(time_s)
    relative = (R[1:].inv() * R[:-1]).as_matrix()  # R_next_prev
    moved = np.einsum("nij,kj->nki", relative, rays)
    shifted = np.diff(_shift_units(gyro, time_s, geometry), axis=0)[:, None]
    return np.asarray(_units(gyro.lens, moved, geometry) - nodes + shifted)


def _without_nan(fields: Float32) -> NDArray[np.bool_]:
    """Which fields (n,) are finite throughout; what is not is set to zero, in place."""
    whole = np.ones(len(fields), bool)
    for part in spool.chunks(len(fields), fields):
        whole[part] = np.isfinite(fields[part]).all(axis=(1, 2, 3))
        np.nan_to_num(fields[part], copy=False, posinf=0.0, neginf=0.0)
    return whole


def _level(track: OrientationTrack, time_s: Float) -> Float | None:
    """Roll (n,) at which each frame is upright, NaN where the log does not say; None where it knows no gravity.

    Counted from the quarter turn nearest to how the camera was held: players turn a picture, or its maker meant it so.
    """
    if not track.gravity:
        return None
    up = track.evaluate(time_s).inv().apply([0.0, 0.0, 1.0])
    seen = track.covers(time_s) & (np.hypot(up[:, 0], up[:, 1]) > UP_MIN)
    if not seen.any():
        return None
    lean = np.where(seen, -up[:, 1] + 1j * up[:, 0], np.nan)
    quarter_turns = np.round(np.angle(np.nanmean(lean)) / (np.pi / 2))
    return np.asarray(np.angle(lean * np.exp(-0.5j * np.pi * quarter_turns)))


def _rays(lens: Lens, points: Float, geometry: FrameGeometry) -> Float:
    half = geometry.half_long_px
    return unproject(lens, points * half + np.array([(lens.width - 1) / 2, (lens.height - 1) / 2]))


def _units(lens: Lens, rays: Float, geometry: FrameGeometry) -> Float:
    middle = np.array([(lens.width - 1) / 2, (lens.height - 1) / 2])
    return np.asarray((project(lens, rays) - middle) / geometry.half_long_px)


def _shift_units(gyro: SyncedGyro, time_s: Float, geometry: FrameGeometry) -> Float:
    """Lens shift (n, 2) in units at video times. It is added to where a ray falls, as if it did not change which ray
    that is: the error is the shift times what the field differs over it, a hundredth of a pixel or two.
    """
    if gyro.shift is None:
        return np.zeros((len(time_s), 2))
    return gyro.shift.at(time_s) / geometry.half_long_px


def _shutter(gyro: SyncedGyro, time_s: Float, nodes: Float, rays: Float, geometry: FrameGeometry) -> Float:
    """Where points of pictures taken in one instant are found in the real ones, less the points: (n, k, 2).

    A point is exposed when its own line is; which line that is depends on where it falls, so its place is found by
    iteration.
    """
    if abs(gyro.sync.readout_s) < 1e-5:
        return np.zeros((len(time_s), *nodes.shape))
    turn, within = _turns(gyro, time_s), _shift_within(gyro, time_s, geometry)
    axis, extent = (0, geometry.half_extent[0]) if gyro.sync.readout_axis == "columns" else (1, geometry.half_extent[1])
    place = np.broadcast_to(nodes, (len(time_s), *nodes.shape))
    for _ in range(3):
        line = np.clip((place[..., axis] / extent + 1) / 2 * (BANDS - 1), 0, BANDS - 1)
        left = np.minimum(line.astype(np.intp), BANDS - 2)
        share = (line - left)[..., None]
        at = np.arange(len(time_s))[:, None]
        rotvec = turn[at, left] * (1 - share) + turn[at, left + 1] * share
        shifted = within[at, left] * (1 - share) + within[at, left + 1] * share
        place = _units(gyro.lens, _rotated(rotvec, rays), geometry) + shifted
    return np.asarray(place - nodes)


def _turns(gyro: SyncedGyro, time_s: Float) -> Float:
    """Rotation vectors (n, BANDS, 3), line from middle: R_line_middle of every band of every frame."""
    middle = gyro.track.evaluate(np.repeat(time_s, BANDS))
    vectors: Rotation = gyro.track.evaluate(_line_times(gyro, time_s).ravel()).inv() * middle
    return vectors.as_rotvec().reshape(len(time_s), BANDS, 3)


def _shift_within(gyro: SyncedGyro, time_s: Float, geometry: FrameGeometry) -> Float:
    """Lens shift (n, BANDS, 2) of every band of every frame, less that of the frame's middle, in units."""
    lines = _shift_units(gyro, _line_times(gyro, time_s).ravel(), geometry).reshape(len(time_s), BANDS, 2)
    return lines - _shift_units(gyro, time_s, geometry)[:, None]


def _line_times(gyro: SyncedGyro, time_s: Float) -> Float:
    """When each band of each frame was exposed (n, BANDS)."""
    return time_s[:, None] + gyro.sync.readout_s * (np.linspace(0, 1, BANDS) - 0.5)


def _rotated(rotvec: Float, rays: Float) -> Float:
    """Rays (k, 3) by small rotation vectors (n, k, 3), to second order (Rodrigues): (n, k, 3)."""
    once = np.cross(rotvec, rays)
    return np.asarray(rays + once + np.cross(rotvec, once) / 2)
