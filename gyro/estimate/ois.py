"""Optical image stabilisation: the shift of the stabilising lens, from its log or estimated from the video."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import uniform_filter1d

from gyro.log import Float, GyroLog, OisLog

from .model import Camera, Observations, normals, observe
from .problem import SyncSettings, normalize_points, select_matches
from .residuals import residual_px
from .result import SyncResult
from .sync import synchronize
from .tracks import Int, Tracks
from .translation import loss_weight, sum_pairs

DVS_COUNTS_PER_FRAME = (4032.0, 2272.0)  # counts of the log over the width and the height of the frame
# Thresholds of an estimated shift, set by benchmarks/lens_shift.py.
SHIFT_MAX_SHARE = 0.03  # of the frame's long side; phones reach about as much
HIGH_PASS_WINDOW_S = 3.0  # the lens returns to its centre; slower residuals are parallax
GAIN_MIN = 0.3  # share of the residual removed from held-out matches
SPREAD_MAX = 1.5  # residual along the shift over residual across it; parallax, unlike a shift, depends on depth
IRLS_ITERATIONS = 8
SPLINE_MARGIN_KNOTS = 8  # knots beyond the requested times on which a cubic spline still depends noticeably


@dataclass(frozen=True, slots=True)
class LensShift:
    """Shift of the principal point over video time. A logged shift is not judged: `gain` and `spread` are 1."""

    time_s: Float
    """(n,) video times."""
    shift_px: Float
    """(n, 2) x and y, from the middle of the frame."""
    helps: bool
    """Whether the shift is to be used."""
    gain: float
    """Share of the residual that it removes from held-out matches."""
    spread: float
    """Residual along the shift over residual across it."""
    rms_px: float

    def at(self, t_video_s: Float) -> Float:
        """Return the shift (m, 2) in pixels at video times: constant beyond the ends, zero unless it helps."""
        if not self.helps:
            return np.zeros((len(t_video_s), 2))
        t = np.clip(t_video_s, self.time_s[0], self.time_s[-1])
        first, last = np.searchsorted(self.time_s, (t.min(), t.max())) if len(t) else (0, 0)
        span = slice(
            max(int(first) - SPLINE_MARGIN_KNOTS, 0), int(last) + SPLINE_MARGIN_KNOTS
        )  # a log can last an hour
        return np.asarray(CubicSpline(self.time_s[span], self.shift_px[span])(t))


def logged_shift(ois: OisLog, sync: SyncResult, width: int, height: int) -> LensShift:
    """Return the shift of a log on the gyroscope's clock: x counts W / 4032 to the right, y counts H / 2272 downwards
    (DVS, Shi et al. 2022)."""
    shift = ois.shift * (np.array([width, height]) / DVS_COUNTS_PER_FRAME)
    rms = float(np.sqrt(np.mean(np.sum(shift**2, axis=1))))
    return LensShift(sync.video_time(ois.time_s), shift, True, 1.0, 1.0, rms)


def remove_lens_shift(tracks: Tracks, lens: LensShift, sync: SyncResult) -> Tracks:
    """Return the matches without the lens shift. Synchronisation would mistake a small shift for parallax."""
    axis, length = (0, tracks.width) if sync.readout_axis == "columns" else (1, tracks.height)

    def compensate(px: Float, frame: Int) -> Float:
        line = px[:, axis] / max(length - 1, 1) - 0.5
        return px - lens.at(tracks.time_s[frame] + sync.readout_s * line)

    return replace(
        tracks, prev_px=compensate(tracks.prev_px, tracks.pair), next_px=compensate(tracks.next_px, tracks.pair + 1)
    )


def synchronize_with_ois(tracks: Tracks, log: GyroLog, settings: SyncSettings | None = None) -> SyncResult:
    """As `synchronize`; with a lens log once more without the lens shift, which biases offset and parallax."""
    sync = synchronize(tracks, log, settings)
    if log.ois is None or not sync.accepted:
        return sync
    shift = logged_shift(log.ois, sync, tracks.width, tracks.height)
    return synchronize(remove_lens_shift(tracks, shift, sync), log, settings)


def estimate_shift(tracks: Tracks, log: GyroLog, sync: SyncResult, settings: SyncSettings | None = None) -> LensShift:
    """Estimate the lens shift from the matches that the log's rotation does not explain.

    Each pair of frames gives one robust shift and one scale, which absorbs walking forward. The shifts are summed over
    time and high-pass filtered. `helps` is false where the shift does not carry over to held-out matches, is larger
    than a lens can move, or leaves residuals along its own direction, as parallax does.
    """
    obs, residual_2d = _rotation_residuals(tracks, log, sync, settings or SyncSettings())
    subset = np.random.default_rng(0).random(len(residual_2d)) < 0.5
    step = _shift_steps(obs, residual_2d, np.ones(len(residual_2d)))
    gain = _held_out_gain(obs, residual_2d, subset)
    spread = _spread(residual_2d - step[obs.pair], step[obs.pair])
    time_s, shift = _accumulate_steps(obs, step, tracks.interval_s)
    largest = float(np.abs(shift).max()) if len(shift) else 0.0
    helps = gain > GAIN_MIN and spread < SPREAD_MAX and largest < SHIFT_MAX_SHARE * max(tracks.width, tracks.height)
    return LensShift(time_s, shift, helps, gain, spread, float(np.sqrt(np.mean(np.sum(shift**2, axis=1)))))


def _rotation_residuals(
    tracks: Tracks, log: GyroLog, sync: SyncResult, settings: SyncSettings
) -> tuple[Observations, Float]:
    """Return the matches and the displacement (k, 2) in pixels that rotation leaves."""
    flat = normalize_points(tracks, settings)
    base = settings.prior_focal_px(tracks)
    columns = sync.readout_axis == "columns"
    sign = -1 if sync.improper else 1
    camera = Camera(
        sync.offset_s + sync.drift * sync.mid_s,
        sync.drift,
        sync.R_cam_gyro,
        sign * sync.bias_rad_s,
        float(np.log(sync.focal_px / base)),
        np.array([0.0, sync.readout_s] if columns else [sync.readout_s, 0.0]),
        sync.k1,
        sync.mid_s,
    )
    log = replace(log, gyro_rad_s=sign * log.gyro_rad_s)
    obs = observe(tracks, flat, select_matches(tracks, flat, log, camera, settings.seed), base)
    return obs, residual_px(normals(obs, log, camera)[0], None)


def _shift_steps(obs: Observations, residual_2d: Float, weight: Float) -> Float:
    """Return the change of the shift (pairs, 2) from frame to frame: a robust fit of shift + scale * position per
    pair."""
    design = np.zeros((len(residual_2d), 2, 3))
    design[:, 0, 0] = design[:, 1, 1] = 1
    design[:, :, 2] = obs.flat[0]
    solution = np.zeros((obs.pairs, 3))
    weights = weight
    for _ in range(IRLS_ITERATIONS):
        A = sum_pairs(np.einsum("irp,irq,i->ipq", design, design, weights), obs.pair, obs.pairs)
        b = sum_pairs(np.einsum("irp,ir,i->ip", design, residual_2d, weights), obs.pair, obs.pairs)
        solution = np.asarray(np.linalg.solve(A + 1e-6 * np.eye(3), b[..., None])[..., 0])
        residual = np.sum((residual_2d - np.einsum("irp,ip->ir", design, solution[obs.pair])) ** 2, axis=1)
        sigma = 0.85 * float(np.sqrt(np.median(residual[weight > 0])))
        weights = weight * loss_weight(residual, max(sigma, 1e-6))
    return solution[:, :2]


def _held_out_gain(obs: Observations, residual_2d: Float, subset: NDArray[np.bool_]) -> float:
    """Return the share of the median residual of one half of the matches that a shift from the other half removes."""
    step = _shift_steps(obs, residual_2d, np.where(subset, 1.0, 1e-12))
    before = np.median(np.linalg.norm(residual_2d[~subset], axis=1))
    after = np.median(np.linalg.norm((residual_2d - step[obs.pair])[~subset], axis=1))
    return float(1 - after / max(before, 1e-12))


def _spread(residual: Float, step: Float) -> float:
    """Return the median residual along the step over that across it, for the larger steps."""
    size = np.linalg.norm(step, axis=1)
    large = size > np.median(size)
    along = step[large] / np.maximum(size[large], 1e-12)[:, None]
    parallel = np.abs(np.sum(residual[large] * along, axis=1))
    across = np.abs(residual[large, 0] * along[:, 1] - residual[large, 1] * along[:, 0])
    return float(np.median(parallel) / max(np.median(across), 1e-12)) if large.any() else 1.0


def _accumulate_steps(obs: Observations, step: Float, interval_s: float) -> tuple[Float, Float]:
    """Return frame times (n,) and high-pass filtered shifts (n, 2) from the steps of the pairs."""
    first = np.searchsorted(obs.pair, np.arange(obs.pairs))
    time_s = np.append(obs.time_s[0][first], obs.time_s[1][-1])
    shift = np.vstack([np.zeros(2), np.cumsum(step, axis=0)])
    window = int(np.clip(round(HIGH_PASS_WINDOW_S / interval_s), 3, max(len(shift), 3)))
    return time_s, shift - uniform_filter1d(shift, window, axis=0, mode="nearest")
