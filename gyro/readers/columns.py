"""Detection of the columns of a text log, by the names in its header or by their values."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from gyro.errors import LogError, UsageError
from gyro.log import Float
from gyro.readers.options import ACCEL_UNITS, GYRO_UNITS, TIME_UNITS

Triple = tuple[int, int, int]

_TIME = re.compile(
    r"#?\s*(t|ts|time|timestamp|time_stamp|sampling_?time|seconds|milliseconds|microseconds|nanoseconds|elapsed"
    r"|seconds_elapsed|loggingtime)([^a-z].*)?"
)
_GYRO = re.compile(r"gyr|omega|rot(ation)?[ _]?rate|ang(ular)?[ _]?(vel|rate)|(^|[^a-z])w_|^[gw][xyz]($|[^a-z])")
_ACCEL = re.compile(r"acc|(^|[^a-z])a_|^a[xyz]($|[^a-z])")
_OTHER = re.compile(r"bias|mag|user|lin|temp|std|cov|quat|grav|uncal")
_AXIS = re.compile(r"(?:^[agw]|(?<![a-z]))([xyz])(?![a-z])|\[([012])\]|(roll|pitch|yaw)")
_CAMEL_AXIS = re.compile(r"(?<=[a-z])([XYZ])(?![a-z])")
_TIME_UNIT = re.compile(r"(?:^|[^a-zµμ])(ns|nano\w*|us|µs|μs|micro\w*|ms|milli\w*|s|sec\w*)(?![a-z])")


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns from 0, and SI units per count where the header states them."""

    time: int
    gyro: Triple
    accel: Triple | None = None
    time_scale: float | None = None
    gyro_scale: float | None = None
    accel_scale: float | None = None
    note: str = ""
    """How they were detected."""


def requested_columns(wanted: tuple[str, ...], header: list[str]) -> Columns:
    """Return the columns that the user names, or numbers from 1. Raises UsageError for a name that is not in the
    header."""
    names = [name.lower() for name in header]
    places = [_column_index(entry.strip(), names) for entry in wanted]
    accel = (places[4], places[5], places[6]) if len(places) == 7 else None
    gyro = (places[1], places[2], places[3])
    return _with_units(Columns(places[0], gyro, accel, note=f"columns as requested: {', '.join(wanted)}"), header)


def _column_index(entry: str, names: list[str]) -> int:
    if entry.lower() in names:
        return names.index(entry.lower())
    if entry.isdecimal() and 1 <= int(entry) <= 10_000:
        return int(entry) - 1
    raise UsageError(
        f"--gyro-columns: no column {entry!r}; the file has {', '.join(names) or 'no header, so give numbers from 1'}"
    )


def columns_by_name(header: list[str], sample: Float, bare_is_gyro: bool = False) -> Columns | None:
    """Return the columns that the header names, checked against the first rows (`sample` (n, columns), NaN for text);
    None without a time or a gyroscope.

    `bare_is_gyro`: columns called x, y, z are the gyroscope.
    """
    times = [
        i
        for i, name in enumerate(header[: sample.shape[1]])
        if _TIME.fullmatch(name.lower()) and _increases(sample[:, i])
    ]
    gyro = _triple(header, _GYRO)
    if gyro is None and bare_is_gyro:
        gyro = _triple(header, re.compile(r"^[xyz]$"))
    if not times or gyro is None:
        return None
    accel = _triple(header, _ACCEL)
    names = [header[i] for i in (times[0], *gyro, *(accel or ()))]
    return _with_units(Columns(times[0], gyro, accel, note=f"columns by name: {', '.join(names)}"), header)


def _axis(name: str) -> int | None:
    """Return 0, 1, 2 for a name of x, y, z; units at its end (rad_s, m_s2) contain no axis letter."""
    match = _AXIS.search(name.lower())
    if match:
        letter, digit, turn = match.groups()
        return "xyz".index(letter) if letter else int(digit) if digit else ("roll", "pitch", "yaw").index(turn)
    camel = _CAMEL_AXIS.search(name)
    return "XYZ".index(camel.group(1)) if camel else None


def _triple(header: list[str], kind: re.Pattern[str]) -> Triple | None:
    """Return the first three columns of this kind whose names differ only in axis and unit."""
    groups: dict[str, dict[int, int]] = {}
    for column, name in enumerate(header):
        axis = _axis(name)
        if axis is None or not kind.search(name.lower()) or _OTHER.search(name.lower()):
            continue
        stem = re.split(r"[ _]?[\[(][^012]|_(?:rad|deg|dps|m_s)", _AXIS.sub("*", _CAMEL_AXIS.sub("x", name).lower()))[0]
        groups.setdefault(stem, {}).setdefault(axis, column)
    for axes in groups.values():
        if len(axes) == 3:
            return axes[0], axes[1], axes[2]
    return None


