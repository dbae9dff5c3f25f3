"""Bring a log and a video together: clock, axes, bias, focal length, shutter, each with its standard error, or a
refusal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial.transform import Rotation

from gyro.errors import SyncError
from gyro.log import Float, GyroLog

from .evidence import Evidence, refusal, weigh
from .integrate import find_gaps
from .model import INDEX, PARAMETERS, Camera, Observations, observe
from .seed import Seed, find_seeds
from .solve import Fit, Prior, solve
from .tracks import Int, Tracks
from .visual import camera_rates

MATCHES = 20000  # more than this many matches buy time, not accuracy
ROUGH_MATCHES = 3000
MIN_MATCHES = 8
SERIOUS = 0.8  # of the best correlation: what reaches it is a candidate that only the fit can decide
MIN_PAIRS = 12
READOUTS = ("readout_rows_s", "readout_columns_s")
STILL_CAMERA = 1.12  # noise ratio, with and without translation, below which the clip shows no parallax
HELD_SHARE = 0.5  # of the prior's width: what the clip narrows by less than this is not shown by it
INFLATE = 1.25  # of the sandwich errors: calibrated by benchmarks/gyro_sync.py


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """What is known beforehand; None is unknown. A standard error of 0 holds a value exactly.

    `offset_range_s` bounds the offset (log time minus video time at the start of the video). `focal_px` and `k1` are
    of the full-size picture; `readout_s` is positive from top to bottom.
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
    bias_std_rad_s: float = 0.02
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How log and video fit. Every value has its standard error of the same name and unit in `std`; what the clip does
    not show is held at its prior, carries the prior's width as error, and is named in `held`.

    t_log = t_video (1 + drift) + offset_s, where t_video is 0 at the first frame and a frame's time is that of its
    middle line. Line y is exposed at t_video + readout_s (y / (height - 1) - 1/2), or with x and width where
    `readout_axis` is "columns": positive is downwards or to the right. `R_cam_gyro` maps vectors of the log to the
    camera (x right, y down, z forward), after negation of the rates where `improper`. The log's clock is the one that
    drifts: true angles are rates over video time. `focal_px` and `k1`: a point at normalised radius r is seen focal_px
    r (1 + k1 r^2) from the centre. `std` has also rotation_x, _y, _z in camera axes (radians) and bias_x, _y, _z in
    the log's axes. `refusal` is why the two do not belong together; None: accepted.
    """

    offset_s: float
    drift: float
    R_cam_gyro: Rotation
    improper: bool
    bias_rad_s: Float
    focal_px: float
    k1: float
    readout_s: float
    readout_axis: str
    std: dict[str, float]
    held: tuple[str, ...]
    evidence: Evidence
    translation: bool
    mid_s: float
    mid_offset_std_s: float
    refusal: str | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def accepted(self) -> bool:
        """Whether the log is to be used with this video."""
        return self.refusal is None

    def log_time(self, t_video_s: Float) -> Float:
        """Log time of video times."""
        return np.asarray(np.asarray(t_video_s) * (1 + self.drift) + self.offset_s)

    def video_time(self, t_log_s: Float) -> Float:
        """Video time of log times."""
        return np.asarray((np.asarray(t_log_s) - self.offset_s) / (1 + self.drift))


def synchronize(tracks: Tracks, log: GyroLog, settings: SyncSettings | None = None) -> SyncResult:
    """Estimate everything that ties `log` to the clip behind `tracks`.

    Seeds by correlation (seed.py), then one robust least-squares problem over all parameters (solve.py) from the best
    seeds, with and without translation of the camera. Returns a result with `refusal` set where the evidence is flat
    or contradictory. Raises SyncError where there is nothing to compare: too few matches, or no overlap.
    """
    settings = settings or SyncSettings()
    if len(np.unique(tracks.pair)) < MIN_PAIRS:
        raise SyncError(
            f"only {len(np.unique(tracks.pair))} frame pairs have matches; {MIN_PAIRS} are needed to synchronise"
        )
    focal_px = settings.focal_px or 0.9 * max(tracks.width, tracks.height)
    rate, time_s, _ = camera_rates(tracks, focal_px)
    seeds = find_seeds(
        rate, time_s, log, tracks.interval_s, max_drift=settings.max_drift, offset_range_s=settings.offset_range_s
    )
    near = [seed for seed in seeds if seed.score > SERIOUS * seeds[0].score]
    problems = [_problem(tracks, log, seed, settings, focal_px) for seed in near]
    rough = [_rough(problem) for problem in problems]
    best = int(np.argmin([fit.sigma_px for fit in rough]))
    fit, translation = _refine(problems[best], rough[best].camera)
    rival = max([seed.score for seed in seeds if seed is not near[best]], default=0.0)
    evidence = weigh(problems[best].seen, fit, tracks.interval_s, near[best].score, rival)
    return _result(problems[best], fit, evidence, translation)


@dataclass(frozen=True, slots=True)
class _Problem:
    """Everything the solver wants for one seed; `log` has its rates negated where the seed says so."""

    seen: Observations
    log: GyroLog
    prior: Prior
    improper: bool
    seed: int


def _problem(tracks: Tracks, log: GyroLog, seed: Seed, settings: SyncSettings, focal_px: float) -> _Problem:
    log = replace(log, gyro_rad_s=-log.gyro_rad_s) if seed.improper else log
    turn = settings.R_cam_gyro or seed.R_cam_gyro
    readout = np.array([settings.readout_s, 0.0])
    mean = Camera(seed.offset_s, seed.drift, turn, np.zeros(3), 0.0, readout, settings.k1, seed.mid_s)
    keep = _choose(tracks, log, mean, settings.seed)
    seen = observe(tracks, keep, focal_px)
    mid = float(seen.time_s.mean())
    mean = replace(mean, offset_s=seed.offset_s + seed.drift * (mid - seed.mid_s), mid_s=mid)
    return _Problem(seen, log, Prior(mean, _widths(settings)), seed.improper, settings.seed)


def _widths(settings: SyncSettings) -> Float:
    """Prior standard deviations (12,); that of the offset is infinite, for the seed has no say in the answer."""
    rotation, bias = [settings.rotation_std_rad] * 3, [settings.bias_std_rad_s] * 3
    readout = [settings.readout_std_s] * 2
    return np.array([np.inf, settings.max_drift, *rotation, *bias, settings.focal_rel_std, *readout, settings.k1_std])


def _choose(tracks: Tracks, log: GyroLog, camera: Camera, seed: int) -> Int:
    """Matches that the log covers, at most MATCHES, in pairs with enough of them."""
    centre = tracks.time_s[:-1] + np.diff(tracks.time_s) / 2
    at = camera.log_time(centre)
    margin = tracks.interval_s + 0.05
    covered = (at > log.time_s[0] + margin) & (at < log.time_s[-1] - margin)
    for start, end in find_gaps(log):
        covered &= (at + margin < start) | (at - margin > end)
    counts = np.bincount(tracks.pair, minlength=len(centre))
    covered &= (counts >= MIN_MATCHES) & (np.diff(tracks.time_s) < 3 * tracks.interval_s)
    keep = np.flatnonzero(covered[tracks.pair])
    if covered.sum() < MIN_PAIRS:
        raise SyncError(
            f"{log.source}: only {covered.sum()} frame pairs with matches lie inside the log; {MIN_PAIRS} are needed"
        )
    return _thin(keep, tracks.pair[keep], MATCHES, seed)


def _thin(keep: Int, pair: Int, limit: int, seed: int) -> Int:
    """At most `limit` of `keep`, the same share of every pair, but never fewer than MIN_MATCHES of one."""
    rank = np.empty(len(keep), int)
    order = np.lexsort((np.random.default_rng(seed).random(len(keep)), pair))
    rank[order] = np.arange(len(keep)) - np.searchsorted(pair, pair[order])
    count = np.bincount(pair)[pair]
    share = max(min(limit / max(len(keep), 1), 1.0), 0.0)
    return keep[rank < np.maximum(np.ceil(share * count), MIN_MATCHES)]


def _rough(problem: _Problem) -> Fit:
    """A cheap fit by rotation alone on few matches, to compare seeds: cost and camera are all that is used of it."""
    seen = problem.seen
    few = _thin(np.arange(len(seen.pair)), seen.pair, ROUGH_MATCHES, problem.seed)
    thin = replace(
        seen, pair=seen.pair[few], time_s=seen.time_s[:, few], line=seen.line[:, few], flat=seen.flat[:, few]
    )
    prior = problem.prior.fixed("readout_columns_s", "k1")
    return solve(thin, problem.log, problem.prior.mean, prior, translation=False, iterations=10)


def _refine(problem: _Problem, start: Camera) -> tuple[Fit, bool]:
    """The full fit: with or without translation, lines along rows or columns, as the clip shows."""
    still = solve(problem.seen, problem.log, start, problem.prior, translation=False)
    moving = solve(problem.seen, problem.log, still.camera, problem.prior, translation=True)
    translation = still.sigma_px > STILL_CAMERA * moving.sigma_px
    fit = moving if translation else still
    along, other = _readout_axis(fit)
    prior = problem.prior.fixed(other)
    camera = replace(fit.camera, readout_s=fit.camera.readout_s * [along == name for name in READOUTS])
    return solve(problem.seen, problem.log, camera, prior, translation=translation), translation


def _readout_axis(fit: Fit) -> tuple[str, str]:
    """Names of the readout that is kept and the one that is not: columns only where they clearly win over rows."""
    std = np.sqrt([fit.covariance[INDEX[name], INDEX[name]] for name in READOUTS])
    strength = np.abs(fit.camera.readout_s) / np.maximum(std, 1e-9)
    columns = strength[1] > 4 and strength[1] > 2 * strength[0]
    return (READOUTS[1], READOUTS[0]) if columns else (READOUTS[0], READOUTS[1])


def _result(problem: _Problem, fit: Fit, evidence: Evidence, translation: bool) -> SyncResult:
    camera, prior = fit.camera, problem.prior
    std = _errors(fit, translation, evidence)
    columns = fit.covariance[INDEX["readout_rows_s"], INDEX["readout_rows_s"]] == 0
    readout = INDEX["readout_columns_s" if columns else "readout_rows_s"]
    names = {name: float(std[i]) for i, name in enumerate(PARAMETERS) if not name.startswith("readout")}
    focal = problem.seen.focal_px * float(np.exp(camera.log_focal))
    names["focal_px"] = names.pop("log_focal") * focal
    names["readout_s"] = float(std[readout])
    mid_std = names["offset_s"]
    names["offset_s"] = _offset_std(fit, std)
    held = tuple(
        name.replace("log_focal", "focal_px")
        .replace("readout_rows_s", "readout_s")
        .replace("readout_columns_s", "readout_s")
        for i, name in enumerate(PARAMETERS)
        if fit.covariance[i, i] > 0 and np.sqrt(fit.covariance[i, i]) > HELD_SHARE * prior.std[i]
    )
    return SyncResult(
        offset_s=camera.offset_s - camera.drift * camera.mid_s,
        drift=camera.drift,
        R_cam_gyro=camera.R_cam_gyro,
        improper=problem.improper,
        bias_rad_s=-camera.bias_rad_s if problem.improper else camera.bias_rad_s,
        focal_px=focal,
        k1=camera.k1,
        readout_s=float(camera.readout_s[1 if columns else 0]),
        readout_axis="columns" if columns else "rows",
        std=names,
        held=held,
        evidence=evidence,
        translation=translation,
        mid_s=camera.mid_s,
        mid_offset_std_s=mid_std,
        refusal=refusal(evidence, mid_std),
    )


def _errors(fit: Fit, translation: bool, evidence: Evidence) -> Float:
    """Standard errors (12,): the sandwich's, inflated; and for the focal length of a clip judged to be without
    translation, what a translation just too small to be seen could have done to it."""
    std = INFLATE * np.sqrt(np.diag(fit.covariance))
    if not translation:
        hidden = 0.5 * fit.sigma_px / max(evidence.flow_px, 1e-6)
        std[INDEX["log_focal"]] = float(np.hypot(std[INDEX["log_focal"]], hidden * (std[INDEX["log_focal"]] > 0)))
    return std


def _offset_std(fit: Fit, std: Float) -> float:
    """At the start of the video: the offset of its middle carried along the drift."""
    i, j = INDEX["offset_s"], INDEX["drift"]
    scale = std / np.maximum(np.sqrt(np.diag(fit.covariance)), 1e-300)
    mixed = fit.covariance[i, j] * scale[i] * scale[j]
    variance = std[i] ** 2 + fit.camera.mid_s**2 * std[j] ** 2 - 2 * fit.camera.mid_s * mixed
    return float(np.sqrt(max(variance, 0.0)))
