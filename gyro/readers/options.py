"""What a person can overrule of what a reader finds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gyro.errors import UsageError

TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
GYRO_UNITS = {"rad/s": 1.0, "deg/s": math.pi / 180, "mrad/s": 1e-3, "mdeg/s": math.pi / 180e3}
G_M_S2 = 9.80665
ACCEL_UNITS = {"m/s2": 1.0, "g": G_M_S2, "mg": G_M_S2 / 1000}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Overrides for the text readers; None leaves it to detection.

    `columns`: four names or numbers (from 1) for t, gx, gy, gz, or seven with ax, ay, az. `gyro_unit`, `accel_unit`
    and `time_unit`: a name of GYRO_UNITS, ACCEL_UNITS or TIME_UNITS, or a number: SI units per count. `format`: a
    reader's name.
    """

    columns: tuple[str, ...] | None = None
    gyro_unit: str | None = None
    time_unit: str | None = None
    accel_unit: str | None = None
    format: str | None = None

    def __post_init__(self) -> None:
        if self.columns is not None and len(self.columns) not in (4, 7):
            raise UsageError(
                f"--gyro-columns needs 4 (t,gx,gy,gz) or 7 (and ax,ay,az) entries, not {len(self.columns)}"
            )
        for unit, known in ((self.gyro_unit, GYRO_UNITS), (self.time_unit, TIME_UNITS), (self.accel_unit, ACCEL_UNITS)):
            if unit is not None:
                unit_scale(unit, known)


def parse_columns(text: str | None) -> tuple[str, ...] | None:
    """The entries of a list with commas, as `ReadOptions.columns`; None for no text."""
    return tuple(entry.strip() for entry in text.split(",")) if text else None


def unit_scale(unit: str, known: dict[str, float]) -> float:
    """SI units per count of `unit`, a name in `known` or a positive number. Raises UsageError for anything else."""
    if unit in known:
        return known[unit]
    try:
        scale = float(unit)
    except ValueError:
        scale = math.nan
    if not (math.isfinite(scale) and scale > 0):
        raise UsageError(f"unknown unit {unit!r}: give one of {', '.join(known)}, or a number (SI units per count)")
    return scale
