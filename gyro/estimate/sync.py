"""Bring a log and a video together: clock, axes, bias, focal length, shutter, each with its standard error, or a
refusal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gyro.errors import SyncError
from gyro.log import Float, GyroLog

from .evidence import LEAST_CORRELATION, weigh
from .model import INDEX
from .problem import MIN_MATCHES, MIN_PAIRS, Problem, SyncSettings, flatten, make_problem, thin
from .result import SyncResult, make_result
from .seed import Seed, find_seeds
from .solve import Fit, solve
from .tracks import Tracks
from .visual import camera_rates

ROUGH_MATCHES = 3000
SERIOUS = 0.8  # of the best correlation: what reaches it is a candidate that only the fit can decide
PARALLAX = 1.06  # how much more noise a camera that only turns must leave, beyond chance, before it is believed to move
OTHER_CLOCK = 0.05  # spans that differ by more than this may be the same recording under a wrong frame rate
LENS = 3.0  # the same for a lens that shifts: only where it matters, for near a flat scene a translation looks like one
SURE_COLUMNS = 5.0  # standard errors of a readout along the columns, which is rare, before it is believed
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
    problems = [
        make_problem(tracks, flat, log, seed, settings) for seed in seeds if seed.score > SERIOUS * seeds[0].score
    ]
    rough = [_rough(problem) for problem in problems]
    best = int(np.argmin([fit.sigma_px for fit in rough]))
    chosen = problems[best]
    hopeless = chosen.seed.score < LEAST_CORRELATION
    fit, parallax = (_glance(chosen, rough[best]), 0.0) if hopeless else _refine(chosen, rough[best])
    rival = max([seed.score for seed in seeds if seed.offset_s != chosen.seed.offset_s], default=0.0)
    evidence = weigh(chosen.seen, fit, tracks.interval_s, chosen.seed.score, rival)
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
    return solve(part, problem.log, problem.prior.mean, prior, kind="turns", iterations=10)


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
    if excess > LENS:
        shifts = solve(problem.seen, problem.log, problem.prior.mean, problem.prior, kind="shifts")
        if shifts.sigma_px < PARALLAX * _chance(problem) * moves.sigma_px:
            fit = shifts
    unused = READOUTS[0] if _along_columns(problem, fit) else READOUTS[1]
    prior = problem.prior.fixed(unused)
    camera = replace(fit.camera, readout_s=fit.camera.readout_s * [name != unused for name in READOUTS])
    return solve(problem.seen, problem.log, camera, prior, kind=fit.kind), excess**2 - 1


def _chance(problem: Problem) -> float:
    """Ratio of the noise without and with translation where there is none: the best of all directions fits the noise
    of k matches better by about 1.4 / sqrt(k) (simulated)."""
    per_pair = max(len(problem.seen.pair) / problem.seen.pairs, MIN_MATCHES)
    return float(1 / (1 - 1.4 / np.sqrt(per_pair)))


def _along_columns(problem: Problem, fit: Fit) -> bool:
    """Whether the lines are columns: clearly stronger than rows, and shown by turning about more than one axis, or
    else any shortcoming of the model looks like it."""
    std = np.sqrt([fit.covariance[INDEX[name], INDEX[name]] for name in READOUTS])
    rows, columns = np.abs(fit.camera.readout_s) / np.maximum(std, 1e-9)
    spread = np.linalg.svd(problem.seed.covariance, compute_uv=False)
    return bool(columns > SURE_COLUMNS and columns > 2 * rows and spread[1] > 0.05 * spread[0])


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
