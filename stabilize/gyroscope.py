"""A gyroscope's log and a video -> what rotation and rolling shutter do to each frame (`fuse.RotationFields`)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from gyro.estimate import (
    OrientationTrack,
    SyncResult,
    SyncSettings,
    camera_orientation,
    self_calibrated_lens,
    synchronize,
    track_video,
)
from gyro.lens import Lens, load_lens, project, resized, unproject
from gyro.log import GyroLog
from gyro.readers import ReadOptions, embedded_log, find_log, read_log
from stabilize.camera.grid import node_positions
from stabilize.core import Float, FrameGeometry, Motion
from stabilize.fuse import RotationFields
from stabilize.gyro_settings import GyroConfig
from stabilize.motion.mesh import COLS, ROWS

BANDS = 17  # times within the readout at which the orientation is read; linear in between
LEAST_UP = 0.3  # of the vertical that must lie in the picture: looking straight down there is no horizon
CHUNK = 512  # frames whose rays are in memory at once
PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class SyncedGyro:
    """A log that agrees with the picture: `track` is R_world_cam over video time; `lens` is of the picture in square
    pixels.
    """

    track: OrientationTrack
    sync: SyncResult
    lens: Lens


def synced_gyro(video: PathLike, log: PathLike | None, config: GyroConfig) -> tuple[SyncedGyro | None, tuple[str, ...]]:
    """The video's gyroscope, if there is a log and it agrees; else the reason for a person.

    Raises GyroError for a named log that cannot be read.
    """
    found = None if config.use == "off" else _log(Path(video), log, config)
    if found is None:
        return None, ()
    tracks = track_video(Path(video))
    size = tracks.width, tracks.height
    lens = resized(load_lens(config.lens), *size) if config.lens else None
    sync = synchronize(tracks, found, _settings(found, lens, config))
    if not sync.accepted:
        return None, (f"the gyroscope log {found.source} was not used, the picture decides: {sync.refusal}",)
    return SyncedGyro(camera_orientation(found, sync), sync, _lens(lens, sync, *size)), ()


def _log(video: Path, log: PathLike | None, config: GyroConfig) -> GyroLog | None:
    columns = tuple(name.strip() for name in config.columns.split(",")) if config.columns else None
    options = ReadOptions(columns=columns, gyro_unit=config.gyro_unit, time_unit=config.time_unit)
    path = Path(log) if log is not None else find_log(video)
    return read_log(path, options) if path is not None else embedded_log(video)


def _settings(log: GyroLog, lens: Lens | None, config: GyroConfig) -> SyncSettings:
    """What is known beforehand: priors, not truths. A profile is good to 2 %, a stated readout to 2 ms."""
    known = lens is not None or config.focal_px is not None
    readout_s = log.readout_s if log.readout_s is not None else (lens.readout_s if lens else None)
    return SyncSettings(
        focal_px=config.focal_px,
        focal_rel_std=0.02 if known else 0.35,
        lens=lens,
        readout_s=readout_s or 0.0,
        readout_std_s=0.02 if readout_s is None else 0.002,
    )


def _lens(lens: Lens | None, sync: SyncResult, width: int, height: int) -> Lens:
    """The lens as synchronisation left it."""
    if lens is None:
        return self_calibrated_lens(sync, width, height)
    K = lens.K.copy()
    K[[0, 1], [0, 1]] *= sync.focal_px / lens.K[0, 0]
    return Lens(width, height, K, lens.model, lens.coefficients, lens.name, lens.readout_s)


def rotation_fields(motion: Motion, gyro: SyncedGyro) -> RotationFields:
    """The fields of every frame and pair of a motion; its first frame is time 0."""
    time_s, frames = motion.timeline.time_s, len(motion.timeline)
    extent = motion.geometry.half_extent
    nodes = node_positions(ROWS, COLS, extent).reshape(-1, 2)
    rays = _rays(gyro.lens, nodes, motion.geometry)
    shape = (ROWS, COLS, 2)
    shutter = np.zeros((frames, *shape), np.float32)
    turned = np.zeros((max(frames - 1, 0), *shape), np.float32)
    for first in range(0, frames, CHUNK):
        part = slice(first, min(first + CHUNK, frames))
        shutter[part] = _shutter(gyro, time_s[part], nodes, rays, motion.geometry).reshape(-1, *shape)
        R = gyro.track.evaluate(time_s[first : part.stop + 1])
        relative = (R[1:].inv() * R[:-1]).as_matrix()  # R_next_prev
        moved = np.einsum("nij,kj->nki", relative, rays)
        turned[first : first + len(moved)] = (_units(gyro.lens, moved, motion.geometry) - nodes).reshape(-1, *shape)
    known = gyro.track.known(time_s[:-1]) & gyro.track.known(time_s[1:])
    usable = np.isfinite(turned).all(axis=(1, 2, 3)) & np.isfinite(shutter[1:] + shutter[:-1]).all(axis=(1, 2, 3))
    return RotationFields(np.nan_to_num(turned), np.nan_to_num(shutter), known & usable, _level(gyro.track, time_s))


def _level(track: OrientationTrack, time_s: Float) -> Float | None:
    """Roll (n,) at which each frame is upright, NaN where the log does not say; None where it knows no gravity.

    Counted from the quarter turn nearest to how the camera was held: players turn a picture, or its maker meant it so.
    """
    if not track.gravity:
        return None
    up = track.evaluate(time_s).inv().apply([0.0, 0.0, 1.0])
    seen = track.known(time_s) & (np.hypot(up[:, 0], up[:, 1]) > LEAST_UP)
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


def _shutter(gyro: SyncedGyro, time_s: Float, nodes: Float, rays: Float, geometry: FrameGeometry) -> Float:
    """Where points of pictures taken in one instant are found in the real ones, less the points: (n, k, 2).

    A point is exposed when its own line is; which line that is depends on where it falls, so its place is found by
    iteration.
    """
    if abs(gyro.sync.readout_s) < 1e-5:
        return np.zeros((len(time_s), *nodes.shape))
    turn = _turns(gyro, time_s)
    axis, extent = (0, geometry.half_extent[0]) if gyro.sync.readout_axis == "columns" else (1, geometry.half_extent[1])
    place = np.broadcast_to(nodes, (len(time_s), *nodes.shape))
    for _ in range(3):
        line = np.clip((place[..., axis] / extent + 1) / 2 * (BANDS - 1), 0, BANDS - 1)
        left = np.minimum(line.astype(np.intp), BANDS - 2)
        share = (line - left)[..., None]
        at = np.arange(len(time_s))[:, None]
        rotvec = turn[at, left] * (1 - share) + turn[at, left + 1] * share
        place = _units(gyro.lens, _rotated(rotvec, rays), geometry)
    return np.asarray(place - nodes)


def _turns(gyro: SyncedGyro, time_s: Float) -> Float:
    """Rotation vectors (n, BANDS, 3), line from middle: R_line_middle of every band of every frame."""
    within = gyro.sync.readout_s * (np.linspace(0, 1, BANDS) - 0.5)
    middle = gyro.track.evaluate(np.repeat(time_s, BANDS))
    lines = gyro.track.evaluate((time_s[:, None] + within).ravel())
    vectors: Rotation = lines.inv() * middle
    return vectors.as_rotvec().reshape(len(time_s), BANDS, 3)


def _rotated(rotvec: Float, rays: Float) -> Float:
    """Rays (k, 3) by small rotation vectors (n, k, 3), to second order (Rodrigues): (n, k, 3)."""
    once = np.cross(rotvec, rays)
    return np.asarray(rays + once + np.cross(rotvec, once) / 2)
