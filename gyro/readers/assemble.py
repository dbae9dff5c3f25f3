"""From columns of a text file to a log: order, gaps, units, report."""

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

_EPOCH_FROM_S = 1e8  # three years: no camera has been running so long


def read_columns(path: Path, name: str, form: TextForm, columns: Columns, options: ReadOptions) -> GyroLog:
    """Read the columns of a text file into a log: the body of every text reader. `name` is the format."""
    table = read_table(path, form, (columns.time, *columns.gyro, *(columns.accel or ())), required=4)
    return build_log(path, name, table, columns, options)


def file_beside(path: Path, name: str) -> Path | None:
    """The regular file called `name` in the folder of `path`; None where there is none."""
    beside = path.parent / name
    return beside if os.path.isfile(beside) else None  # Path.is_file() raises OSError where a name is too long


def add_from_file(log: GyroLog, path: Path, add: Callable[[GyroLog, Path], GyroLog]) -> GyroLog:
    """The log with what `add` takes from a further file beside it, which is named in a note where it cannot be used."""
    log = replace(log, beside=(*log.beside, str(path)))
    try:
        return add(log, path)
    except GyroError as error:
        return replace(log, notes=(*log.notes, f"not used: {error}"))


def build_log(path: Path, name: str, table: Table, columns: Columns, options: ReadOptions) -> GyroLog:
    """A log from a table of t, gx, gy, gz[, ax, ay, az]; units come from `options`, else `columns`, else the values.

    Raises LogError where fewer than half of the rows are in order, fewer than two are left, or the clock is no
    gyroscope's.
    """
    counts = clock.spread_ties(table.values[:, 0])
    kept = _increasing_rows(path, counts)
    time_found = _unit_finding(options.time_unit, TIME_UNITS, columns.time_scale, "time") or units.time_unit(
        counts[kept]
    )
    all_s, origin_s = _seconds(counts, time_found.scale)
    kept = kept[clock.plausible_rows(all_s[kept])]
    _check_enough(path, len(kept), len(counts))
    clock.check_clock(all_s[kept], path.name)
    # A sound log of an hour has 100 MB of values: no copy where nothing was left out.
    values = table.values if len(kept) == len(counts) else table.values[kept]
    notes = [columns.note, time_found.note]
    if counts is not table.values[:, 0] and not np.array_equal(counts, table.values[:, 0]):
        notes.append("the clock is coarser than the samples: equal times were spread evenly")
    accel = _accel(values, options, columns, notes)
    gyro_found = _unit_finding(options.gyro_unit, GYRO_UNITS, columns.gyro_scale, "gyro")
    gyro_found = gyro_found or units.gyro_unit(all_s[kept], values[:, 1:4], accel)
    notes.append(gyro_found.note)
    gyro = np.ascontiguousarray(values[:, 1:4]) * gyro_found.scale
    plausible = _plausible_rates(path, gyro)
    damage, gaps_s = _damage(table, all_s, kept, plausible)
    return GyroLog(
        source=str(path),
        format=name,
        time_s=all_s[kept[plausible]],
        gyro_rad_s=gyro[plausible],
        accel_m_s2=None if accel is None else accel[plausible],
        gaps_s=gaps_s,
        damage=damage,
        notes=tuple(note for note in notes if note),
        origin_s=origin_s,
    )


def _increasing_rows(path: Path, counts: Float) -> clock.Index:
    """Rows whose times increase. Raises LogError where they are fewer than half."""
    kept = clock.increasing_rows(counts)
    if len(kept) < max(2, len(counts) / 2):
        raise LogError(
            f"{path.name}: {len(kept)} of {len(counts)} times increase; is this the time column? (--gyro-columns)"
        )
    return kept


def _check_enough(path: Path, kept: int, rows: int) -> None:
    if kept < max(2, rows / 2):
        raise LogError(f"{path.name}: its clock jumps so often that {kept} of {rows} rows belong together")


def _plausible_rates(path: Path, gyro_rad_s: Float) -> NDArray[np.bool_] | slice:
    """Rows at which a gyroscope can turn so fast; a slice where all can. Raises LogError where those are the fewer."""
    plausible = np.max(np.abs(gyro_rad_s), axis=1) <= units.RATE_MAX_RAD_S
    if plausible.all():
        return slice(None)
    if plausible.sum() < max(2, len(plausible) / 2):
        raise LogError(f"{path.name}: most of its rates are above {units.RATE_MAX_RAD_S:g} rad/s; give --gyro-units")
    return np.asarray(plausible)


def _unit_finding(
    requested: str | None, valid: dict[str, float], stated: float | None, what: str
) -> units.UnitFinding | None:
    """What a person or the file says of a unit, the person first."""
    scale = unit_scale(requested, valid) if requested is not None else stated
    if scale is None:
        return None
    name = next((unit for unit, s in valid.items() if s == scale), f"units of {scale:.6g}")
    return units.UnitFinding(
        scale, f"{what} in {name} ({'as requested' if requested is not None else 'stated in the file'})"
    )


def _seconds(counts: Float, scale: float) -> tuple[Float, float]:
    """Times in seconds and the origin: an epoch is taken off before scaling, so that no digits are lost."""
    first = float(np.min(counts))
    if abs(first * scale) < _EPOCH_FROM_S:
        return counts * scale, 0.0
    return (counts - first) * scale, first * scale


def _accel(values: Float, options: ReadOptions, columns: Columns, notes: list[str]) -> Float | None:
    """The accelerometer in m/s2, interpolated where the file has it in fewer rows than the gyroscope; None if hardly
    ever."""
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
    found = _unit_finding(options.accel_unit, ACCEL_UNITS, columns.accel_scale, "acceleration") or units.accel_unit(
        accel
    )
    notes.append(found.note)
    return accel * found.scale


def _damage(
    table: Table, all_s: Float, ordered: clock.Index, plausible: NDArray[np.bool_] | slice
) -> tuple[tuple[Damage, ...], Float]:
    """All reports in the order of the file, and the spans without data. `ordered` are the rows whose times can be
    used, `plausible` those of them whose rates can be, too."""
    kept = ordered[plausible]
    dropped, twice = clock.dropped_rows(all_s, kept)
    bad_line = np.array([bad.line for bad in table.bad], np.int64)
    lost_line = np.sort(np.concatenate([bad_line, table.line[dropped[~twice]]]))
    gaps_s, reports = clock.lost_spans(all_s[kept], table.line[kept], lost_line)
    reports += clock.ordering_damage(all_s, table.line, ordered)
    for row in np.setdiff1d(ordered, kept, assume_unique=True)[: clock.MAX_DAMAGE]:
        reports.append(Damage(int(table.line[row]), float(all_s[row]), "a rate that no gyroscope can measure"))
    for bad in table.bad[: clock.MAX_DAMAGE]:
        before = max(int(np.searchsorted(table.line, bad.line)) - 1, 0)
        reports.append(Damage(bad.line, float(all_s[before]), bad.reason or "bad line"))
    return tuple(sorted(reports, key=lambda d: d.line)), gaps_s
