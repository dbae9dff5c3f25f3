"""Assembly of a log from the columns of a text file: order, gaps, units, damage report."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gyro.errors import GyroError, LogError
from gyro.log import Damage, Float, GyroLog
from gyro.readers import clock, units
from gyro.readers.columns import Columns
from gyro.readers.options import ACCEL_UNITS, GYRO_UNITS, TIME_UNITS, ReadOptions, unit_scale
from gyro.readers.table import Table, TextForm, read_table

_EPOCH_FROM_S = 1e8  # three years, longer than any camera runs: larger times are an epoch


def read_columns(path: Path, name: str, form: TextForm, columns: Columns, options: ReadOptions) -> GyroLog:
    """Read the columns of a text file into a log, for every text reader. `name` is the format."""
    table = read_table(path, form, (columns.time, *columns.gyro, *(columns.accel or ())), required=4)
    return build_log(path, name, table, columns, options)


def file_beside(path: Path, name: str) -> Path | None:
    """Return the regular file called `name` in the folder of `path`; None where there is none."""
    beside = path.parent / name
    return beside if os.path.isfile(beside) else None  # Path.is_file() raises OSError where a name is too long


def add_from_file(log: GyroLog, path: Path, add: Callable[[GyroLog, Path], GyroLog]) -> GyroLog:
    """Return the log with what `add` reads from a further file, or with a note where that file cannot be used."""
    log = replace(log, beside=(*log.beside, str(path)))
    try:
        return add(log, path)
    except GyroError as error:
        return replace(log, notes=(*log.notes, f"not used: {error}"))


def build_log(path: Path, name: str, table: Table, columns: Columns, options: ReadOptions) -> GyroLog:
    """Build a log from a table of t, gx, gy, gz[, ax, ay, az]; units come from `options`, else `columns`, else the
    values.

    Raises LogError where fewer than half of the rows are in order, fewer than two are left, or the clock cannot be that
    of a gyroscope.
    """
    counts = clock.spread_ties(table.values[:, 0])
    rows = _increasing_rows(path, counts)
    time_unit = _unit_finding(options.time_unit, TIME_UNITS, columns.time_scale, "time") or units.time_unit(
        counts[rows]
    )
    all_s, origin_s = _seconds(counts, time_unit.scale)
    rows = rows[clock.plausible_rows(all_s[rows])]
    rows = rows[np.diff(all_s[rows], prepend=-np.inf) > 0]  # counts may differ by less than a float of seconds holds
    _check_enough(path, len(rows), len(counts))
    clock.check_clock(all_s[rows], path.name)
    # An hour of log has 100 MB of values: no copy where all rows are used.
    values = table.values if len(rows) == len(counts) else table.values[rows]
    notes = [columns.note, time_unit.note]
    if counts is not table.values[:, 0] and not np.array_equal(counts, table.values[:, 0]):
        notes.append("the clock is coarser than the sample rate: equal times were spread evenly")
    accel = _accel(values, options, columns, notes)
    gyro_unit = _unit_finding(options.gyro_unit, GYRO_UNITS, columns.gyro_scale, "gyro")
    gyro_unit = gyro_unit or units.gyro_unit(all_s[rows], values[:, 1:4], accel)
    notes.append(gyro_unit.note)
    gyro = np.ascontiguousarray(values[:, 1:4]) * gyro_unit.scale
    plausible = _plausible_rates(path, gyro)
    damage, gaps_s = _damage(table, all_s, rows, plausible)
    return GyroLog(
        source=str(path),
        format=name,
        time_s=all_s[rows[plausible]],
        gyro_rad_s=gyro[plausible],
        accel_m_s2=None if accel is None else accel[plausible],
        gaps_s=gaps_s,
        damage=damage,
        notes=tuple(note for note in notes if note),
        origin_s=origin_s,
    )


def _increasing_rows(path: Path, counts: Float) -> clock.Index:
    """Return the rows whose times increase. Raises LogError where they are fewer than half."""
    rows = clock.increasing_rows(counts)
    if len(rows) < max(2, len(counts) / 2):
        raise LogError(
            f"{path.name}: {len(rows)} of {len(counts)} times increase; is this the time column? (--gyro-columns)"
        )
    return rows


def _check_enough(path: Path, rows: int, total: int) -> None:
    if rows < max(2, total / 2):
        raise LogError(f"{path.name}: its clock jumps so often that only {rows} of {total} rows belong together")


def _plausible_rates(path: Path, gyro_rad_s: Float) -> NDArray[np.bool_] | slice:
    """Return the rows with plausible rates, a slice where all are. Raises LogError where fewer than half are."""
    plausible = np.max(np.abs(gyro_rad_s), axis=1) <= units.RATE_MAX_RAD_S
    if plausible.all():
        return slice(None)
    if plausible.sum() < max(2, len(plausible) / 2):
        raise LogError(f"{path.name}: most of its rates are above {units.RATE_MAX_RAD_S:g} rad/s; give --gyro-units")
    return np.asarray(plausible)


def _unit_finding(
    requested: str | None, valid: dict[str, float], stated: float | None, what: str
) -> units.UnitFinding | None:
    """Return the unit that the user requests, else the one that the file states."""
    scale = unit_scale(requested, valid) if requested is not None else stated
    if scale is None:
        return None
    name = next((unit for unit, s in valid.items() if s == scale), f"units of {scale:.6g}")
    return units.UnitFinding(
        scale, f"{what} in {name} ({'as requested' if requested is not None else 'stated in the file'})"
    )


def _seconds(counts: Float, scale: float) -> tuple[Float, float]:
    """Return times in seconds and their origin. An epoch is subtracted before scaling, so that no digits are lost."""
    first = float(np.min(counts))
    if abs(first * scale) < _EPOCH_FROM_S:
        return counts * scale, 0.0
    return (counts - first) * scale, first * scale


def _accel(values: Float, options: ReadOptions, columns: Columns, notes: list[str]) -> Float | None:
    """Return the accelerometer in m/s2, interpolated where the file has it in fewer rows than the gyroscope; None where
    it is (almost) always missing."""
    if columns.accel is None:
        return None
    accel = np.ascontiguousarray(values[:, 4:7])
    valid = np.all(np.abs(accel) < 1e30, axis=1)
    if valid.sum() < 2 or valid.mean() < 0.01:
        notes.append("accelerometer columns are empty: not used")
        return None
    if not valid.all():
        valid_rows = np.flatnonzero(valid)
        accel = np.stack([np.interp(np.arange(len(accel)), valid_rows, accel[valid_rows, i]) for i in range(3)], axis=1)
        notes.append(f"accelerometer in {valid.mean():.0%} of the rows: interpolated between them")
    if not np.any(accel):
        notes.append("accelerometer is zero throughout: not used")
        return None
    unit = _unit_finding(options.accel_unit, ACCEL_UNITS, columns.accel_scale, "acceleration") or units.accel_unit(
        accel
    )
    notes.append(unit.note)
    return accel * unit.scale


def _damage(
    table: Table, all_s: Float, ordered: clock.Index, plausible: NDArray[np.bool_] | slice
) -> tuple[tuple[Damage, ...], Float]:
    """Return all damage in the order of the file, and the spans without data. `ordered` are the rows with usable times,
    `plausible` those of them with plausible rates."""
    rows = ordered[plausible]
    dropped, twice = clock.dropped_rows(all_s, rows)
    bad_line = np.array([bad.line for bad in table.bad], np.int64)
    lost_line = np.sort(np.concatenate([bad_line, table.line[dropped[~twice]]]))
    gaps_s, reports = clock.lost_spans(all_s[rows], table.line[rows], lost_line)
    reports += clock.ordering_damage(all_s, table.line, ordered)
    for row in np.setdiff1d(ordered, rows, assume_unique=True)[: clock.MAX_DAMAGE]:
        reports.append(Damage(int(table.line[row]), float(all_s[row]), "a rate that no gyroscope can measure"))
    for bad in table.bad[: clock.MAX_DAMAGE]:
        before = max(int(np.searchsorted(table.line, bad.line)) - 1, 0)
        reports.append(Damage(bad.line, float(all_s[before]), bad.reason or "bad line"))
    return tuple(sorted(reports, key=lambda d: d.line)), gaps_s
