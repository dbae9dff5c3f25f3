"""Plot of a synchronisation: the rates of video and log about the camera's axes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gyro.errors import OutputError, UsageError, file_errors
from gyro.estimate import Match, Tracks
from gyro.estimate.integrate import integrals
from gyro.log import Float
from localfiles import write_bytes

ENDINGS = (".png", ".jpg", ".jpeg")
WIDTH, TOP, PANEL, GAP, FOOT, LEFT, RIGHT = 1200, 46, 200, 16, 52, 84, 16
TICKS_ACROSS, TICKS_UP = 10, 4
_VIDEO, _LOG, _INK, _GRID = (190, 110, 20), (40, 60, 220), (40, 40, 40), (225, 225, 225)  # BGR
Canvas = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Axis:
    """Axis of a panel: values from `low` to `high` are drawn at pixels from `start` to `end`."""

    low: float
    high: float
    start: int
    end: int

    def px(self, value: Float) -> Float:
        """Return the pixels of values, clipped to the panel."""
        share = (np.clip(value, self.low, self.high) - self.low) / (self.high - self.low)
        return np.asarray(self.start + share * (self.end - self.start))


def plot_sync(match: Match, path: Path, inputs: Iterable[Path | str] = (), overwrite: bool = False) -> None:
    """Plot the rates of the video (blue) and of the log (red) at the estimated offset, in deg/s about the camera's
    axes.

    Raises UsageError where `path` is one of the `inputs` or not a .png or .jpg, OutputError where it cannot be written,
    or exists and `overwrite` is false.
    """
    import cv2

    check_ending(path)
    time_s, video_rad_s = video_rates(match.tracks, match.sync.focal_px)
    log_rad_s = log_rates(match, time_s)
    canvas = draw(time_s, np.degrees(video_rad_s), np.degrees(log_rad_s), _title(match))
    done, data = cv2.imencode(path.suffix.lower(), canvas)
    if not done:
        raise OutputError(f"{path}: cannot be encoded as an image")
    with file_errors():
        write_bytes(path, data.tobytes(), inputs, overwrite)


def check_ending(path: Path) -> None:
    """Raise UsageError unless the name ends in one of ENDINGS."""
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"{path}: unknown image format; give {', '.join(ENDINGS)}")


def _title(match: Match) -> str:
    result = match.sync
    verdict = "agrees" if result.accepted else "DISAGREES"
    # OpenCV's fonts have ASCII only.
    name = Path(match.log.source).name.encode("ascii", "replace").decode()
    return f"{name} {verdict}: offset {result.offset_s * 1e3:.2f} ms, drift {result.drift * 100:.3f} %"


def log_rates(match: Match, time_s: Float) -> Float:
    """Return the log's rates (n, 3), rad/s about the camera's axes at video times (n,), each the mean over a frame
    interval."""
    log, result, interval_s = match.log, match.sync, match.tracks.interval_s
    sign = -1.0 if result.improper else 1.0
    camera_rad_s = sign * result.R_cam_gyro.apply(log.gyro_rad_s - result.bias_rad_s)
    start_s, end_s = (result.log_time(time_s + side * interval_s / 2) for side in (-1, 1))
    return integrals(log.time_s, camera_rad_s, start_s, end_s) / interval_s


def video_rates(tracks: Tracks, focal_px: float) -> tuple[Float, Float]:
    """Return the middle times (n,) of the frame intervals and the camera's rates (n, 3) in rad/s from matches alone.

    A robust least-squares fit of the rotational flow of a static scene (Longuet-Higgins & Prazdny 1980). Translation
    and distortion are ignored. It shares no code with the synchronisation that it illustrates.
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
        residual = np.linalg.norm(flow - np.einsum("mij,mj->mi", field, turn[tracks.pair]), axis=1)
        weight = 1 / (1 + (residual / max(2 * float(np.median(residual)), 1e-9)) ** 2)
    return tracks.time_s[:-1] + step_s / 2, turn / step_s[:, None]


