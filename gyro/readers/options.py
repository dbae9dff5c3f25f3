"""Options by which the user overrides detection."""

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
    """Overrides for the text readers; None leaves a value to detection."""

    columns: tuple[str, ...] | None = None
    """Four names or numbers (from 1) for t, gx, gy, gz, or seven with ax, ay, az."""
    gyro_unit: str | None = None
    """A name in GYRO_UNITS, or SI units per count."""
    time_unit: str | None = None
    """A name in TIME_UNITS, or seconds per count."""
    accel_unit: str | None = None
    """A name in ACCEL_UNITS, or SI units per count."""
    format: str | None = None
    """Name of a reader."""

    def __post_init__(self) -> None:
        if self.columns is not None and len(self.columns) not in (4, 7):
            raise UsageError(
                f"--gyro-columns needs 4 (t,gx,gy,gz) or 7 (and ax,ay,az) entries, not {len(self.columns)}"
            )
        for unit, units in ((self.gyro_unit, GYRO_UNITS), (self.time_unit, TIME_UNITS), (self.accel_unit, ACCEL_UNITS)):
            if unit is not None:
                unit_scale(unit, units)


def parse_columns(text: str | None) -> tuple[str, ...] | None:
    """Return the entries of a list with commas, for `ReadOptions.columns`; None for no text."""
    return tuple(entry.strip() for entry in text.split(",")) if text else None


def unit_scale(unit: str, units: dict[str, float]) -> float:
    """Return SI units per count of `unit`, a name in `units` or a positive number. Raises UsageError for anything
    else."""
    if unit in units:
        return units[unit]
    try:
        scale = float(unit)
    except ValueError:
        scale = math.nan
    if not (math.isfinite(scale) and scale > 0):
        raise UsageError(f"unknown unit {unit!r}: give one of {', '.join(units)}, or a number (SI units per count)")
    return scale
