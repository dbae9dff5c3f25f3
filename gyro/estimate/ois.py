"""The stabilising lens: where it shifts the picture, from its log or, without one, from what rotation leaves in the
picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import uniform_filter1d

from gyro.log import Float, GyroLog, OisLog

from .model import Camera, Observations, normals, observe
from .problem import SyncSettings, choose, flatten
from .residuals import residual_px
from .result import SyncResult
from .sync import synchronize
from .tracks import Int, Tracks
from .translation import loss_weight, sum_pairs

DVS_SENSOR = (4032.0, 2272.0)  # counts of the log over the width and height of the picture
MOST_SHIFT = 0.03  # of the picture's long side: about what a phone's lens can do
SLOW_S = 3.0  # a lens comes back to its middle; what lasts longer is parallax
LEAST_GAIN = 0.3  # of the residual on matches that the estimate has not seen
MOST_SPREAD = (
    1.5  # of the residual along the shift over that across it: a lens moves near and far alike, parallax does not
)
ROUNDS = 8
MARGIN = 8  # knots beyond the times that are asked for, on which a cubic spline there depends


@dataclass(frozen=True, slots=True)
class LensShift:
    """The principal point's way from the middle of the picture: `shift_px` (n, 2), x and y, at video times `time_s`
    (n,).

    `helps`: whether it is to be used. `gain` is the share of the residual that it takes from matches it was not made
    of, `spread` the residual along the shift over that across it, `rms_px` its size. A logged shift is not judged:
    gain 1, spread 1.
    """

    time_s: Float
    shift_px: Float
    helps: bool
    gain: float
    spread: float
    rms_px: float

    def at(self, t_video_s: Float) -> Float:
        """Shift (m, 2) in pixels at video times; held beyond the ends, zero where the estimate does not help."""
        if not self.helps:
            return np.zeros((len(t_video_s), 2))
        t = np.clip(t_video_s, self.time_s[0], self.time_s[-1])
        first, last = np.searchsorted(self.time_s, (t.min(), t.max())) if len(t) else (0, 0)
        near = slice(max(int(first) - MARGIN, 0), int(last) + MARGIN)  # a log may be an hour long
        return np.asarray(CubicSpline(self.time_s[near], self.shift_px[near])(t))


def logged_shift(ois: OisLog, sync: SyncResult, width: int, height: int) -> LensShift:
    """From a log on the gyro's clock: x counts W / 4032 to the right, y counts H / 2272 downwards (DVS, Shi et al.
    2022)."""
    shift = ois.shift * (np.array([width, height]) / DVS_SENSOR)
    rms = float(np.sqrt(np.mean(np.sum(shift**2, axis=1))))
    return LensShift(sync.video_time(ois.time_s), shift, True, 1.0, 1.0, rms)


def without_shift(tracks: Tracks, lens: LensShift, sync: SyncResult) -> Tracks:
    """The matches as a lens that stays in its place would have given them: what is left is for synchronisation, which
    takes a moving lens for parallax where it is small."""
    axis, length = (0, tracks.width) if sync.readout_axis == "columns" else (1, tracks.height)

    def held(px: Float, frame: Int) -> Float:
        line = px[:, axis] / max(length - 1, 1) - 0.5
        return px - lens.at(tracks.time_s[frame] + sync.readout_s * line)

    return replace(tracks, prev_px=held(tracks.prev_px, tracks.pair), next_px=held(tracks.next_px, tracks.pair + 1))


def synchronize_held(tracks: Tracks, log: GyroLog, settings: SyncSettings | None = None) -> SyncResult:
    """As `synchronize`; with a lens log a second time, the lens held still: its motion blurs clock and parallax."""
    sync = synchronize(tracks, log, settings)
    if log.ois is None or not sync.accepted:
        return sync
    shift = logged_shift(log.ois, sync, tracks.width, tracks.height)
    return synchronize(without_shift(tracks, shift, sync), log, settings)


def estimate_shift(tracks: Tracks, log: GyroLog, sync: SyncResult, settings: SyncSettings | None = None) -> LensShift:
    """The lens shift that the picture shows once the log's rotation is taken out of it.

    Per pair of frames one robust shift beside one scale, so that walking forward does not count; summed over time, and
    freed of what is slower than 3 s. Off (`helps` false) where it does not carry over to other matches, is more than a
    lens can do, or spreads along its own direction as parallax does.
    """
    seen, e = _left(tracks, log, sync, settings or SyncSettings())
    half = np.random.default_rng(0).random(len(e)) < 0.5
    step = _steps(seen, e, np.ones(len(e)))
    gain = _gain(seen, e, half)
    spread = _spread(e - step[seen.pair], step[seen.pair])
    time_s, shift = _sum_up(seen, step, tracks.interval_s)
    largest = float(np.abs(shift).max()) if len(shift) else 0.0
    helps = gain > LEAST_GAIN and spread < MOST_SPREAD and largest < MOST_SHIFT * max(tracks.width, tracks.height)
    return LensShift(time_s, shift, helps, gain, spread, float(np.sqrt(np.mean(np.sum(shift**2, axis=1)))))


def _left(tracks: Tracks, log: GyroLog, sync: SyncResult, settings: SyncSettings) -> tuple[Observations, Float]:
    """The matches and the displacement (k, 2) in pixels that rotation leaves."""
    flat = flatten(tracks, settings)
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
    seen = observe(tracks, flat, choose(tracks, flat, log, camera, settings.seed), base)
    return seen, residual_px(normals(seen, log, camera)[0], None)


def _steps(seen: Observations, e: Float, weight: Float) -> Float:
    """Change of the shift (pairs, 2) from frame to frame: e = shift + scale * position, robustly, per pair."""
    design = np.zeros((len(e), 2, 3))
    design[:, 0, 0] = design[:, 1, 1] = 1
    design[:, :, 2] = seen.flat[0]
    found = np.zeros((seen.pairs, 3))
    share = weight
    for _ in range(ROUNDS):
        A = sum_pairs(np.einsum("irp,irq,i->ipq", design, design, share), seen.pair, seen.pairs)
        b = sum_pairs(np.einsum("irp,ir,i->ip", design, e, share), seen.pair, seen.pairs)
        found = np.asarray(np.linalg.solve(A + 1e-6 * np.eye(3), b[..., None])[..., 0])
        left = np.sum((e - np.einsum("irp,ip->ir", design, found[seen.pair])) ** 2, axis=1)
        sigma = 0.85 * float(np.sqrt(np.median(left[weight > 0])))
        share = weight * loss_weight(left, max(sigma, 1e-6))
    return found[:, :2]


def _gain(seen: Observations, e: Float, half: NDArray[np.bool_]) -> float:
    """Share of the median residual of one half of the matches that the shift estimated from the other takes away."""
    step = _steps(seen, e, np.where(half, 1.0, 1e-12))
    before = np.median(np.linalg.norm(e[~half], axis=1))
    after = np.median(np.linalg.norm((e - step[seen.pair])[~half], axis=1))
    return float(1 - after / max(before, 1e-12))


def _spread(left: Float, step: Float) -> float:
    """Median residual along the step over that across it, where the steps are large."""
    size = np.linalg.norm(step, axis=1)
    large = size > np.median(size)
    along = step[large] / np.maximum(size[large], 1e-12)[:, None]
    parallel = np.abs(np.sum(left[large] * along, axis=1))
    across = np.abs(left[large, 0] * along[:, 1] - left[large, 1] * along[:, 0])
    return float(np.median(parallel) / max(np.median(across), 1e-12)) if large.any() else 1.0


def _sum_up(seen: Observations, step: Float, interval_s: float) -> tuple[Float, Float]:
    """Frame times (n,) and shifts (n, 2) from the steps of the pairs, the slow part taken off."""
    first = np.searchsorted(seen.pair, np.arange(seen.pairs))
    time_s = np.append(seen.time_s[0][first], seen.time_s[1][-1])
    shift = np.vstack([np.zeros(2), np.cumsum(step, axis=0)])
    window = int(np.clip(round(SLOW_S / interval_s), 3, max(len(shift), 3)))
    return time_s, shift - uniform_filter1d(shift, window, axis=0, mode="nearest")
