"""What every reader gives: one log, in seconds and SI units, with what the file states of itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Damage:
    """One place in a log that could not be used as it stood: `line` counts from 1 (0 where the format has no lines)."""

    line: int
    time_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class GyroLog:
    """Angular rate over time.

    `time_s` (n,) float64, strictly increasing, log clock. `gyro_rad_s` (n, 3) and `accel_m_s2` (n, 3) or None in the axes that the
    reader states in `axes` (e.g. "XYZ": as in the file; None: unknown). `readout_s` is the time from the first to the last row, where the
    file says so (negative: bottom to top). `damage` lists bad cells, gaps, backward and duplicate times; `gaps_s` (k, 2) are the spans without
    usable data. `notes` are findings for a person: detected columns, units, clock.
    """

    source: str
    format: str
    time_s: Float
    gyro_rad_s: Float
    accel_m_s2: Float | None = None
    readout_s: float | None = None
    axes: str | None = None
    gaps_s: Float = field(default_factory=lambda: np.zeros((0, 2)))
    damage: tuple[Damage, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.time_s)
        if self.time_s.shape != (n,) or self.gyro_rad_s.shape != (n, 3):
            raise ValueError("time_s must be (n,) and gyro_rad_s (n, 3)")
        if self.accel_m_s2 is not None and self.accel_m_s2.shape != (n, 3):
            raise ValueError("accel_m_s2 must be (n, 3)")
        if n > 1 and not np.all(np.diff(self.time_s) > 0):
            raise ValueError("time_s must increase strictly")

    @property
    def rate_hz(self) -> float:
        """The usual (median) sample rate."""
        return float(1 / np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else 0.0
