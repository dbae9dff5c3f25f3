"""How rotation and rolling shutter move the points of each frame (`fuse.RotationFields`), from a synchronised log."""

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
from stabilize.gyroscope.lens import UnitFrameLens
from stabilize.gyroscope.match import SyncedGyro

UP_MIN = 0.3  # length of the vertical unit vector within the image plane: looking straight down there is no horizon
CHUNK_FRAMES = 512  # whose rays are in memory at once
READOUT_MIN_S = 1e-5  # below it there is no rolling shutter
SHUTTER_ITERATIONS = 3


def rotation_fields(motion: Motion, gyro: SyncedGyro) -> RotationFields:
    """The fields of all frames and pairs of a motion. Time 0 is its first frame."""
    time_s, frames, shape = motion.timeline.time_s, len(motion.timeline), motion.mesh_shape
    shutter = spool.zeros((frames, *shape, 2), np.float32)
    rotation = spool.zeros((max(frames - 1, 0), *shape, 2), np.float32)
    nodes = node_positions(*shape, motion.geometry.half_extent).reshape(-1, 2)
    rays = _rays(gyro.lens, nodes, motion.geometry)
    for part in spool.chunks(frames, shutter, rotation, size=CHUNK_FRAMES):
        shutter[part] = _shutter_field(gyro, time_s[part], nodes, rays, motion.geometry).reshape(-1, *shape, 2)
        field = _rotation_field(gyro, time_s[part.start : part.stop + 1], nodes, rays, motion.geometry)
        rotation[part.start : part.start + len(field)] = field.reshape(-1, *shape, 2)
    known = gyro.track.covers(time_s[:-1]) & gyro.track.covers(time_s[1:])
    shutter_known = _zero_non_finite(shutter)
    known &= _zero_non_finite(rotation) & shutter_known[:-1] & shutter_known[1:]
    return RotationFields(rotation, shutter, known, _level_roll(gyro.track, time_s), camera_rotation(motion, gyro))


def camera_rotation(motion: Motion, gyro: SyncedGyro) -> CameraRotation:
    """Rotation of the camera in every frame of a motion, per band of lines."""
    time_s, geometry = motion.timeline.time_s, motion.geometry
    line_turn, shift = (spool.zeros((len(time_s), BANDS, size), np.float64) for size in (3, 2))
    for part in spool.chunks(len(time_s), line_turn, shift, size=CHUNK_FRAMES):
        line_time_s = _line_times(gyro, time_s[part])
        line_turn[part] = _line_rotvecs(gyro, time_s[part])
        shift_units = _shift_units(gyro, line_time_s.ravel(), geometry).reshape(*line_time_s.shape, 2)
        shift[part] = shift_units.clip(-LENS_SHIFT_UNITS_MAX, LENS_SHIFT_UNITS_MAX)
    return CameraRotation(
        orientation=gyro.track.evaluate(time_s).as_rotvec(),
        line_turn=line_turn,
        line_shift=shift,
        by_columns=gyro.sync.readout_axis == "columns",
        known=gyro.track.covers(time_s),
        gravity=gyro.track.gravity,
        half_extent=geometry.half_extent,
        lens=UnitFrameLens(gyro.lens, geometry.half_long_px),
    )


def _rotation_field(gyro: SyncedGyro, time_s: Float, nodes: Float, rays: Float, geometry: FrameGeometry) -> Float:
    """Displacement (n-1, k, 2) of the nodes between the frames at n times, without rolling shutter."""
    R = gyro.track.evaluate(time_s)
    R_next_prev = (R[1:].inv() * R[:-1]).as_matrix()
    next_rays = np.einsum("nij,kj->nki", R_next_prev, rays)
    shift = np.diff(_shift_units(gyro, time_s, geometry), axis=0)[:, None]
    return np.asarray(_project_units(gyro.lens, next_rays, geometry) - nodes + shift)


def _zero_non_finite(fields: Float32) -> NDArray[np.bool_]:
    """Set values that are not finite to zero, in place. Returns which fields (n,) had none."""
    finite = np.ones(len(fields), bool)
    for part in spool.chunks(len(fields), fields):
        finite[part] = np.isfinite(fields[part]).all(axis=(1, 2, 3))
        np.nan_to_num(fields[part], copy=False, posinf=0.0, neginf=0.0)
    return finite


