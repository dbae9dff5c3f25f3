"""What the renderer needs: the camera's orientation on the video's clock, at the time of every band of lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from gyro.log import Float, GyroLog

from .integrate import OrientationTrack, integrate
from .result import SyncResult


def camera_orientation(log: GyroLog, sync: SyncResult, use_accel: bool = True) -> OrientationTrack:
    """Integrate a log on the video's clock and in camera axes: `evaluate(t_video)` is R_world_cam.

    Bias, drift and mount are those of `sync`; the world is level (z up) where the log has an accelerometer. The axes
    of an improper log are negated for both sensors.
    """
    sign = -1 if sync.improper else 1
    rate = sync.R_cam_gyro.apply(sign * (log.gyro_rad_s - sync.bias_rad_s))
    accel = None if log.accel_m_s2 is None else sync.R_cam_gyro.apply(sign * log.accel_m_s2)
    time_s, gaps_s = sync.video_time(log.time_s), sync.video_time(log.gaps_s)
    return integrate(replace(log, time_s=time_s, gyro_rad_s=rate, accel_m_s2=accel, gaps_s=gaps_s), use_accel=use_accel)


def band_times(sync: SyncResult, frame_time_s: float, bands: int) -> Float:
    """Video time (bands,) at which the middle of each band of lines is exposed, first band at the top (at the left)."""
    return np.asarray(frame_time_s + sync.readout_s * ((np.arange(bands) + 0.5) / bands - 0.5))


def band_rotations(track: OrientationTrack, sync: SyncResult, frame_time_s: float, bands: int) -> Rotation:
    """R_world_cam of each of `bands` bands of a frame; rows or columns, as `sync.readout_axis` says.

    `track` is that of `camera_orientation`; `frame_time_s` counts from the first frame. One band, or a global shutter:
    the frame's own.
    """
    return track.evaluate(band_times(sync, frame_time_s, bands))
