"""From per-pair motion to figures of shake: uniform time, windows of fixed length, detrended, Hann, bands in Hz."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]
Mask = NDArray[np.bool_]

RATE_HZ = 60.0  # every path is resampled to this, so that no figure knows the frame rate
WINDOW_S, HOP_S = 3.9, 1.0  # 120 frames at 30 fps are a whole window; bins of 0.26 Hz
MIN_WINDOW_S = 1.0
TREND_ORDER = 2  # a pan that starts or stops within a window is not shake
WALK_HZ, JITTER_HZ, TOP_HZ = 1.0, 4.0, 12.0  # TOP: Nyquist of 24 fps, so that 24, 30 and 60 fps see the same band
BRIDGE_S = 0.15  # a gap of failed pairs up to this long is bridged by the motion around it; a longer one parts the path
REFERENCE = 0.0025  # shake of this share of the long side halves the stability's square: 4.8 px RMS at 1920


@dataclass(frozen=True)
class Path:
    """A path cut at every long gap: times (N,) in s and positions (N, K) per piece, in shares of the long side."""

    pieces: tuple[tuple[Signal, Signal], ...]
    bridged: int  # failed pairs inside the pieces


@dataclass(frozen=True)
class Windows:
    """Spectra of all windows. `power` (W, F, K): one-sided power per bin, so that a sum over bins is a mean square.
    `hz` (F,); `centre_s` (W,); `short` where no piece had the full length of a window."""

    hz: Signal
    power: Signal
    centre_s: Signal
    short: bool

    def mean_square(self, low_hz: float, high_hz: float, derivative: int = 0) -> Signal:
        """Mean square (W, K) of the path's derivative of that order, over the bins between `low_hz` and `high_hz`.

        The bin at an edge belongs below it: through the Hann window it hears a sway of 0.75 Hz, the next does not.
        """
        half = self.hz[1] / 2
        band = (self.hz > low_hz + half) & (self.hz <= high_hz + half)
        weight = (2 * np.pi * self.hz[band]) ** (2 * derivative)
        return np.asarray(np.einsum("wfk,f->wk", self.power[:, band], weight))


def integrate(t_s: Signal, step: Signal) -> Path:
    """Path of steps (N-1, K) between frames at t_s (N,); a row with NaN is a pair whose motion is not known."""
    failed: Mask = np.logical_not(np.isfinite(step).all(axis=1))
    parted = _long_gaps(t_s, failed)
    speed = step / np.diff(t_s)[:, None]
    pieces = []
    bridged = 0
    for first, last in _runs(~parted):  # pairs first..last-1 hang together
        inside = failed[first:last]
        if inside.all():
            continue
        times = t_s[first : last + 1]
        known = _bridge(times, speed[first:last], inside)
        position = np.vstack([np.zeros(step.shape[1]), np.cumsum(known * np.diff(times)[:, None], axis=0)])
        pieces.append((times, position))
        bridged += int(inside.sum())
    return Path(tuple(pieces), bridged)


def _long_gaps(t_s: Signal, failed: Mask) -> Mask:
    """Pairs that part the path: failures for longer than `BRIDGE_S` or at an end of the video, and jumps in time."""
    parted: Mask = np.diff(t_s) > 2 * BRIDGE_S
    for first, last in _runs(failed):
        at_end = first == 0 or last == len(failed)
        if at_end or t_s[last] - t_s[first] > BRIDGE_S:
            parted[first:last] = True
    return parted


def _runs(mask: Mask) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _bridge(t_s: Signal, speed: Signal, failed: Mask) -> Signal:
    if not failed.any():
        return speed
    middle = (t_s[1:] + t_s[:-1]) / 2
    columns = [np.interp(middle, middle[~failed], speed[~failed, k]) for k in range(speed.shape[1])]
    return np.column_stack(columns)


def windows(path: Path) -> Windows | None:
    """Spectra of overlapping 3.9 s windows of every piece; of shorter ones, at least 1 s, where no piece is as long.

    None where the path has not even a second in one piece.
    """
    longest = max((t[-1] - t[0] for t, _ in path.pieces), default=0.0)
    if longest < MIN_WINDOW_S - 1e-6:
        return None
    length_s = min(WINDOW_S, np.floor(longest * RATE_HZ + 1e-6) / RATE_HZ)
    count = round(length_s * RATE_HZ)
    power, centres = [], []
    for t, x in path.pieces:
        for start in _starts(t[0], t[-1], length_s):
            at = start + np.arange(count) / RATE_HZ
            power.append(_spectrum(_resample(t, x, at)))
            centres.append(start + length_s / 2)
    hz = np.asarray(np.fft.rfftfreq(count, 1 / RATE_HZ), np.float64)
    return Windows(hz, np.array(power), np.array(centres), length_s < WINDOW_S)


def _starts(first_s: float, last_s: float, length_s: float) -> Signal:
    room = last_s - first_s - length_s
    count = int(np.floor(room / HOP_S + 1e-6)) + 1 if room > -1e-6 else 0
    return np.asarray(first_s + HOP_S * np.arange(count), np.float64)


def _resample(t_s: Signal, x: Signal, at_s: Signal) -> Signal:
    from scipy.interpolate import CubicSpline

    if len(t_s) < 4:
        return np.column_stack([np.interp(at_s, t_s, column) for column in x.T])
    return np.asarray(CubicSpline(t_s, x)(at_s))


def _spectrum(x: Signal) -> Signal:
    """One-sided power (F, K) of a window (N, K): quadratic trend away, Hann against leakage, scaled to mean square."""
    n = len(x)
    basis = np.vander(np.linspace(-1, 1, n), TREND_ORDER + 1)
    rest = x - basis @ np.linalg.lstsq(basis, x, rcond=None)[0]
    taper = np.hanning(n + 1)[:-1]
    power = np.abs(np.fft.rfft(rest * taper[:, None], axis=0)) ** 2 / (n * (taper**2).sum())
    power[1:-1] *= 2
    return np.asarray(power)


def stability(shake_square: Signal) -> Signal:
    """r / sqrt(r^2 + shake^2) for each window, r = 0.25 % of the long side: 1 for a still picture, falling to 0."""
    return np.asarray(REFERENCE / np.sqrt(REFERENCE**2 + shake_square))


def combined(mean_square: Signal, radius: float) -> Signal:
    """Mean square displacement (W,) of picture points from that of (dx, dy, roll, log scale) (W, 4).

    A point at radius rho moves by rho times the roll or the log scale; `radius` is the RMS of rho over the frame.
    """
    return np.asarray(mean_square[:, :2].sum(axis=1) + radius**2 * mean_square[:, 2:].sum(axis=1))


def frame_radius(size: tuple[int, int]) -> float:
    """RMS distance of a frame's points from its centre, as a share of its long side."""
    return float(np.hypot(*size) / np.sqrt(12) / max(size))
