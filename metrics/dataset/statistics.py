"""Means with bootstrap intervals over clips, and paired win rates between methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from metrics.model import Better

SEED = 20240501
RESAMPLES = 4000
CONFIDENCE_LEVEL = 0.95
MIN_CLIPS = 3  # for an interval
MAX_BATCH_VALUES = 1 << 22  # resampled values in memory at once (32 MiB)
EQUAL_TOLERANCE = 1e-12  # relative difference below which values differ by rounding only
TIE_TOLERANCE = 1e-4  # relative difference below which neither method wins


@dataclass(frozen=True)
class Mean:
    """Mean over clips with its 95 % BCa bootstrap interval."""

    value: float | None
    """None without any clip that has a value."""
    low: float | None
    """Lower end of the interval; None where there is none."""
    high: float | None
    """Upper end of the interval; None where there is none."""
    count: int
    """Number of clips with a value."""
    note: str = ""
    """Why there is no interval."""


def bootstrap(values: Sequence[float | None]) -> Mean:
    """Return mean and interval over clips, ignoring clips without a value. Seeded: same values, same interval.

    The interval is bias-corrected and accelerated (BCa; Efron 1987), which is more accurate on skewed scores than
    percentiles. It is undefined if all values are equal.
    """
    present = np.array([v for v in values if v is not None], float)
    if not present.size:
        return Mean(None, None, None, 0, "no clip has a value")
    mean, count = float(present.mean()), int(present.size)
    if count < MIN_CLIPS:
        return Mean(mean, None, None, count, f"fewer than {MIN_CLIPS} clips")
    if np.ptp(present) <= EQUAL_TOLERANCE * np.abs(present).max():
        return Mean(mean, None, None, count, "all clips have the same value")
    low, high = _bca_interval(present)
    return Mean(mean, low, high, count)


def _bca_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    middle, spread = values.mean(), np.ptp(values)
    interval = stats.bootstrap(
        ((values - middle) / spread,),  # BCa is invariant to scale and shift, and third powers stay finite
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, MAX_BATCH_VALUES // values.size),
        confidence_level=CONFIDENCE_LEVEL,
        method="BCa",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(middle + spread * interval.low), float(middle + spread * interval.high)


@dataclass(frozen=True)
class Duel:
    """How often method `a` beats method `b` on their common clips."""

    a: str
    b: str
    wins: int
    ties: int
    losses: int

    @property
    def rate(self) -> float | None:
        """Share of clips won, ties counted half; None without common clips."""
        total = self.wins + self.ties + self.losses
        return (self.wins + self.ties / 2) / total if total else None


def duel(a: str, b: str, pairs: Sequence[tuple[float | None, float | None]], better: Better) -> Duel:
    """Compare two methods clip by clip, ignoring clips where either has no value."""
    wins = ties = losses = 0
    for x, y in pairs:
        if x is None or y is None:
            continue
        if abs(x - y) <= TIE_TOLERANCE * max(abs(x), abs(y)):
            ties += 1
        elif (x > y) == (better == "higher"):
            wins += 1
        else:
            losses += 1
    return Duel(a, b, wins, ties, losses)
