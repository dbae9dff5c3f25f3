"""One picture of how log and video fit: the rates about the camera's axes, one over the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gyro.errors import GyroError
from gyro.estimate import SyncResult, Tracks
from gyro.log import Float, GyroLog

WIDTH, ROW = 1200, 220
_LEFT, _PICTURE, _LOG = 70, (200, 120, 30), (40, 60, 220)  # BGR


def plot_sync(tracks: Tracks, log: GyroLog, result: SyncResult, path: Path) -> None:
    """Draw the picture's rates (blue) and the log's (red) at the found offset, in deg/s about x, y and z of the camera.

    Raises GyroError where the file cannot be written.
    """
    import cv2

    time_s, rate = picture_rates(tracks, result.focal_px)
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


def picture_rates(tracks: Tracks, focal_px: float) -> tuple[Float, Float]:
    """Middle times (n,) of the frame intervals and the camera's rates (n, 3) in rad/s that the matches alone show.

    Rotational flow of a still scene (Longuet-Higgins & Prazdny 1980), least squares with weights against what moves by
    itself. It is for the eye: translation and lens are left out, and nothing here comes from the synchronisation that
    it illustrates.
    """
    p = (tracks.prev_px - tracks.centre_px) / focal_px
    flow = (tracks.next_px - tracks.prev_px) / focal_px
    x, y, one = p[:, 0], p[:, 1], np.ones(len(p))
    field = np.stack([np.stack([x * y, -(1 + x * x), y], 1), np.stack([1 + y * y, -x * y, -x], 1)], 1)  # (m, 2, 3)
    step_s = np.diff(tracks.time_s)
    turn: Float = np.zeros((len(step_s), 3))
    weight: Float = one
    for _ in range(5):
        A, b = np.zeros((len(step_s), 3, 3)), np.zeros((len(step_s), 3))
        np.add.at(A, tracks.pair, weight[:, None, None] * (field.transpose(0, 2, 1) @ field))
        np.add.at(b, tracks.pair, weight[:, None] * np.einsum("mij,mi->mj", field, flow))
        turn = np.asarray(np.linalg.solve(A + 1e-9 * np.eye(3), b[..., None])[..., 0], np.float64)
        left = np.linalg.norm(flow - np.einsum("mij,mj->mi", field, turn[tracks.pair]), axis=1)
        weight = 1 / (1 + (left / max(2 * float(np.median(left)), 1e-9)) ** 2)
    return tracks.time_s[:-1] + step_s / 2, turn / step_s[:, None]


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
