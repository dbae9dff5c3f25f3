"""A log and the matches of a motion -> when, where and through which lens the log's rotation is the camera's."""

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

SURE_WEIGHT = 0.5  # of a match: the solver counts all alike, and takes out for itself what does not fit


@dataclass(frozen=True, slots=True)
class SyncedGyro:
    """A log that agrees with the picture."""

    track: OrientationTrack
    """R_world_cam over video time."""
    sync: SyncResult
    lens: Lens
    """Of the picture in square pixels."""
    shift: LensShift | None = None
    """How a stabilising lens moved the picture; None where it did not."""


def synced_gyro(
    motion: Motion, candidates: Iterable[Candidate], config: GyroConfig
) -> tuple[SyncedGyro | None, tuple[str, ...]]:
    """The gyroscope of the video that a motion was measured on, by the first log that agrees with the picture, and why
    others were not used. Raises SyncError where there is too little to compare.
    """
    match, notes = match_logs(candidates, lambda: tracks_of(motion), config.focal_px, config.lens)
    if match is None:
        return None, notes
    log, tracks, sync = match.log, match.tracks, match.sync
    if not sync.accepted:
        return None, (
            *notes,
            f"the gyroscope log {log.source} was not used, visual motion alone is used: {sync.refusal}",
        )
    shift = _lens_shift(tracks, log, sync, match.settings) if log.ois is not None or is_whole(tracks) else None
    lens = _lens(match.settings.lens, sync, tracks.width, tracks.height)
    return SyncedGyro(camera_orientation(log, sync), sync, lens, shift), notes


def tracks_of(motion: Motion) -> Tracks:
    """The matches of a motion in full-size square pixels."""
    geometry, matches = motion.geometry, motion.matches
    sure = matches.weight >= SURE_WEIGHT
    width = round(geometry.width * geometry.pixel_aspect)
    square = FrameGeometry(width, geometry.height)

    def px(unit: Float32) -> Float:
        shape = np.array(square.half_extent) / np.array(geometry.half_extent)  # the width is rounded
        return square.to_px(unit[sure].astype(np.float64) * shape)

    prev_px, next_px = px(matches.prev_unit), px(matches.next_unit)
    return Tracks(motion.timeline.time_s, width, geometry.height, matches.pair[sure], prev_px, next_px)


def is_whole(tracks: Tracks) -> bool:
    """Whether all of the video is compared, without a hole."""
    known = tracks.time_s[np.unique(tracks.pair)]
    edges = np.concatenate([tracks.time_s[:1], known, tracks.time_s[-1:]])
    return bool(np.diff(edges).max(initial=0.0) < END_S)


def _lens_shift(tracks: Tracks, log: GyroLog, sync: SyncResult, settings: SyncSettings) -> LensShift | None:
    """From the log where it has one, else from the picture where that shows one."""
    if log.ois is not None:
        return logged_shift(log.ois, sync, tracks.width, tracks.height)
    shift = estimate_shift(tracks, log, sync, settings)
    return shift if shift.helps else None


def _lens(lens: Lens | None, sync: SyncResult, width: int, height: int) -> Lens:
    """The lens as synchronisation left it."""
    if lens is None:
        return self_calibrated_lens(sync, width, height)
    return refocus_lens(lens, sync.focal_px)
