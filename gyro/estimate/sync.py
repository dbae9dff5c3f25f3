"""Bring a log and a video together: clock, axes, bias, focal length, shutter, each with its standard error, or a
refusal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gyro.errors import SyncError
from gyro.log import Float, GyroLog

from .evidence import LEAST_CORRELATION, MOST_RIVAL, weigh
from .model import INDEX
from .problem import MIN_MATCHES, MIN_PAIRS, Problem, SyncSettings, flatten, make_problems, thin
from .result import SyncResult, make_result
from .seed import Seed, find_seeds
from .solve import Fit, solve
from .tracks import Tracks
from .visual import camera_rates

ROUGH_MATCHES = 3000
ROUGH_FOCAL = 0.15
SERIOUS = 0.8  # of the best correlation: what reaches it is a candidate that only the fit can decide
PARALLAX = 1.06  # how much more noise a camera that only turns must leave, beyond chance, before it is believed to move
OTHER_CLOCK = 0.05  # spans that differ by more than this may be the same recording under a wrong frame rate
LENS = 2.0  # how much noise a shift of the lens must take away: near a flat scene a translation looks like a small one
SURE_COLUMNS = 5.0  # standard errors of a readout along the columns before it is looked into
CLEARER = 0.93  # of the noise
OUT_OF_STEP = 2.0  # how much more noise another offset must leave to be no rival
MIRRORED = 1.03  # how much more noise the plain log must leave
READOUTS = ("readout_rows_s", "readout_columns_s")


def synchronize(tracks: Tracks, log: GyroLog, settings: SyncSettings | None = None) -> SyncResult:
    """Estimate everything that ties `log` to the clip behind `tracks`.

    Seeds by correlation (seed.py), then one robust least-squares problem over all parameters (solve.py) from the best
    seeds, with and without translation of the camera. Returns a result with `refusal` set where the evidence is flat
    or contradictory. Raises SyncError where there is nothing to compare: too few matches, or no overlap.
    """
    settings = settings or SyncSettings()
    moving_pairs = len(np.unique(tracks.pair))
    if moving_pairs < MIN_PAIRS:
        raise SyncError(f"only {moving_pairs} frame pairs have matches; {MIN_PAIRS} are needed to synchronise")
    flat = flatten(tracks, settings)
    seeds = _seeds(tracks, flat, log, settings)
    serious = [seed for seed in seeds if seed.score > SERIOUS * seeds[0].score]
    problems = [problem for seed in serious for problem in make_problems(tracks, flat, log, seed, settings)]
    problems = [problem for problem in problems if problem.stated] or problems
    rough = [_rough(problem) for problem in problems]
    best = int(np.argmin([_demerit(*one) for one in zip(problems, rough, strict=True)]))
    chosen = problems[best]
    hopeless = chosen.seed.score < LEAST_CORRELATION
    fit, parallax = (_glance(chosen, rough[best]), 0.0) if hopeless else _refine(chosen, rough[best])
    evidence = weigh(chosen.seen, fit, tracks.interval_s, chosen.seed.score)
    result = make_result(chosen, fit, evidence, parallax)
    if result.accepted:  # other offsets are looked at only where nothing else speaks against this one
        evidence = replace(evidence, rival=_rival(problems, rough, best, fit))
        result = make_result(chosen, fit, evidence, parallax)
    return result if result.accepted else _hinted(result, tracks, flat, log, settings)


def _seeds(tracks: Tracks, flat: Float, log: GyroLog, settings: SyncSettings, pace: float = 1.0) -> list[Seed]:
    """Seeds of the clip played `pace` times slower than its file says."""
    usable = np.isfinite(flat).all(axis=(0, 2))
    rate, time_s = camera_rates(tracks.time_s * pace, tracks.pair[usable], flat[:, usable])
    return find_seeds(
        rate,
        time_s,
        log,
        tracks.interval_s * pace,
        max_drift=settings.max_drift,
        offset_range_s=settings.offset_range_s,
    )


def _rough(problem: Problem) -> Fit:
    """A cheap fit by rotation alone on few matches, to compare seeds by the noise that they leave."""
    seen = problem.seen
    few = thin(np.arange(len(seen.pair)), seen.pair, ROUGH_MATCHES, 0)
    part = replace(
        seen, pair=seen.pair[few], time_s=seen.time_s[:, few], line=seen.line[:, few], flat=seen.flat[:, few]
    )
    prior = problem.prior.fixed("readout_columns_s", "k1")
    width = prior.std.copy()
    width[INDEX["log_focal"]] = min(width[INDEX["log_focal"]], ROUGH_FOCAL)  # or parallax hides behind a very wide lens
    prior = replace(prior, std=width)
    return solve(part, problem.log, problem.prior.mean, prior, kind="turns", iterations=10)


def _demerit(problem: Problem, fit: Fit) -> float:
    """Noise left over correlation: a start that correlates less must fit better, and a mirrored log clearly so."""
    return fit.sigma_px / problem.seed.score * (MIRRORED if problem.seed.improper else 1.0)


def _rival(problems: list[Problem], rough: list[Fit], best: int, fit: Fit) -> float:
    """The best correlation of another offset that explains the picture about as well: a shake in step with itself
    correlates at many, but what else there is in the motion fits at one. The dear second look is for close calls."""
    own = problems[best].seed
    highest = 0.0
    for problem, first in zip(problems, rough, strict=True):
        score = problem.seed.score
        if problem.seed.offset_s == own.offset_s or score <= highest:
            continue
        close = score > MOST_RIVAL * own.score
        out = first.sigma_px > OUT_OF_STEP * rough[best].sigma_px
        if close and (out or _refine(problem, first)[0].sigma_px > OUT_OF_STEP * fit.sigma_px):
            continue
        highest = score
    return highest


def _glance(problem: Problem, start: Fit) -> Fit:
    """One step of the simplest fit: the numbers behind a refusal that correlation has already made."""
    return solve(problem.seen, problem.log, start.camera, problem.prior, kind="turns", iterations=1)


def _refine(problem: Problem, start: Fit) -> tuple[Fit, float]:
    """The full fit: a camera that turns, moves or has a moving lens, lines along rows or columns, as the clip shows;
    and its parallax.

    A lens shift is believed where it explains the picture as well as a free translation does, for it leaves no room
    for depth.
    """
    turns = solve(problem.seen, problem.log, start.camera, problem.prior, kind="turns")
    moves = solve(problem.seen, problem.log, turns.camera, problem.prior, kind="moves")
    excess = turns.sigma_px / (_chance(problem) * moves.sigma_px)
    fit = moves if excess > PARALLAX else turns
    if excess > np.sqrt(LENS):
        shifts = solve(problem.seen, problem.log, problem.prior.mean, problem.prior, kind="shifts")
        if shifts.sigma_px < min(turns.sigma_px / LENS, PARALLAX * _chance(problem) * moves.sigma_px):
            fit = shifts
    return _one_axis(problem, fit), excess**2 - 1


def _one_axis(problem: Problem, fit: Fit) -> Fit:
    """The fit with lines along rows, or along columns where that leaves clearly less noise: columns are rare, and
    shortcomings of the model can look like a little of them."""
    rows = _with_readout(problem, fit, 0)
    std = float(np.sqrt(fit.covariance[INDEX[READOUTS[1]], INDEX[READOUTS[1]]]))
    if abs(fit.camera.readout_s[1]) < SURE_COLUMNS * std:
        return rows
    columns = _with_readout(problem, fit, 1)
    return columns if columns.sigma_px < CLEARER * rows.sigma_px else rows


def _with_readout(problem: Problem, fit: Fit, axis: int) -> Fit:
    prior = problem.prior.fixed(READOUTS[1 - axis])
    camera = replace(fit.camera, readout_s=fit.camera.readout_s * np.eye(2)[axis])
    return solve(problem.seen, problem.log, camera, prior, kind=fit.kind)


def _chance(problem: Problem) -> float:
    """Ratio of the noise without and with translation where there is none: the best of all directions fits the noise
    of k matches better by about 1.4 / sqrt(k) (simulated)."""
    per_pair = max(len(problem.seen.pair) / problem.seen.pairs, MIN_MATCHES)
    return float(1 / (1 - 1.4 / np.sqrt(per_pair)))


def _hinted(result: SyncResult, tracks: Tracks, flat: Float, log: GyroLog, settings: SyncSettings) -> SyncResult:
    """A refusal that says so where the log fits the video at another frame rate: both then last equally long."""
    pace = float((log.time_s[-1] - log.time_s[0]) / max(tracks.time_s[-1], 1e-9))
    if abs(pace - 1) < OTHER_CLOCK or not 0.1 < pace < 20:
        return result
    try:
        score = _seeds(tracks, flat, log, settings, pace)[0].score
    except SyncError:
        return result
    if score < result.evidence.correlation * 1.3:
        return result
    note = (
        f"the log lasts {pace:.3f} times as long as the video; at a frame rate of "
        f"{1 / (tracks.interval_s * pace):.2f} instead of {1 / tracks.interval_s:.2f} they correlate by {score:.2f} "
        f"instead of {result.evidence.correlation:.2f}"
    )
    return replace(result, refusal=f"{result.refusal}; {note}")
