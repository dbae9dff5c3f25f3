"""How far a camera path is from its own Gaussian smooth: shake, roll and breathing, and how fast the picture zooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from metrics.robust.path import MIN_WINDOW_S, Path, Signal

SMOOTH_S = 0.5  # standard deviation of the smooth path; what is slower is the camera's intended motion
SPEED_SMOOTH_S = 0.1  # of the scale, before its speed is taken: what is quicker is the measurement's own noise
TRUNCATE = 4.0  # standard deviations at which the kernel ends


@dataclass(frozen=True)
class Departure:
    """RMS departure of one video's path from its own smooth, over all its frames."""

    shift: float
    """Of the picture's centre, as a share of the long side."""
    roll: float
    """Radians."""
    log_scale: float
    """Natural log: 0.01 is 1 %."""
    zoom_speed: float
    """Peak speed of the log scale, per second."""


def departure(path: Path) -> Departure | None:
    """Return the departure of a path of (dx, dy, roll, log scale); None if no piece of it lasts 1 s.

    Each piece is smoothed by itself, along its frames: the standard deviation is 0.5 s of their usual interval.
    """
    pieces = [piece for piece in path.pieces if piece[0][-1] - piece[0][0] >= MIN_WINDOW_S - 1e-6]
    if not pieces:
        return None
    rest = np.concatenate([x - smoothed(t_s, x, SMOOTH_S) for t_s, x in pieces])
    across, down, roll, log_scale = np.sqrt((rest**2).mean(axis=0))
    speed = max(_zoom_speed(t_s, x) for t_s, x in pieces)
    return Departure(float(np.hypot(across, down)), float(roll), float(log_scale), speed)


def _zoom_speed(t_s: Signal, x: Signal) -> float:
    log_scale = smoothed(t_s, x[:, 3:], SPEED_SMOOTH_S)
    return float(np.abs(np.diff(log_scale, axis=0)).max()) / _interval_s(t_s)


def smoothed(t_s: Signal, x: Signal, sigma_s: float) -> Signal:
    """Return the Gaussian smooth of positions (N, K). Ends are mirrored through their last point: a pan stays a pan."""
    sigma = sigma_s / _interval_s(t_s)
    pad = min(len(x) - 1, int(TRUNCATE * sigma) + 1)
    longer = np.pad(x, ((pad, pad), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = gaussian_filter1d(longer, sigma, axis=0, mode="nearest", truncate=TRUNCATE)
    return np.asarray(smooth[pad : len(longer) - pad])


def _interval_s(t_s: Signal) -> float:
    return float(np.median(np.diff(t_s)))
