"""Spectral vibration of a camera path: uniform resampling, fixed windows, detrending, Hann taper, bands in Hz."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]
Mask = NDArray[np.bool_]

RESAMPLE_HZ = 60.0  # common rate, so that scores do not depend on the frame rate
WINDOW_S, HOP_S = 3.9, 1.0  # 120 frames at 30 fps fill one window; bins of 0.26 Hz
MIN_WINDOW_S = 1.0
TREND_ORDER = 2  # a pan that starts or stops within a window is no vibration
WALK_HZ, TREMOR_HZ, TOP_HZ = 1.0, 4.0, 12.0  # TOP: Nyquist of 24 fps, so that 24, 30 and 60 fps see the same band
MAX_BRIDGED_GAP_S = 0.15  # longer gaps of failed pairs split the path
REFERENCE_VIBRATION = (
    0.0025  # share of the long side (4.8 px RMS at 1920) at which stability is 1/sqrt(2); a convention
)


@dataclass(frozen=True)
class Path:
    """A camera path, split at every long gap."""

    pieces: tuple[tuple[Signal, Signal], ...]
    """Times (N,) in s and positions (N, K) in shares of the long side, per piece."""
    bridged: int
    """Number of failed pairs inside the pieces."""


@dataclass(frozen=True)
class Windows:
    """Spectra of all windows."""

    hz: Signal
    """Bin frequencies, (F,)."""
    power: Signal
    """One-sided power per bin, (W, F, K): a sum over bins is a mean square."""
    centre_s: Signal
    """Centre of each window, (W,)."""
    short: bool
    """True if no piece is as long as a full window."""

    def mean_square(self, low_hz: float, high_hz: float, derivative: int = 0) -> Signal:
        """Return the mean square (W, K) of the path's derivative of that order, between `low_hz` and `high_hz`.

        The bin at a band edge belongs to the band below: the Hann window leaks motion of 0.75 Hz into it, but not into
        the next bin.
        """
        half = self.hz[1] / 2
        band = (self.hz > low_hz + half) & (self.hz <= high_hz + half)
        weight = (2 * np.pi * self.hz[band]) ** (2 * derivative)
        return np.asarray(np.einsum("wfk,f->wk", self.power[:, band], weight))


def integrate(t_s: Signal, step: Signal) -> Path:
    """Sum steps (N-1, K) between frames at t_s (N,) to a path. A row with NaN is a pair without measured motion."""
    failed: Mask = np.logical_not(np.isfinite(step).all(axis=1))
    split = _long_gaps(t_s, failed)
    speed = step / np.diff(t_s)[:, None]
    pieces = []
    bridged = 0
    for first, last in _runs(~split):  # pairs first..last-1 are continuous
        inside = failed[first:last]
        if inside.all():
            continue
        times = t_s[first : last + 1]
        bridged_speed = _bridge(times, speed[first:last], inside)
        position = np.vstack([np.zeros(step.shape[1]), np.cumsum(bridged_speed * np.diff(times)[:, None], axis=0)])
        pieces.append((times, position))
        bridged += int(inside.sum())
    return Path(tuple(pieces), bridged)


def _long_gaps(t_s: Signal, failed: Mask) -> Mask:
    """Return the pairs that split the path: long failures, failures at an end of the video, and jumps in time."""
    split: Mask = np.diff(t_s) > 2 * MAX_BRIDGED_GAP_S
    for first, last in _runs(failed):
        at_end = first == 0 or last == len(failed)
        if at_end or t_s[last] - t_s[first] > MAX_BRIDGED_GAP_S:
            split[first:last] = True
    return split


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
    """Return spectra of overlapping 3.9 s windows of every piece, or of shorter windows if no piece is that long.

    None if no piece lasts 1 s.
    """
    longest = max((t[-1] - t[0] for t, _ in path.pieces), default=0.0)
    if longest < MIN_WINDOW_S - 1e-6:
        return None
    length_s = min(WINDOW_S, np.floor(longest * RESAMPLE_HZ + 1e-6) / RESAMPLE_HZ)
    count = round(length_s * RESAMPLE_HZ)
    power, centres = [], []
    for t, x in path.pieces:
        for start in _starts(t[0], t[-1], length_s):
            sample_s = start + np.arange(count) / RESAMPLE_HZ
            power.append(_spectrum(_resample(t, x, sample_s)))
            centres.append(start + length_s / 2)
    hz = np.asarray(np.fft.rfftfreq(count, 1 / RESAMPLE_HZ), np.float64)
    return Windows(hz, np.array(power), np.array(centres), length_s < WINDOW_S)


def _starts(first_s: float, last_s: float, length_s: float) -> Signal:
    room = last_s - first_s - length_s
    count = int(np.floor(room / HOP_S + 1e-6)) + 1 if room > -1e-6 else 0
    return np.asarray(first_s + HOP_S * np.arange(count), np.float64)


def _resample(t_s: Signal, x: Signal, sample_s: Signal) -> Signal:
    from scipy.interpolate import CubicSpline

    if len(t_s) < 4:
        return np.column_stack([np.interp(sample_s, t_s, column) for column in x.T])
    return np.asarray(CubicSpline(t_s, x)(sample_s))


def _spectrum(x: Signal) -> Signal:
    """Return the one-sided power (F, K) of a window (N, K): quadratic detrending, Hann taper, scaled to mean square."""
    n = len(x)
    basis = np.vander(np.linspace(-1, 1, n), TREND_ORDER + 1)
    residual = x - basis @ np.linalg.lstsq(basis, x, rcond=None)[0]
    taper = np.hanning(n + 1)[:-1]
    power = np.abs(np.fft.rfft(residual * taper[:, None], axis=0)) ** 2 / (n * (taper**2).sum())
    power[1:-1] *= 2
    return np.asarray(power)


def stability(vibration_square: Signal) -> Signal:
    """Return r / sqrt(r^2 + vibration^2) per window, r = 0.25 % of the long side: 1 is a still camera."""
    return np.asarray(REFERENCE_VIBRATION / np.sqrt(REFERENCE_VIBRATION**2 + vibration_square))


def combined(mean_square: Signal, radius: float) -> Signal:
    """Return the mean square displacement (W,) of the frame's points, given that of (dx, dy, roll, log scale) (W, 4).

    A point at radius rho moves by rho times the roll or the log scale; `radius` is the RMS of rho over the frame.
    """
    return np.asarray(mean_square[:, :2].sum(axis=1) + radius**2 * mean_square[:, 2:].sum(axis=1))


def frame_radius(size: tuple[int, int]) -> float:
    """Return the RMS distance of a frame's points from its centre, as a share of its long side."""
    return float(np.hypot(*size) / np.sqrt(12) / max(size))