def _level_roll(track: OrientationTrack, time_s: Float) -> Float | None:
    """Roll (n,) that makes each frame upright, NaN where the log does not cover it; None without gravity.

    Relative to the nearest quarter turn of how the camera was held, because portrait videos are rotated by the player.
    """
    if not track.gravity:
        return None
    up = track.evaluate(time_s).inv().apply([0.0, 0.0, 1.0])
    known = track.covers(time_s) & (np.hypot(up[:, 0], up[:, 1]) > UP_MIN)
    if not known.any():
        return None
    tilt = np.where(known, -up[:, 1] + 1j * up[:, 0], np.nan)
    quarter_turns = np.round(np.angle(np.nanmean(tilt)) / (np.pi / 2))
    return np.asarray(np.angle(tilt * np.exp(-0.5j * np.pi * quarter_turns)))


def _rays(lens: Lens, points: Float, geometry: FrameGeometry) -> Float:
    half = geometry.half_long_px
    return unproject(lens, points * half + np.array([(lens.width - 1) / 2, (lens.height - 1) / 2]))


def _project_units(lens: Lens, rays: Float, geometry: FrameGeometry) -> Float:
    centre_px = np.array([(lens.width - 1) / 2, (lens.height - 1) / 2])
    return np.asarray((project(lens, rays) - centre_px) / geometry.half_long_px)


def _shift_units(gyro: SyncedGyro, time_s: Float, geometry: FrameGeometry) -> Float:
    """Lens shift (n, 2) in units at video times.

    It is added to projected points, as if each point still belonged to the same ray. The error, the shift times the
    change of the field over it, is one or two hundredths of a pixel.
    """
    if gyro.shift is None:
        return np.zeros((len(time_s), 2))
    return gyro.shift.at(time_s) / geometry.half_long_px


def _shutter_field(gyro: SyncedGyro, time_s: Float, nodes: Float, rays: Float, geometry: FrameGeometry) -> Float:
    """Displacement (n, k, 2) of points from a global-shutter frame to the filmed rolling-shutter frame.

    A point is exposed with its line, and its line depends on its displaced position: solved by fixed-point iteration.
    """
    if abs(gyro.sync.readout_s) < READOUT_MIN_S:
        return np.zeros((len(time_s), *nodes.shape))
    line_turn, line_shift = _line_rotvecs(gyro, time_s), _line_shifts(gyro, time_s, geometry)
    axis, extent = (0, geometry.half_extent[0]) if gyro.sync.readout_axis == "columns" else (1, geometry.half_extent[1])
    position = np.broadcast_to(nodes, (len(time_s), *nodes.shape))
    frame = np.arange(len(time_s))[:, None]
    for _ in range(SHUTTER_ITERATIONS):
        line = np.clip((position[..., axis] / extent + 1) / 2 * (BANDS - 1), 0, BANDS - 1)
        band = np.minimum(line.astype(np.intp), BANDS - 2)
        share = (line - band)[..., None]
        rotvec = line_turn[frame, band] * (1 - share) + line_turn[frame, band + 1] * share
        shift = line_shift[frame, band] * (1 - share) + line_shift[frame, band + 1] * share
        position = _project_units(gyro.lens, _rotate(rotvec, rays), geometry) + shift
    return np.asarray(position - nodes)


def _line_rotvecs(gyro: SyncedGyro, time_s: Float) -> Float:
    """Rotation vectors (n, BANDS, 3) of R_line_middle, from the frame's middle line to each band."""
    R_middle = gyro.track.evaluate(np.repeat(time_s, BANDS))
    R_line_middle: Rotation = gyro.track.evaluate(_line_times(gyro, time_s).ravel()).inv() * R_middle
    return R_line_middle.as_rotvec().reshape(len(time_s), BANDS, 3)


def _line_shifts(gyro: SyncedGyro, time_s: Float, geometry: FrameGeometry) -> Float:
    """Lens shift (n, BANDS, 2) of each band relative to the frame's middle line, in units."""
    shift = _shift_units(gyro, _line_times(gyro, time_s).ravel(), geometry).reshape(len(time_s), BANDS, 2)
    return shift - _shift_units(gyro, time_s, geometry)[:, None]


def _line_times(gyro: SyncedGyro, time_s: Float) -> Float:
    """Exposure time (n, BANDS) of each band of each frame."""
    return time_s[:, None] + gyro.sync.readout_s * (np.linspace(0, 1, BANDS) - 0.5)


def _rotate(rotvec: Float, rays: Float) -> Float:
    """Rotate rays (k, 3) by small rotation vectors (n, k, 3), to second order (Rodrigues); (n, k, 3)."""
    first_order = np.cross(rotvec, rays)
    return np.asarray(rays + first_order + np.cross(rotvec, first_order) / 2)
