"""One picture of how log and video fit: the rates about the camera's axes, one over the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gyro.errors import GyroError
from gyro.estimate.sync import SyncResult
from gyro.estimate.tracks import Tracks
from gyro.estimate.visual import camera_rates
from gyro.log import Float, GyroLog

WIDTH, ROW = 1200, 220
_LEFT, _PICTURE, _LOG = 70, (200, 120, 30), (40, 60, 220)  # BGR


def plot_sync(tracks: Tracks, log: GyroLog, result: SyncResult, path: Path) -> None:
    """Draw the picture's rates (blue) and the log's (red) at the found offset, in deg/s about x, y and z of the camera.

    Raises GyroError where the file cannot be written.
    """
    import cv2

    rate, time_s, _ = camera_rates(tracks, result.focal_px)
    sign = -1.0 if result.improper else 1.0
    own = sign * result.R_cam_gyro.apply(log.gyro_rad_s - result.bias_rad_s)
    at = result.log_time(time_s)
    # The picture sees the mean rate over a frame interval, so the log is averaged over as much.
    width = max(round(log.rate_hz * tracks.interval_s), 1)
    smooth = [np.convolve(column, np.ones(width) / width, "same") for column in own.T]
    logged = np.stack([np.interp(at, log.time_s, column) for column in smooth], axis=1)
    canvas = np.full((3 * ROW + 30, WIDTH, 3), 255, np.uint8)
    for i, name in enumerate("xyz"):
        _panel(canvas[i * ROW : (i + 1) * ROW], time_s, np.degrees(rate[:, i]), np.degrees(logged[:, i]), name)
    foot = f"{time_s[0]:.1f} to {time_s[-1]:.1f} s   blue: picture, red: log   offset {result.offset_s:.4f} s"
    cv2.putText(canvas, foot, (_LEFT, 3 * ROW + 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    try:
        written = cv2.imwrite(str(path), canvas)
    except cv2.error as error:
        raise GyroError(f"{path}: cannot be written as a picture: {error.err}") from error
    if not written:
        raise GyroError(f"{path}: cannot be written as a picture")


def _panel(canvas: NDArray[np.uint8], time_s: Float, seen: Float, logged: Float, name: str) -> None:
    """One axis: two curves to the same scale, which the label states."""
    import cv2

    top = max(float(np.percentile(np.abs(np.concatenate([seen, logged])), 99.5)), 1e-6)
    x = _LEFT + (time_s - time_s[0]) / max(time_s[-1] - time_s[0], 1e-9) * (WIDTH - _LEFT - 10)
    for values, colour in ((seen, _PICTURE), (logged, _LOG)):
        y = ROW / 2 - np.clip(values / top, -1, 1) * (ROW / 2 - 12)
        points = np.stack([x, y], axis=1).round().astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(canvas, [points], False, colour, 1, cv2.LINE_AA)
    cv2.putText(canvas, f"{name} +-{top:.3g}", (2, ROW // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.line(canvas, (0, ROW - 1), (WIDTH, ROW - 1), (200, 200, 200), 1)
