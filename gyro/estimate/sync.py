"""Synchronisation of a log with a video: offset, axes, bias, focal length and readout, or a refusal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gyro.errors import SyncError
from gyro.log import Float, GyroLog

from .evidence import CORRELATION_MIN, RIVAL_CORRELATION_MAX, measure_evidence
from .model import INDEX
from .problem import (
    MATCHES_PER_PAIR_MIN,
    PAIRS_MIN,
    Problem,
    SyncSettings,
    make_problems,
    normalize_points,
    thin_matches,
)
from .result import SyncResult, make_result
from .seed import Seed, find_seeds
from .solve import Fit, solve
from .tracks import Tracks
from .visual import camera_rates

COARSE_MATCHES_MAX = 3000
COARSE_LOG_FOCAL_STD = 0.15
# Ratios of correlation or of residual noise between hypotheses, set by benchmarks/gyro_sync.py.
SEED_SCORE_RATIO_MIN = 0.8  # of the best correlation, above which a seed is fitted
PARALLAX_NOISE_RATIO_MIN = 1.06  # noise of pure rotation over that with translation, beyond chance, for parallax
LENS_SHIFT_NOISE_RATIO_MIN = 2.0  # noise of pure rotation over that with lens shift: a flat scene shifts a little, too
COLUMN_READOUT_SIGMAS_MIN = 5.0  # of a readout along the columns, for which columns are tried
COLUMN_NOISE_RATIO_MAX = 0.93  # noise of column readout over that of row readout, for columns
RIVAL_NOISE_RATIO_MIN = 2.0  # noise at another offset over that at the best, above which it is no rival
MIRRORED_NOISE_RATIO = 1.03  # penalty of a mirrored log
DURATION_MISMATCH_MIN = 0.05  # relative difference of durations that may be a wrong frame rate
READOUTS = ("readout_rows_s", "readout_columns_s")


def synchronize(tracks: Tracks, log: GyroLog, settings: SyncSettings | None = None) -> SyncResult:
    """Synchronise a log with the video of `tracks` and calibrate lens, readout and mount.

    Seeds come from correlation (seed.py). From the best seeds one robust least-squares problem over all parameters is
    solved (solve.py), with and without translation of the camera. The result has `refusal` set where the evidence is
    flat or contradictory. Raises SyncError where there is nothing to compare: too few matches, or no overlap.
    """
    settings = settings or SyncSettings()
    moving_pairs = len(np.unique(tracks.pair))
    if moving_pairs < PAIRS_MIN:
        raise SyncError(f"only {moving_pairs} frame pairs have matches; {PAIRS_MIN} are needed to synchronise")
    flat = normalize_points(tracks, settings)
    seeds = _seeds(tracks, flat, log, settings)
    strong_seeds = [seed for seed in seeds if seed.score > SEED_SCORE_RATIO_MIN * seeds[0].score]
    problems = [problem for seed in strong_seeds for problem in make_problems(tracks, flat, log, seed, settings)]
    problems = [problem for problem in problems if problem.stated] or problems
    coarse = [_fit_coarse(problem) for problem in problems]
    best = int(np.argmin([_start_cost(*one) for one in zip(problems, coarse, strict=True)]))
    chosen = problems[best]
    uncorrelated = chosen.seed.score < CORRELATION_MIN
    fit, parallax = (_fit_one_step(chosen, coarse[best]), 0.0) if uncorrelated else _fit_full(chosen, coarse[best])
    evidence = measure_evidence(chosen.obs, fit, tracks.interval_s, chosen.seed.score)
    result = make_result(chosen, fit, evidence, parallax)
    if result.accepted:  # rivals cost time, so they are fitted only if nothing else refuses the log
        evidence = replace(evidence, rival=_rival_correlation(problems, coarse, best, fit))
        result = make_result(chosen, fit, evidence, parallax)
    return result if result.accepted else _with_frame_rate_hint(result, tracks, flat, log, settings)


def _seeds(
    tracks: Tracks, flat: Float, log: GyroLog, settings: SyncSettings, duration_ratio: float = 1.0
) -> list[Seed]:
    """Seeds of the clip played `duration_ratio` times slower than its file says."""
    usable = np.isfinite(flat).all(axis=(0, 2))
    rate, time_s = camera_rates(tracks.time_s * duration_ratio, tracks.pair[usable], flat[:, usable])
    return find_seeds(
        rate,
        time_s,
        log,
        tracks.interval_s * duration_ratio,
        max_drift=settings.max_drift,
        offset_range_s=settings.offset_range_s,
    )


def _fit_coarse(problem: Problem) -> Fit:
    """A cheap fit by rotation alone on few matches, to compare seeds by the noise that they leave."""
    obs = problem.obs
    selection = thin_matches(np.arange(len(obs.pair)), obs.pair, COARSE_MATCHES_MAX, 0)
    part = replace(
        obs,
        pair=obs.pair[selection],
        time_s=obs.time_s[:, selection],
        line=obs.line[:, selection],
        flat=obs.flat[:, selection],
    )
    prior = problem.prior.fixed("readout_columns_s", "k1")
    std = prior.std.copy()
    std[INDEX["log_focal"]] = min(
        std[INDEX["log_focal"]], COARSE_LOG_FOCAL_STD
    )  # or parallax hides behind a very wide lens
    prior = replace(prior, std=std)
    return solve(part, problem.log, problem.prior.mean, prior, kind="turns", iterations=10)


def _start_cost(problem: Problem, fit: Fit) -> float:
    """Return residual noise over correlation: a start with less correlation must fit better, a mirrored log clearly."""
    return fit.sigma_px / problem.seed.score * (MIRRORED_NOISE_RATIO if problem.seed.improper else 1.0)


def _rival_correlation(problems: list[Problem], coarse: list[Fit], best: int, fit: Fit) -> float:
    """Return the best correlation of another offset that explains the video about as well: a periodic shake correlates
    at many offsets, but the rest of the motion fits at one. The full fit is for close cases only."""
    best_seed = problems[best].seed
    highest = 0.0
    for problem, coarse_fit in zip(problems, coarse, strict=True):
        score = problem.seed.score
        if problem.seed.offset_s == best_seed.offset_s or score <= highest:
            continue
        close = score > RIVAL_CORRELATION_MAX * best_seed.score
        out = coarse_fit.sigma_px > RIVAL_NOISE_RATIO_MIN * coarse[best].sigma_px
        if close and (out or _fit_full(problem, coarse_fit)[0].sigma_px > RIVAL_NOISE_RATIO_MIN * fit.sigma_px):
            continue
        highest = score
    return highest


def _fit_one_step(problem: Problem, start: Fit) -> Fit:
    """Take one step of the simplest fit, for the evidence of a log that its correlation already refuses."""
    return solve(problem.obs, problem.log, start.camera, problem.prior, kind="turns", iterations=1)


def _fit_full(problem: Problem, start: Fit) -> tuple[Fit, float]:
    """Return the full fit and its parallax: a camera that rotates, translates or has a shifting lens, with readout of
    rows or columns.

    A lens shift is selected where it explains the video as well as a free translation does, for it has no depth to
    adapt.
    """
    turns = solve(problem.obs, problem.log, start.camera, problem.prior, kind="turns")
    moves = solve(problem.obs, problem.log, turns.camera, problem.prior, kind="moves")
    excess = turns.sigma_px / (_chance_noise_ratio(problem) * moves.sigma_px)
    fit = moves if excess > PARALLAX_NOISE_RATIO_MIN else turns
    if excess > np.sqrt(LENS_SHIFT_NOISE_RATIO_MIN):
        shifts = solve(problem.obs, problem.log, problem.prior.mean, problem.prior, kind="shifts")
        if shifts.sigma_px < min(
            turns.sigma_px / LENS_SHIFT_NOISE_RATIO_MIN,
            PARALLAX_NOISE_RATIO_MIN * _chance_noise_ratio(problem) * moves.sigma_px,
        ):
            fit = shifts
    return _select_readout_axis(problem, fit), excess**2 - 1


def _select_readout_axis(problem: Problem, fit: Fit) -> Fit:
    """Return the fit with readout of rows, or of columns where that leaves clearly less noise: column readout is rare,
    and model errors can resemble a little of it."""
    rows = _fit_with_readout_axis(problem, fit, 0)
    std = float(np.sqrt(fit.covariance[INDEX[READOUTS[1]], INDEX[READOUTS[1]]]))
    if abs(fit.camera.readout_s[1]) < COLUMN_READOUT_SIGMAS_MIN * std:
        return rows
    columns = _fit_with_readout_axis(problem, fit, 1)
    return columns if columns.sigma_px < COLUMN_NOISE_RATIO_MAX * rows.sigma_px else rows


def _fit_with_readout_axis(problem: Problem, fit: Fit, axis: int) -> Fit:
    prior = problem.prior.fixed(READOUTS[1 - axis])
    camera = replace(fit.camera, readout_s=fit.camera.readout_s * np.eye(2)[axis])
    return solve(problem.obs, problem.log, camera, prior, kind=fit.kind)


def _chance_noise_ratio(problem: Problem) -> float:
    """Return the ratio of the noise without and with translation where there is none: the best direction fits the noise
    of k matches better by about 1.4 / sqrt(k) (simulated)."""
    per_pair = max(len(problem.obs.pair) / problem.obs.pairs, MATCHES_PER_PAIR_MIN)
    return float(1 / (1 - 1.4 / np.sqrt(per_pair)))


def _with_frame_rate_hint(
    result: SyncResult, tracks: Tracks, flat: Float, log: GyroLog, settings: SyncSettings
) -> SyncResult:
    """Add a hint to a refusal where the log fits the video at another frame rate, at which both last equally long."""
    duration_ratio = float((log.time_s[-1] - log.time_s[0]) / max(tracks.time_s[-1], 1e-9))
    if abs(duration_ratio - 1) < DURATION_MISMATCH_MIN or not 0.1 < duration_ratio < 20:
        return result
    try:
        score = _seeds(tracks, flat, log, settings, duration_ratio)[0].score
    except SyncError:
        return result
    if score < result.evidence.correlation * 1.3:
        return result
    note = (
        f"the log lasts {duration_ratio:.3f} times as long as the video; at a frame rate of "
        f"{1 / (tracks.interval_s * duration_ratio):.2f} instead of {1 / tracks.interval_s:.2f} they correlate by "
        f"{score:.2f} instead of {result.evidence.correlation:.2f}"
    )
    return replace(result, refusal=f"{result.refusal}; {note}")
