"""Units of columns without a stated unit, detected from the values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gyro.errors import LogError
from gyro.log import Float
from gyro.readers.options import ACCEL_UNITS, G_M_S2, GYRO_UNITS, TIME_UNITS

SAMPLES_MAX = 200_000
READOUT_MAX_S = 0.2  # longer than the rolling-shutter readout of any camera
RATE_MAX_RAD_S = 1e4  # thirty times the full scale of the fastest gyroscopes
EPOCH_S = (1.0e9, 2.2e9)  # 2001 to 2039
_FULL_SCALE_DEG_S = (125, 250, 500, 1000, 2000, 4000)


@dataclass(frozen=True, slots=True)
class UnitFinding:
    """A detected unit."""

    scale: float
    """SI units per count."""
    note: str
    """How it was detected."""


def plausible_readout(readout_s: float | None) -> tuple[float | None, tuple[str, ...]]:
    """Return the readout time that a file states, or None and a note where it is implausible."""
    if readout_s is None or abs(readout_s) <= READOUT_MAX_S:
        return readout_s, ()
    return None, (f"a rolling-shutter readout time of {readout_s * 1e3:.4g} ms is implausible: not used",)


def time_unit(time: Float) -> UnitFinding:
    """Detect the unit of times (n,): by their epoch, else by a sample rate between 8 Hz and 8 kHz.

    Sample rates span a factor of 1000, as do the units, so exactly one unit fits each step.
    """
    for name, scale in TIME_UNITS.items():
        if EPOCH_S[0] <= time[0] * scale <= EPOCH_S[1]:
            return UnitFinding(scale, f"time in {name} since 1970")
    step = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
    if step <= 0:
        raise LogError("the times do not increase; name the time column with --gyro-columns")
    for name, scale in TIME_UNITS.items():
        if step * scale * 8000 >= 1 and step * scale <= 0.125:
            return UnitFinding(scale, f"time in {name}: {1 / (step * scale):.4g} Hz (guess)")
    raise LogError(f"a time step of {step:.3g} fits no unit between 8 Hz and 8 kHz; give --time-unit")


def accel_unit(accel: Float) -> UnitFinding:
    """Detect the unit of accelerations (n, 3), in which their median length is gravity; raw counts are scaled to it."""
    length = float(np.nanmedian(np.linalg.norm(accel[:SAMPLES_MAX], axis=1)))
    if not length > 0:
        raise LogError("the accelerometer is always zero; ignore it with --gyro-columns t,gx,gy,gz")
    for name, scale in ACCEL_UNITS.items():
        if 0.6 < length * scale / G_M_S2 < 1.6:
            return UnitFinding(scale, f"acceleration in {name} (median length {length:.4g})")
    return UnitFinding(G_M_S2 / length, f"acceleration in counts: median length {length:.4g} assumed to be gravity")


def gyro_unit(time_s: Float, gyro: Float, accel: Float | None) -> UnitFinding:
    """Detect the unit of rates (n, 3) by the rotation of gravity where it is significant, else by their size."""
    gyro = gyro[:SAMPLES_MAX]
    counts = bool(np.all(gyro == np.round(gyro))) and float(np.max(np.abs(gyro))) > 20
    if accel is not None:
        slope, correlation = gravity_slope(time_s[:SAMPLES_MAX], gyro, accel[:SAMPLES_MAX])
        scales = _count_scales() if counts else {k: GYRO_UNITS[k] for k in ("rad/s", "deg/s")}
        name = min(scales, key=lambda k: abs(math.log(scales[k] / slope))) if slope > 0 else ""
        # rad/s and deg/s differ by 57, so a slope within a factor of 3 of either decides; scales of counts differ by 2.
        if name and abs(math.log(scales[name] / slope)) < math.log(1.3 if counts else 3):
            return UnitFinding(
                scales[name], f"gyro in {name}: gravity rotates with it (slope {slope:.3g}, r {correlation:.2f})"
            )
    return _gyro_unit_by_size(gyro, counts)


def gravity_slope(time_s: Float, gyro: Float, accel: Float) -> tuple[float, float]:
    """Return slope and correlation between the change of gravity and its prediction by the gyroscope; (0, 0) where
    insignificant.

    In a rotating body gravity obeys da/dt = -w x a, integrated here over spans of 0.1 to 1.6 s. The most significant
    span counts, with at least five standard errors and a correlation of 0.4. The slope is rad/s per count where both
    sensors share their axes. Steps and hand shake mask it, a rotation at rest shows it.
    """
    valid = np.all(np.isfinite(accel), axis=1)
    time_s, gyro, accel = time_s[valid], gyro[valid], accel[valid]
    if len(time_s) < 8:
        return 0.0, 0.0
    rate = -np.cross(gyro, accel)
    steps = 0.5 * (rate[1:] + rate[:-1]) * np.diff(time_s)[:, None]
    total = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    best = (0.0, 0.0, 0.0)
    for span_s in (0.1, 0.2, 0.4, 0.8, 1.6):
        lag = max(round(span_s / float(np.median(np.diff(time_s)))), 1)
        independent = 3 * len(time_s) / lag
        if independent >= 24:
            slope, correlation = _regress(total[lag:] - total[:-lag], accel[lag:] - accel[:-lag])
            best = max(best, (correlation * math.sqrt(independent), slope, correlation))
    significance, slope, correlation = best
    return (slope, correlation) if significance > 5 and correlation > 0.4 else (0.0, 0.0)


def _regress(predicted: Float, measured: Float) -> tuple[float, float]:
    """Return the slope through the origin and the correlation of two (n, 3)."""
    cross, power = float(np.sum(predicted * measured)), float(np.sum(predicted**2))
    norm = math.sqrt(power) * math.sqrt(float(np.sum(measured**2)))
    return (cross / power, cross / norm) if norm > 0 else (0.0, 0.0)


def _count_scales() -> dict[str, float]:
    """Return the scales of raw 16-bit counts at common full scales, and of integer deg/s."""
    raw = {f"counts of +-{full} deg/s": math.radians(full / 32768) for full in _FULL_SCALE_DEG_S}
    return {**raw, "deg/s": GYRO_UNITS["deg/s"]}


def _gyro_unit_by_size(gyro: Float, counts: bool) -> UnitFinding:
    """Guess from the fastest motion: a handheld camera rotates at about 1 rad/s, which is 60 deg/s."""
    fast = float(np.percentile(np.linalg.norm(gyro, axis=1), 95))
    if counts and float(np.max(np.abs(gyro))) > 4000:
        return UnitFinding(
            math.radians(2000 / 32768),
            "gyro in raw counts, assumed 16 bit of +-2000 deg/s (guess; else give --gyro-units)",
        )
    name = "deg/s" if fast > 2.5 else "rad/s"
    return UnitFinding(
        GYRO_UNITS[name], f"gyro in {name} (guess from the values, 95 % below {fast:.3g}; else give --gyro-units)"
    )
