"""The stability score of the published programs: the share of a path's power in the five lowest bins of the FFT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.compat.sift import Matrix

LOW_BINS = 5
LENGTH_MIN = 4  # a shorter signal has no bins in the first half of the spectrum without bin 0


@dataclass(frozen=True)
class Stability:
    """Shares in [0, 1], None if the signal has no power (0/0: a static clip)."""

    translation: float | None
    """Of the translation."""
    rotation: float | None
    """Of the rotation."""

    @property
    def mean(self) -> float | None:
        """The figure that the programs report."""
        if self.translation is None or self.rotation is None:
            return None
        return (self.translation + self.rotation) / 2


def accumulate(steps: Iterable[Matrix]) -> list[Matrix]:
    """P_t = P_(t-1) T_t from P_0 = I, never renormalised, as in DVS and DIFRINT."""
    path, P = [], np.eye(3)
    for T_next_prev in steps:
        P = P @ T_next_prev
        path.append(P)
    return path


def low_share(signal: NDArray[np.float64]) -> float | None:
    """Sum of the first five bins over the sum of the first half of |FFT|^2 without bin 0; None for 0/0."""
    if len(signal) < LENGTH_MIN or not np.isfinite(signal).all():
        return None
    power = np.abs(np.fft.fft(signal))[1:] ** 2
    power = power[: len(power) // 2]
    total = power.sum()
    return float(power[:LOW_BINS].sum() / total) if total > 0 else None


def angle_of_scales(P: Matrix) -> float:
    """atan2(m00, m11) in degrees: DVS and the first DIFRINT. A quirk: near 45 for any roll."""
    return float(np.degrees(np.arctan2(P[0, 0], P[1, 1])))


def angle_of_roll(P: Matrix) -> float:
    """atan2(m10, m00) in degrees: the current DIFRINT, FuSta, NNDVS."""
    return float(np.degrees(np.arctan2(P[1, 0], P[0, 0])))


def stability(path: list[Matrix], angle: str) -> Stability:
    """Shares of t = sqrt(P02^2 + P12^2) and of the angle ("scales" or "roll") of a path."""
    angle_of = {"scales": angle_of_scales, "roll": angle_of_roll}[angle]
    translation = np.array([np.hypot(P[0, 2], P[1, 2]) for P in path])
    rotation = np.array([angle_of(P) for P in path])
    return Stability(low_share(translation), low_share(rotation))
