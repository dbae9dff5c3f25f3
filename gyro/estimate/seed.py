"""Initial offset and drift: cross-correlation of the camera's rates with the log's, independent of the axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.spatial.transform import Rotation

from gyro.errors import SyncError
from gyro.log import Float, GyroLog

from .axes import align, handedness
from .integrate import integrals
from .tracks import Int

WINDOW_S = 3.0  # 1 % of drift shifts the ends of a window by 30 ms, less than the correlation time of the motion
WINDOWS_MAX = 40
SEARCH_SPAN_S = 120.0  # of the video: beyond it drift would need too fine a grid
SEED_DISTANCE_MIN_S = 0.3  # between offsets that count as different
CANDIDATES_MAX = 400
CORRELATION_CELLS_MAX = 50_000_000  # offsets times windows, 80 bytes each: two or three hours of log for a long video


@dataclass(frozen=True, slots=True)
class Seed:
    """An initial clock and mount: t_log = t_video + offset_s + drift (t_video - mid_s)."""

    offset_s: float
    drift: float
    mid_s: float
    R_cam_gyro: Rotation
    improper: bool
    covariance: Float
    """(3, 3) sum of camera rate times body rate transposed."""
    score: float
    """Correlation, 0 to 1."""


@dataclass(frozen=True, slots=True)
class _Correlation:
    """Correlation of the windows of a video with the log at each lag."""

    cross: Float
    """(windows, lags, 3, 3) cross-covariances."""
    energy: Float
    """(windows, lags) energy of the log in the window."""
    visual: Float
    """(windows,) energy of the camera's rates."""
    centre_s: Float
    lag_s: Float


