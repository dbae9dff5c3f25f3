"""The log that every reader returns, in seconds and SI units."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Damage:
    """A place in a log that could not be used as it is."""

    line: int
    """From 1; 0 where the format has no lines."""
    time_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class OisLog:
    """Positions of the stabilising lens."""

    time_s: Float
    """(n,) on the clock of its GyroLog."""
    shift: Float
    """(n, 2) x and y in the counts of the file."""

    def __post_init__(self) -> None:
        if self.shift.shape != (len(self.time_s), 2):
            raise ValueError("shift must be (n, 2)")


@dataclass(frozen=True, slots=True)
class GyroLog:
    """Angular rate over time."""

    source: str
    """Path of the file."""
    format: str
    """Name of its reader."""
    time_s: Float
    """(n,) strictly increasing, log clock."""
    gyro_rad_s: Float
    """(n, 3) in the axes of the file."""
    accel_m_s2: Float | None = None
    """(n, 3) in the axes of the file."""
    readout_s: float | None = None
    """Rolling-shutter readout time from first to last row, where the file states it; negative: bottom to top."""
    axes: str | None = None
    """What the file states of its axes."""
    gaps_s: Float = field(default_factory=lambda: np.zeros((0, 2)))
    """(k, 2) spans without usable data."""
    damage: tuple[Damage, ...] = ()
    """Bad cells, gaps, decreasing and duplicate times."""
    notes: tuple[str, ...] = ()
    """Findings for the user: detected columns, units, clock."""
    origin_s: float = 0.0
    """Clock of the file at time_s = 0. An epoch is subtracted so that a double still resolves nanoseconds."""
    R_cam_gyro: Float | None = None
    """(3, 3) from file axes to camera axes (x right, y down, z forward), where the file states it. Its determinant is
    -1 where the file states a mirrored sensor, which synchronisation must confirm."""
    lens: str | None = None
    """Name of the lens profile that the file asks for."""
    ois: OisLog | None = None
    beside: tuple[str, ...] = ()
    """Paths of further files that were read."""

    def __post_init__(self) -> None:
        n = len(self.time_s)
        if self.time_s.shape != (n,) or self.gyro_rad_s.shape != (n, 3):
            raise ValueError("time_s must be (n,) and gyro_rad_s (n, 3)")
        if self.accel_m_s2 is not None and self.accel_m_s2.shape != (n, 3):
            raise ValueError("accel_m_s2 must be (n, 3)")
        if n > 1 and not np.all(np.diff(self.time_s) > 0):
            raise ValueError("time_s must increase strictly")
        if self.R_cam_gyro is not None and self.R_cam_gyro.shape != (3, 3):
            raise ValueError("R_cam_gyro must be (3, 3)")

    @property
    def files(self) -> tuple[str, ...]:
        """All files that the log was read from."""
        return self.source, *self.beside

    @property
    def rate_hz(self) -> float:
        """Median sample rate."""
        return float(1 / np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else 0.0
