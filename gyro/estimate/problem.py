"""The input of the solver: selected matches, a start, and the prior of every parameter."""

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

MATCHES_MAX = 8000  # more cost time and gain no accuracy
MATCHES_PER_PAIR_MIN = 8
PAIRS_MIN = 12
SQUARE_MOUNT_SHARE_MIN = 0.985  # of the motion explained by a signed permutation: the sensor is mounted square
EQUAL_SHARE_TOLERANCE = 0.02  # difference of shares that is noise
STATED_AXES_SHARE_MIN = 0.9  # of the motion explained by the axes that the log states


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """Prior knowledge; None is unknown. A standard deviation of 0 fixes a value."""

    offset_range_s: tuple[float, float] | None = None
    """Bounds of the offset: log time minus video time at the start of the video."""
    max_drift: float = 0.015
    focal_px: float | None = None
    """Of the full-size frame, as is `k1`."""
    focal_rel_std: float = 0.35
    k1: float = 0.0
    k1_std: float = 0.1
    readout_s: float = 0.0
    """Rolling-shutter readout time, positive from top to bottom."""
    readout_std_s: float = 0.02
    R_cam_gyro: Rotation | None = None
    rotation_std_rad: float = 0.5
    stated_rotation_std_rad: float = 0.03
    bias_std_rad_s: float = 0.02
    lens: Lens | None = None
    """Replaces the self-calibrated lens. Then `focal_rel_std` and `k1_std` are its uncertainty: cameras crop
    electronically without stating it."""
    seed: int = 0

    def prior_focal_px(self, tracks: Tracks) -> float:
        """Return the initial focal length: of the lens, of the settings, or of a common wide camera."""
        if self.lens is not None:
            return float(self.lens.K[0, 0])
        return self.focal_px or 0.9 * max(tracks.width, tracks.height)


@dataclass(frozen=True, slots=True)
class Problem:
    """The input of the solver for one seed."""

    obs: Observations
    log: GyroLog
    """With negated rates where the seed is improper."""
    prior: Prior
    seed: Seed
    stated: bool
    """Whether the mount is known."""


def normalize_points(tracks: Tracks, settings: SyncSettings) -> Float:
    """Return the matches (2, m, 2) around the centre in units of the prior focal length, undistorted by a known lens;
    NaN outside its field of view."""
    both = np.stack([tracks.prev_px, tracks.next_px])
    if settings.lens is None:
        return np.asarray((both - tracks.centre_px) / settings.prior_focal_px(tracks))
    lens: Lens = settings.lens
    if (lens.width, lens.height) != (tracks.width, tracks.height):
        lens = resize_lens(lens, tracks.width, tracks.height)
    return undistort(lens, (both - lens.K[:2, 2]) / (lens.K[0, 0], lens.K[1, 1]))


def make_problems(tracks: Tracks, flat: Float, log: GyroLog, seed: Seed, settings: SyncSettings) -> list[Problem]:
    """Return the problems that start at a seed, one for every possible mount; `flat` (2, m, 2) are the matches in units
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
    """Return the initial values of R_cam_gyro, and whether it is known: from the settings, or from the log where the
    video agrees. Otherwise these are all signed permutations that explain the motion equally well (several, where the
    camera rotates about one axis), or the best free rotation."""
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
    """Return the prior standard deviations (12,); the offset is free, so that the seed does not bias it."""
    rotation = [settings.stated_rotation_std_rad if stated else settings.rotation_std_rad] * 3
    bias = [settings.bias_std_rad_s] * 3
    readout = [settings.readout_std_s] * 2
    return np.array([np.inf, settings.max_drift, *rotation, *bias, settings.focal_rel_std, *readout, settings.k1_std])


def select_matches(tracks: Tracks, flat: Float, log: GyroLog, camera: Camera, seed: int) -> Int:
    """Select the matches that the log covers, at most MATCHES_MAX, from pairs with enough of them."""
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
    """Return at most `limit` of the selection, the same share of every pair, but at least MATCHES_PER_PAIR_MIN each."""
    rank = np.empty(len(selection), int)
    order = np.lexsort((np.random.default_rng(seed).random(len(selection)), pair))
    rank[order] = np.arange(len(selection)) - np.searchsorted(pair, pair[order])
    count = np.bincount(pair)[pair]
    share = max(min(limit / max(len(selection), 1), 1.0), 0.0)
    return np.asarray(selection[rank < np.maximum(np.ceil(share * count), MATCHES_PER_PAIR_MIN)])
