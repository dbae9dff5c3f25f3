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
class OisLog:
    """Where the stabilising lens was: `time_s` (n,) on the clock of its GyroLog, `shift` (n, 2) as the file counts it
    (x, y)."""

    time_s: Float
    shift: Float

    def __post_init__(self) -> None:
        if self.shift.shape != (len(self.time_s), 2):
            raise ValueError("shift must be (n, 2)")


@dataclass(frozen=True, slots=True)
class GyroLog:
    """Angular rate over time.

    `time_s` (n,) float64, strictly increasing, log clock; `origin_s` is what that clock showed in the file at time_s
    = 0 (an epoch is taken off, so that a double still resolves nanoseconds). `gyro_rad_s` (n, 3) and `accel_m_s2` (n,
    3) or None in the axes of the file; `axes` is what the file says of them (None: nothing). `R_cam_gyro` (3, 3)
    turns file axes into camera axes (x right, y down, z forward) where that statement says so much; its determinant
    is -1 where the file states a mirror, which the picture must confirm or refuse. `readout_s` is the time from the
    first to the last row, where the file says so (negative: bottom to top). `lens` names the lens profile that the
    file asks for. `damage` lists bad cells, gaps, backward and duplicate times; `gaps_s` (k, 2) are the spans without
    usable data. `notes` are findings for a person: detected columns, units, clock. `beside` names the further files
    that were read for it.
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
    origin_s: float = 0.0
    R_cam_gyro: Float | None = None
    lens: str | None = None
    ois: OisLog | None = None
    beside: tuple[str, ...] = ()

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
        """Every file that the log was read from."""
        return self.source, *self.beside

    @property
    def rate_hz(self) -> float:
        """The usual (median) sample rate."""
        return float(1 / np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else 0.0
