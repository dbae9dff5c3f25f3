"""What the solver is given: which matches, which start, and how far each parameter may stray from what is known
beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from gyro.errors import SyncError
from gyro.lens import Lens, resized, undistort
from gyro.log import Float, GyroLog

from .axes import rank_axes
from .integrate import find_gaps, in_gaps
from .model import Camera, Observations, observe
from .seed import Seed
from .solve import Prior
from .tracks import Int, Tracks

MATCHES = 8000  # more matches than this buy time, not accuracy
MIN_MATCHES = 8
MIN_PAIRS = 12
SQUARE = 0.985  # of the motion: a sensor that a signed permutation explains this well is taken to be mounted square
EQUAL = 0.02  # shares that differ by less are one and the same to noise
STATED = 0.9  # the same for axes that the log states


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """What is known beforehand; None is unknown. A standard error of 0 holds a value exactly.

    `lens` replaces the self-calibrated one: then `focal_rel_std` and `k1_std` are how far it may be off (an electronic
    crop scales a picture without a word). `offset_range_s` bounds the offset (log time minus video time at the start
    of the video). `focal_px` and `k1` are of the full-size picture; `readout_s` is positive from top to bottom.
    """

    offset_range_s: tuple[float, float] | None = None
    max_drift: float = 0.015
    focal_px: float | None = None
    focal_rel_std: float = 0.35
    k1: float = 0.0
    k1_std: float = 0.1
    readout_s: float = 0.0
    readout_std_s: float = 0.02
    R_cam_gyro: Rotation | None = None
    rotation_std_rad: float = 0.5
    stated_rotation_std_rad: float = 0.03
    bias_std_rad_s: float = 0.02
    lens: Lens | None = None
    seed: int = 0

    def prior_focal_px(self, tracks: Tracks) -> float:
        """The focal length to start from: the lens's, the one given, or that of a common wide camera."""
        if self.lens is not None:
            return float(self.lens.K[0, 0])
        return self.focal_px or 0.9 * max(tracks.width, tracks.height)


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything the solver wants for one seed; `log` has its rates negated where the seed says so. `stated`: the
    mount is known."""

    seen: Observations
    log: GyroLog
    prior: Prior
    seed: Seed
    stated: bool


def flatten(tracks: Tracks, settings: SyncSettings) -> Float:
    """Matches (2, m, 2) in units of the prior focal length around the centre, a known lens taken out; NaN where it
    shows nothing."""
    both = np.stack([tracks.prev_px, tracks.next_px])
    if settings.lens is None:
        return np.asarray((both - tracks.centre_px) / settings.prior_focal_px(tracks))
    lens: Lens = settings.lens
    if (lens.width, lens.height) != (tracks.width, tracks.height):
        lens = resized(lens, tracks.width, tracks.height)
    return undistort(lens, (both - lens.K[:2, 2]) / (lens.K[0, 0], lens.K[1, 1]))


def make_problems(tracks: Tracks, flat: Float, log: GyroLog, seed: Seed, settings: SyncSettings) -> list[Problem]:
    """The problems that start at a seed, one for every mount that it allows; `flat` (2, m, 2) are the matches in units
    of the prior focal length."""
    mounts, stated = _mounts(log, seed, settings)
    log = replace(log, gyro_rad_s=-log.gyro_rad_s) if seed.improper else log
    readout = np.array([log.readout_s or settings.readout_s, 0.0])
    mean = Camera(seed.offset_s, seed.drift, mounts[0], np.zeros(3), 0.0, readout, settings.k1, seed.mid_s)
    keep = choose(tracks, flat, log, mean, settings.seed)
    seen = observe(tracks, flat, keep, settings.prior_focal_px(tracks))
    mid = float(seen.time_s.mean())
    mean = replace(mean, offset_s=seed.offset_s + seed.drift * (mid - seed.mid_s), mid_s=mid)
    width = _widths(settings, stated)
    return [Problem(seen, log, Prior(replace(mean, R_cam_gyro=mount), width), seed, stated) for mount in mounts]


def _mounts(log: GyroLog, seed: Seed, settings: SyncSettings) -> tuple[list[Rotation], bool]:
    """Where R_cam_gyro may start, and whether it is stated: by the caller, or by the log as far as the picture agrees.
    Otherwise all signed permutations that explain the motion equally well (several, where it turns about one axis), or
    the rotation that does."""
    if settings.R_cam_gyro is not None:
        return [settings.R_cam_gyro], True
    sign = -1 if seed.improper else 1
    total = float(np.linalg.svd(seed.covariance, compute_uv=False).sum())
    stated = log.R_cam_gyro
    if stated is not None and np.linalg.det(stated) * sign > 0 and np.sum(seed.covariance * stated) > STATED * total:
        return [Rotation.from_matrix(sign * stated)], True
    square = [axes for axes in rank_axes(seed.covariance) if axes.improper == seed.improper]
    equal = [axes for axes in square if axes.share > max(SQUARE, square[0].share - EQUAL)]
    if equal:
        return [Rotation.from_matrix(sign * axes.matrix) for axes in equal], False
    return [seed.R_cam_gyro], False


def _widths(settings: SyncSettings, stated: bool) -> Float:
    """Prior standard deviations (12,); that of the offset is infinite, for the seed has no say in the answer."""
    rotation = [settings.stated_rotation_std_rad if stated else settings.rotation_std_rad] * 3
    bias = [settings.bias_std_rad_s] * 3
    readout = [settings.readout_std_s] * 2
    return np.array([np.inf, settings.max_drift, *rotation, *bias, settings.focal_rel_std, *readout, settings.k1_std])


def choose(tracks: Tracks, flat: Float, log: GyroLog, camera: Camera, seed: int) -> Int:
    """Matches that the log covers, at most MATCHES, in pairs with enough of them."""
    centre = tracks.time_s[:-1] + np.diff(tracks.time_s) / 2
    at = camera.log_time(centre)
    margin = tracks.interval_s + 0.05
    covered = (at > log.time_s[0] + margin) & (at < log.time_s[-1] - margin)
    covered &= ~in_gaps(find_gaps(log), at, margin)
    counts = np.bincount(tracks.pair, minlength=len(centre))
    covered &= (counts >= MIN_MATCHES) & (np.diff(tracks.time_s) < 3 * tracks.interval_s)
    keep = np.flatnonzero(covered[tracks.pair] & np.isfinite(flat).all(axis=(0, 2)))
    if covered.sum() < MIN_PAIRS:
        raise SyncError(
            f"{log.source}: only {covered.sum()} frame pairs with matches lie inside the log; {MIN_PAIRS} are needed"
        )
    return thin(keep, tracks.pair[keep], MATCHES, seed)


def thin(keep: Int, pair: Int, limit: int, seed: int) -> Int:
    """At most `limit` of `keep`, the same share of every pair, but never fewer than MIN_MATCHES of one."""
    rank = np.empty(len(keep), int)
    order = np.lexsort((np.random.default_rng(seed).random(len(keep)), pair))
    rank[order] = np.arange(len(keep)) - np.searchsorted(pair, pair[order])
    count = np.bincount(pair)[pair]
    share = max(min(limit / max(len(keep), 1), 1.0), 0.0)
    return np.asarray(keep[rank < np.maximum(np.ceil(share * count), MIN_MATCHES)])
