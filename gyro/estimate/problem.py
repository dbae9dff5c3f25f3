"""What the solver is given: which matches, which start, and how far each parameter may stray from what is known
beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from gyro.errors import SyncError
from gyro.lens import Lens, resize_lens, undistort
from gyro.log import Float, GyroLog

from .axes import rank_axes
from .integrate import find_gaps, in_gaps
from .model import Camera, Observations, observe
from .seed import Seed
from .solve import Prior
from .tracks import Int, Tracks

MATCHES_MAX = 8000  # more matches than this buy time, not accuracy
MATCHES_PER_PAIR_MIN = 8
PAIRS_MIN = 12
SQUARE_MOUNT_SHARE_MIN = (
    0.985  # of the motion: a sensor that a signed permutation explains this well is taken to be mounted square
)
EQUAL_SHARE_TOLERANCE = 0.02  # shares that differ by less are one and the same to noise
STATED_AXES_SHARE_MIN = 0.9  # the same for axes that the log states


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

    obs: Observations
    log: GyroLog
    prior: Prior
    seed: Seed
    stated: bool


def normalize_points(tracks: Tracks, settings: SyncSettings) -> Float:
    """Matches (2, m, 2) in units of the prior focal length around the centre, a known lens taken out; NaN where it
    shows nothing."""
    both = np.stack([tracks.prev_px, tracks.next_px])
    if settings.lens is None:
        return np.asarray((both - tracks.centre_px) / settings.prior_focal_px(tracks))
    lens: Lens = settings.lens
    if (lens.width, lens.height) != (tracks.width, tracks.height):
        lens = resize_lens(lens, tracks.width, tracks.height)
    return undistort(lens, (both - lens.K[:2, 2]) / (lens.K[0, 0], lens.K[1, 1]))


def make_problems(tracks: Tracks, flat: Float, log: GyroLog, seed: Seed, settings: SyncSettings) -> list[Problem]:
    """The problems that start at a seed, one for every mount that it allows; `flat` (2, m, 2) are the matches in units
    of the prior focal length."""
    mounts, stated = _mount_candidates(log, seed, settings)
    log = replace(log, gyro_rad_s=-log.gyro_rad_s) if seed.improper else log
    readout = np.array([log.readout_s or settings.readout_s, 0.0])
    mean = Camera(seed.offset_s, seed.drift, mounts[0], np.zeros(3), 0.0, readout, settings.k1, seed.mid_s)
    selection = select_matches(tracks, flat, log, mean, settings.seed)
    obs = observe(tracks, flat, selection, settings.prior_focal_px(tracks))
    mid = float(obs.time_s.mean())
    mean = replace(mean, offset_s=seed.offset_s + seed.drift * (mid - seed.mid_s), mid_s=mid)
    std = _prior_std(settings, stated)
    return [Problem(obs, log, Prior(replace(mean, R_cam_gyro=mount), std), seed, stated) for mount in mounts]


def _mount_candidates(log: GyroLog, seed: Seed, settings: SyncSettings) -> tuple[list[Rotation], bool]:
    """Where R_cam_gyro may start, and whether it is stated: by the caller, or by the log as far as the picture agrees.
    Otherwise all signed permutations that explain the motion equally well (several, where it turns about one axis), or
    the rotation that does."""
    if settings.R_cam_gyro is not None:
        return [settings.R_cam_gyro], True
    sign = -1 if seed.improper else 1
    total = float(np.linalg.svd(seed.covariance, compute_uv=False).sum())
    stated = log.R_cam_gyro
    if (
        stated is not None
        and np.linalg.det(stated) * sign > 0
        and np.sum(seed.covariance * stated) > STATED_AXES_SHARE_MIN * total
    ):
        return [Rotation.from_matrix(sign * stated)], True
    permutations = [axes for axes in rank_axes(seed.covariance) if axes.improper == seed.improper]
    best = [
        axes
        for axes in permutations
        if axes.share > max(SQUARE_MOUNT_SHARE_MIN, permutations[0].share - EQUAL_SHARE_TOLERANCE)
    ]
    if best:
        return [Rotation.from_matrix(sign * axes.matrix) for axes in best], False
    return [seed.R_cam_gyro], False


def _prior_std(settings: SyncSettings, stated: bool) -> Float:
    """Prior standard deviations (12,); that of the offset is infinite, for the seed has no say in the answer."""
    rotation = [settings.stated_rotation_std_rad if stated else settings.rotation_std_rad] * 3
    bias = [settings.bias_std_rad_s] * 3
    readout = [settings.readout_std_s] * 2
    return np.array([np.inf, settings.max_drift, *rotation, *bias, settings.focal_rel_std, *readout, settings.k1_std])


def select_matches(tracks: Tracks, flat: Float, log: GyroLog, camera: Camera, seed: int) -> Int:
    """Matches that the log covers, at most MATCHES, in pairs with enough of them."""
    centre = tracks.time_s[:-1] + np.diff(tracks.time_s) / 2
    log_time_s = camera.log_time(centre)
    margin = tracks.interval_s + 0.05
    covered = (log_time_s > log.time_s[0] + margin) & (log_time_s < log.time_s[-1] - margin)
    covered &= ~in_gaps(find_gaps(log), log_time_s, margin)
    counts = np.bincount(tracks.pair, minlength=len(centre))
    covered &= (counts >= MATCHES_PER_PAIR_MIN) & (np.diff(tracks.time_s) < 3 * tracks.interval_s)
    selection = np.flatnonzero(covered[tracks.pair] & np.isfinite(flat).all(axis=(0, 2)))
    if covered.sum() < PAIRS_MIN:
        raise SyncError(
            f"{log.source}: only {covered.sum()} frame pairs with matches lie inside the log; {PAIRS_MIN} are needed"
        )
    return thin_matches(selection, tracks.pair[selection], MATCHES_MAX, seed)


def thin_matches(selection: Int, pair: Int, limit: int, seed: int) -> Int:
    """At most `limit` of `selection`, the same share of every pair, but never fewer than MIN_MATCHES of one."""
    rank = np.empty(len(selection), int)
    order = np.lexsort((np.random.default_rng(seed).random(len(selection)), pair))
    rank[order] = np.arange(len(selection)) - np.searchsorted(pair, pair[order])
    count = np.bincount(pair)[pair]
    share = max(min(limit / max(len(selection), 1), 1.0), 0.0)
    return np.asarray(selection[rank < np.maximum(np.ceil(share * count), MATCHES_PER_PAIR_MIN)])
