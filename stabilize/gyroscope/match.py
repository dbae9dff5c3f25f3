"""Synchronise a log with the matches of a motion: its orientation over video time, and the lens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gyro.estimate import (
    LensShift,
    OrientationTrack,
    SyncResult,
    SyncSettings,
    Tracks,
    camera_orientation,
    estimate_shift,
    logged_shift,
    match_logs,
    self_calibrated_lens,
)
from gyro.lens import Lens, refocus_lens
from gyro.log import GyroLog
from gyro.readers import Candidate
from stabilize.core import Float, Float32, FrameGeometry, Motion
from stabilize.gyroscope.stretches import END_S
from stabilize.settings import GyroConfig

MATCH_WEIGHT_MIN = 0.5  # synchronisation weights all matches equally and rejects outliers itself


@dataclass(frozen=True, slots=True)
class SyncedGyro:
    """A log that agrees with the visual motion."""

    track: OrientationTrack
    """R_world_cam over video time."""
    sync: SyncResult
    """Clock, axes and readout."""
    lens: Lens
    """Lens of the frame in square pixels."""
    shift: LensShift | None = None
    """Image shift by a stabilising lens (OIS); None if there is none."""


def synchronise_gyro(
    motion: Motion, candidates: Iterable[Candidate], config: GyroConfig
) -> tuple[SyncedGyro | None, tuple[str, ...]]:
    """Return the first log that agrees with the visual motion, and notes on why others were not used.

    Raises SyncError if there is too little motion to compare.
    """
    match, notes = match_logs(candidates, lambda: motion_tracks(motion), config.focal_px, config.lens)
    if match is None:
        return None, notes
    log, tracks, sync = match.log, match.tracks, match.sync
    if not sync.accepted:
        return None, (
            *notes,
            f"the gyroscope log {log.source} was not used; falling back to visual motion: {sync.refusal}",
        )
    shift = _lens_shift(tracks, log, sync, match.settings) if log.ois is not None or covers_video(tracks) else None
    lens = _lens(match.settings.lens, sync, tracks.width, tracks.height)
    return SyncedGyro(camera_orientation(log, sync), sync, lens, shift), notes


def motion_tracks(motion: Motion) -> Tracks:
    """The matches of a motion, in square pixels at full frame size."""
    geometry, matches = motion.geometry, motion.matches
    used = matches.weight >= MATCH_WEIGHT_MIN
    width = round(geometry.width * geometry.pixel_aspect)
    square = FrameGeometry(width, geometry.height)

    def px(unit: Float32) -> Float:
        scale = np.array(square.half_extent) / np.array(geometry.half_extent)  # not 1, because the width is rounded
        return square.to_px(unit[used].astype(np.float64) * scale)

    prev_px, next_px = px(matches.prev_unit), px(matches.next_unit)
    return Tracks(motion.timeline.time_s, width, geometry.height, matches.pair[used], prev_px, next_px)


def covers_video(tracks: Tracks) -> bool:
    """Whether there are matches throughout the video, without a gap of END_S or more."""
    matched_s = tracks.time_s[np.unique(tracks.pair)]
    edges = np.concatenate([tracks.time_s[:1], matched_s, tracks.time_s[-1:]])
    return bool(np.diff(edges).max(initial=0.0) < END_S)


def _lens_shift(tracks: Tracks, log: GyroLog, sync: SyncResult, settings: SyncSettings) -> LensShift | None:
    """The logged shift if there is one, else the shift estimated from the matches if it is significant."""
    if log.ois is not None:
        return logged_shift(log.ois, sync, tracks.width, tracks.height)
    shift = estimate_shift(tracks, log, sync, settings)
    return shift if shift.helps else None


def _lens(lens: Lens | None, sync: SyncResult, width: int, height: int) -> Lens:
    """The lens with the focal length that synchronisation has estimated."""
    if lens is None:
        return self_calibrated_lens(sync, width, height)
    return refocus_lens(lens, sync.focal_px)