def _with_units(columns: Columns, header: list[str]) -> Columns:
    def text(places: tuple[int, ...]) -> str:
        return " ".join(header[i].lower() for i in places if i < len(header))

    return Columns(
        columns.time,
        columns.gyro,
        columns.accel,
        _time_scale(text((columns.time,))),
        _gyro_scale(text(columns.gyro)),
        _accel_scale(text(columns.accel)) if columns.accel else None,
        columns.note,
    )


def _time_scale(name: str) -> float | None:
    match = _TIME_UNIT.search(re.sub(r"^#?\s*(sampling_?time|timestamp|time|ts|t)(?![a-z])", "", name))
    if not match:
        return None
    unit = match.group(1)
    for prefix, short in (("s", "s"), ("n", "ns"), ("ms", "ms"), ("milli", "ms")):
        if unit.startswith(prefix):
            return TIME_UNITS[short]
    return TIME_UNITS["us"]


def _gyro_scale(names: str) -> float | None:
    if re.search(r"rad", names):
        return GYRO_UNITS["rad/s"]
    return GYRO_UNITS["deg/s"] if re.search(r"deg|dps|°", names) else None


def _accel_scale(names: str) -> float | None:
    if re.search(r"m[/_ ]?s", names):
        return ACCEL_UNITS["m/s2"]
    if re.search(r"[(\[_]mg($|[)\]])", names):
        return ACCEL_UNITS["mg"]
    return ACCEL_UNITS["g"] if re.search(r"[(\[_]g($|[)\] ])", names) else None


def _increases(column: Float) -> bool:
    """Whether more than 90 % of the steps do not decrease, and some increase."""
    step = np.diff(column[np.isfinite(column)])
    return len(step) > 0 and bool(np.mean(step >= 0) > 0.9) and bool(np.any(step > 0))


def columns_by_value(sample: Float) -> Columns:
    """Detect the columns by their values: the time increases, gravity has constant length, the rest is the gyroscope.

    `sample` (n, columns) holds the first rows, NaN where a cell is text. Raises LogError where this is ambiguous.
    """
    numeric = [i for i in range(sample.shape[1]) if np.mean(np.isfinite(sample[:, i])) > 0.9]
    rising = [i for i in numeric if _increases(sample[:, i])]
    counters = [i for i in rising if np.all(np.diff(sample[:, i]) == 1)]
    times = [i for i in rising if i not in counters] or counters
    if not times:
        raise LogError("no column increases like a time; name the columns with --gyro-columns")
    rest = [i for i in numeric if i != times[0] and i not in counters and not _is_second_clock(sample, i, times[0])]
    if len(rest) == 3:
        return Columns(times[0], (rest[0], rest[1], rest[2]), note=_guess_note("time, gyro", times[0], *rest))
    if len(rest) != 6:
        raise LogError(f"{len(rest)} unnamed columns beside the time; name the columns with --gyro-columns")
    first, second = (rest[0], rest[1], rest[2]), (rest[3], rest[4], rest[5])
    gyro, accel = (
        (second, first) if _length_variation(sample, first) < _length_variation(sample, second) else (first, second)
    )
    return Columns(times[0], gyro, accel, note=_guess_note("time, gyro, accel", times[0], *gyro, *accel))


def _is_second_clock(sample: Float, column: int, time: int) -> bool:
    """Whether a column increases with the time at a constant ratio: a second clock, not a sensor."""
    ok = np.isfinite(sample[:, column]) & np.isfinite(sample[:, time])
    if not _increases(sample[:, column]) or ok.sum() < 3:
        return False
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.corrcoef(sample[ok, column], sample[ok, time])[0, 1]
    return bool(r > 0.999999)


def _length_variation(sample: Float, triple: Triple) -> float:
    """Return the standard deviation of a vector's length over its mean: small for gravity."""
    length = np.linalg.norm(sample[:, triple], axis=1)
    length = length[np.isfinite(length)]
    mean = float(np.mean(length)) if len(length) else 0.0
    return float(np.std(length)) / mean if mean > 0 else math.inf


def _guess_note(what: str, *columns: int) -> str:
    numbers = ", ".join(str(column + 1) for column in columns)
    return f"no names: {what} detected in columns {numbers} (guess; else give --gyro-columns)"