def draw(time_s: Float, video_deg_s: Float, log_deg_s: Float, title: str) -> Canvas:
    """Draw three panels over one axis of time, with a title and a legend."""
    height = TOP + 3 * PANEL + 2 * GAP + FOOT
    canvas = np.full((height, WIDTH, 3), 255, np.uint8)
    x_axis = Axis(float(time_s[0]), max(float(time_s[-1]), float(time_s[0]) + 1e-6), LEFT, WIDTH - RIGHT)
    for i, name in enumerate("xyz"):
        video_rad_s, log_rad_s = video_deg_s[:, i], log_deg_s[:, i]
        largest = max(float(np.percentile(np.abs(np.concatenate([video_rad_s, log_rad_s])), 99.5)) * 1.25, 1e-3)
        top = TOP + i * (PANEL + GAP)
        y_axis = Axis(-largest, largest, top + PANEL, top)
        _grid(canvas, x_axis, y_axis, labelled=i == 2)
        for values, colour in ((video_rad_s, _VIDEO), (log_rad_s, _LOG)):
            _curve(canvas, np.stack([x_axis.px(time_s), y_axis.px(values)], axis=1), colour)
        _text(canvas, f"about {name} (deg/s)", (LEFT + 8, top + 18))
    _text(canvas, "time in the video (s)", (WIDTH // 2 - 70, height - 12))
    _text(canvas, title, (LEFT, 28))
    _legend(canvas)
    return canvas


def ticks(low: float, high: float, count_max: int) -> Float:
    """Return about `count_max` round values (1, 2 or 5 times a power of ten apart) between two numbers."""
    raw = (high - low) / count_max
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= raw * (1 - 1e-9))
    return np.asarray(np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step, np.float64)


def _grid(canvas: Canvas, x_axis: Axis, y_axis: Axis, labelled: bool) -> None:
    """Draw grid, frame and tick labels; those of time only where `labelled`."""
    import cv2

    for value in ticks(x_axis.low, x_axis.high, TICKS_ACROSS):
        x = round(float(x_axis.px(value)))
        cv2.line(canvas, (x, y_axis.end), (x, y_axis.start), _GRID, 1)
        cv2.line(canvas, (x, y_axis.start), (x, y_axis.start + 4), _INK, 1)
        if labelled:
            _text(canvas, f"{value:.6g}", (x, y_axis.start + 20), anchor=0.5)
    for value in ticks(y_axis.low, y_axis.high, TICKS_UP):
        y = round(float(y_axis.px(value)))
        cv2.line(canvas, (x_axis.start, y), (x_axis.end, y), _INK if value == 0 else _GRID, 1)
        cv2.line(canvas, (x_axis.start - 4, y), (x_axis.start, y), _INK, 1)
        _text(canvas, f"{value:.6g}", (x_axis.start - 8, y + 5), anchor=1.0)
    cv2.rectangle(canvas, (x_axis.start, y_axis.end), (x_axis.end, y_axis.start), _INK, 1)


def _curve(canvas: Canvas, points: Float, colour: tuple[int, int, int]) -> None:
    import cv2

    cv2.polylines(canvas, [points.round().astype(np.int32).reshape(-1, 1, 2)], False, colour, 1, cv2.LINE_AA)


def _legend(canvas: Canvas) -> None:
    import cv2

    for x, colour, name in ((WIDTH - 270, _VIDEO, "video"), (WIDTH - 140, _LOG, "log")):
        cv2.line(canvas, (x, 23), (x + 34, 23), colour, 2, cv2.LINE_AA)
        _text(canvas, name, (x + 42, 28))


def _text(canvas: Canvas, text: str, at: tuple[int, int], anchor: float = 0.0) -> None:
    """Draw text whose base line begins at `at` (anchor 0) or ends there (anchor 1)."""
    import cv2

    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
    place = (at[0] - round(anchor * width), at[1])
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
