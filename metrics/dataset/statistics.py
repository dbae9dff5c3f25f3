"""Means with bootstrap intervals over clips, and paired win rates between methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metrics.model import Better

SEED = 20240501
RESAMPLES = 4000
LEVEL = 0.95
TIE = 1e-4  # relative: closer than this, neither wins


@dataclass(frozen=True)
class Mean:
    """Mean of `count` clips and its 95 % percentile-bootstrap interval; the interval is None below 3 clips."""

    value: float | None
    low: float | None
    high: float | None
    count: int


def bootstrap(values: Sequence[float | None]) -> Mean:
    """Mean and interval over clips; clips without a value are left out. Seeded: same values, same interval."""
    known = np.array([v for v in values if v is not None], float)
    if not known.size:
        return Mean(None, None, None, 0)
    if known.size < 3:
        return Mean(float(known.mean()), None, None, int(known.size))
    rng = np.random.default_rng(SEED)
    means = known[rng.integers(0, known.size, (RESAMPLES, known.size))].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Mean(float(known.mean()), float(low), float(high), int(known.size))


@dataclass(frozen=True)
class Duel:
    """How often method `a` beats `b` on the clips that both have; ties count half in `rate`."""

    a: str
    b: str
    wins: int
    ties: int
    losses: int

    @property
    def rate(self) -> float | None:
        """Share of clips won, None without common clips."""
        total = self.wins + self.ties + self.losses
        return (self.wins + self.ties / 2) / total if total else None


def duel(a: str, b: str, pairs: Sequence[tuple[float | None, float | None]], better: Better) -> Duel:
    """Compare clip by clip; clips where either has no value are left out."""
    wins = ties = losses = 0
    for x, y in pairs:
        if x is None or y is None:
            continue
        if abs(x - y) <= TIE * max(abs(x), abs(y)):
            ties += 1
        elif (x > y) == (better == "higher"):
            wins += 1
        else:
            losses += 1
    return Duel(a, b, wins, ties, losses)
