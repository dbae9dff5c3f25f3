"""The camera's orientation on the video's clock, for rendering."""

from __future__ import annotations

from dataclasses import replace

from gyro.log import GyroLog

from .integrate import OrientationTrack, integrate
from .result import SyncResult


def camera_orientation(log: GyroLog, sync: SyncResult, use_accel: bool = True) -> OrientationTrack:
    """Integrate a log on the video's clock and in camera axes: `evaluate(t_video)` is R_world_cam.

    Bias, drift and mount are those of `sync`. The world is level (z up) where the log has an accelerometer. For an
    improper log the axes of both sensors are negated.
    """
    sign = -1 if sync.improper else 1
    rate = sync.R_cam_gyro.apply(sign * (log.gyro_rad_s - sync.bias_rad_s))
    accel = None if log.accel_m_s2 is None else sync.R_cam_gyro.apply(sign * log.accel_m_s2)
    time_s, gaps_s = sync.video_time(log.time_s), sync.video_time(log.gaps_s)
    return integrate(replace(log, time_s=time_s, gyro_rad_s=rate, accel_m_s2=accel, gaps_s=gaps_s), use_accel=use_accel)