def find_seeds(
    rate_cam: Float,
    time_s: Float,
    log: GyroLog,
    step_s: float,
    *,
    max_drift: float,
    offset_range_s: tuple[float, float] | None,
    count: int = 4,
) -> list[Seed]:
    """Return the best distinct seeds, best first, each twice where the motion does not tell handedness. `rate_cam` (k,
    3) at `time_s` (k,) are the camera's mean rates over `step_s`.

    Score: nuclear norm, which does not depend on the axes, of the summed cross-covariance over the product of both
    energies. The mean of each window is removed, against bias and slow parallax. Windows are shifted along every drift
    before they are summed. Raises SyncError where log and video cannot overlap.
    """
    correlation = _correlate(rate_cam, time_s, log, step_s, offset_range_s)
    mid_s = float(correlation.centre_s.mean())
    offsets, drifts = np.arange(len(correlation.lag_s)), _drift_grid(correlation, max_drift)
    candidates: list[tuple[float, float, int, Float]] = []
    for drift in drifts:
        cross, norm = _sum_windows(correlation, drift, mid_s)
        rough = np.linalg.norm(cross, axis=(1, 2)) / norm
        for i in offsets[np.argsort(-rough)[: CANDIDATES_MAX // len(drifts) + 20]]:
            score = float(np.linalg.svd(cross[i], compute_uv=False).sum() / norm[i])
            candidates.append((score, float(drift), int(i), cross[i]))
    candidates.sort(key=lambda item: -item[0])
    seeds: list[Seed] = []
    for score, drift, i, cross in candidates:
        offset = float(correlation.lag_s[i])
        if all(abs(offset - seed.offset_s) > SEED_DISTANCE_MIN_S for seed in seeds):
            seeds += [Seed(offset, drift, mid_s, align(cross, m), m, cross, score) for m in handedness(cross)]
        if len(seeds) >= count:
            break
    return seeds


def _correlate(
    rate_cam: Float, time_s: Float, log: GyroLog, step_s: float, offset_range_s: tuple[float, float] | None
) -> _Correlation:
    middle = time_s[len(time_s) // 2]  # not the mean: where the clock jumps there is no frame
    inside = np.abs(time_s - middle) <= SEARCH_SPAN_S / 2
    rate_cam, time_s = rate_cam[inside], time_s[inside]
    h = float(np.clip(step_s / 4, 0.004, 0.02))
    members = _select_windows(rate_cam, time_s)
    _check_span(log, h, len(members))
    body, start_s = _resampled_rates(log, h, step_s)
    low, high = offset_range_s or (
        start_s - time_s[-1] * 0.6,
        start_s + len(body) * h - time_s[0] - 0.4 * (time_s[-1] - time_s[0]),
    )
    lags = np.arange(int(np.floor(low / h)), int(np.ceil(high / h)) + 1)
    if len(lags) < 2 or not members:
        raise SyncError(f"{log.source}: log and video cannot overlap in time, or the video has no motion to compare")
    cross = np.stack(
        [
            _cross_covariances(rate_cam[w] - rate_cam[w].mean(axis=0), time_s[w], body, start_s=start_s, h=h, lags=lags)
            for w in members
        ]
    )
    energy = np.stack([_log_energies(time_s[w], body, start_s, h, lags) for w in members])
    visual = np.array([np.sum((rate_cam[w] - rate_cam[w].mean(axis=0)) ** 2) for w in members])
    return _Correlation(
        cross, energy, visual, np.array([time_s[w].mean() for w in members]), np.asarray(lags * h, float)
    )


def _check_span(log: GyroLog, h: float, windows: int) -> None:
    """Raise SyncError where a search through the whole log would need too much memory."""
    span_s, most_s = float(log.time_s[-1] - log.time_s[0]), CORRELATION_CELLS_MAX * h / max(windows, 1)
    if span_s > most_s:
        raise SyncError(
            f"{log.source}: lasts {span_s / 3600:.3g} h, more than the {most_s / 3600:.3g} h that can be searched for "
            "this video; cut the log around it"
        )


def _resampled_rates(log: GyroLog, h: float, step_s: float) -> tuple[Float, float]:
    """Return the log's rates (n, 3) every `h` seconds, each the mean over `step_s`, as between two frames; and the
    time of the first."""
    t = np.arange(log.time_s[0], log.time_s[-1], h)
    return integrals(log.time_s, log.gyro_rad_s, t - step_s / 2, t + step_s / 2) / step_s, float(t[0])


def _select_windows(rate_cam: Float, time_s: Float) -> list[Int]:
    """Return the indices of at most WINDOWS_MAX windows, those with the most motion."""
    number = ((time_s - time_s[0]) / WINDOW_S).astype(int)
    members = [np.flatnonzero(number == k) for k in range(number[-1] + 1)]
    members = [w for w in members if len(w) >= 8] or ([np.arange(len(time_s))] if len(time_s) >= 8 else [])
    members.sort(key=lambda w: -float(rate_cam[w].var(axis=0).sum()))
    return members[:WINDOWS_MAX]


def _cross_covariances(rate_cam: Float, time_s: Float, body: Float, *, start_s: float, h: float, lags: Int) -> Float:
    """Return the sum over t of rate_cam(t) body(t + lag)', (lags, 3, 3), by FFT on the grid of the log."""
    place = np.round((time_s - start_s) / h).astype(int)
    origin = place[0]
    picture = np.zeros((place[-1] - origin + 1, 3))
    np.add.at(picture, place - origin, rate_cam)
    size = next_fast_len(len(body) + len(picture))
    spectrum = rfft(body, size, axis=0)
    kernel = np.conj(rfft(picture, size, axis=0))
    at = origin + lags
    usable = (at > -len(picture)) & (at < len(body))
    out = np.zeros((len(lags), 3, 3))
    for i in range(3):
        for j in range(3):
            out[usable, i, j] = irfft(kernel[:, i] * spectrum[:, j], size)[at[usable] % size]
    return out


def _log_energies(time_s: Float, body: Float, start_s: float, h: float, lags: Int) -> Float:
    """Return the variance of the log over the window times the number of frames, per lag; zero beyond the log."""
    sums = np.concatenate([np.zeros((1, 4)), np.cumsum(np.column_stack([body, np.sum(body**2, axis=1)]), axis=0)])
    first = np.round((time_s[0] - start_s) / h).astype(int) + lags
    last = np.round((time_s[-1] - start_s) / h).astype(int) + lags + 1
    span = sums[np.clip(last, 0, len(body))] - sums[np.clip(first, 0, len(body))]
    cells = np.maximum(last - first, 1)
    return np.asarray((span[:, 3] - np.sum(span[:, :3] ** 2, axis=1) / cells) * len(time_s) / cells)


def _drift_grid(correlation: _Correlation, max_drift: float) -> Float:
    """Return drifts at which each window moves by at most two lags from one to the next."""
    reach = float(np.ptp(correlation.centre_s)) / 2
    lag = float(correlation.lag_s[1] - correlation.lag_s[0])
    side = int(np.ceil(max_drift * reach / (2 * lag)))
    return np.linspace(-max_drift, max_drift, 2 * side + 1) if side else np.zeros(1)


def _sum_windows(correlation: _Correlation, drift: float, mid_s: float) -> tuple[Float, Float]:
    """Sum the windows, each shifted by drift (centre - mid): covariance (lags, 3, 3) and the product of both norms
    (lags,)."""
    lag = correlation.lag_s[1] - correlation.lag_s[0]
    shifts = np.round(drift * (correlation.centre_s - mid_s) / lag).astype(int)
    index = np.arange(len(correlation.lag_s))
    cross = np.zeros(correlation.cross.shape[1:])
    energy = np.zeros(len(index))
    for shift, window, window_energy in zip(shifts, correlation.cross, correlation.energy, strict=True):
        moved = np.clip(index + shift, 0, len(index) - 1)
        cross += window[moved]
        energy += window_energy[moved]
    floor = 0.05 * float(np.median(energy)) + 1e-12
    return cross, np.sqrt(correlation.visual.sum() * np.maximum(energy, floor))
