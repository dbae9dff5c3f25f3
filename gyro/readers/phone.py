"""Reader of the files of phone apps that write one file per sensor, or column names of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from gyro.errors import LogError
from gyro.log import Float, GyroLog
from gyro.readers.assemble import add_from_file, file_beside, read_columns
from gyro.readers.columns import Columns, Triple
from gyro.readers.delimited import HEAD_BYTES, inspect_head
from gyro.readers.options import ReadOptions
from gyro.readers.table import TextForm, open_log


@dataclass(frozen=True, slots=True)
class App:
    """File format of an app."""

    name: str
    header: str
    """Start of the header line; empty if the app writes none."""
    time: int
    gyro: Triple
    accel: Triple | None = None
    time_scale: float = 1.0
    accel_scale: float | None = None
    accel_file: tuple[tuple[str, str], ...] = ()
    """Pairs of the endings of the gyroscope's and the accelerometer's file names, if the latter has its own file."""


# Phones give rad/s. Sensor Logger's Accelerometer.csv lacks gravity; TotalAcceleration.csv and Gravity.csv have it.
_LOGGER_FILES = (("Gyroscope.csv", "TotalAcceleration.csv"), ("Gyroscope.csv", "Gravity.csv"))
APPS = (
    App("Sensor Logger", "time,seconds_elapsed,z,y,x", 0, (4, 3, 2), None, 1e-9, 1.0, _LOGGER_FILES),
    App(
        "SensorLogger iOS",
        "samplingtime,accelerationx,accelerationy,accelerationz,gyrox,gyroy,gyroz",
        0,
        (4, 5, 6),
        (1, 2, 3),
    ),
    App("Gyro iOS", "time,rotationrate(x),rotationrate(y),rotationrate(z)", 0, (1, 2, 3)),
    App("Sensor Record", "timestamp,milliseconds,x,y,z", 1, (2, 3, 4), None, 1e-3),
    App("OpenCamera Sensors", "", 3, (0, 1, 2), None, 1e-9, 1.0, (("gyro.csv", "accel.csv"),)),
)


def sniff(head: bytes, path: Path) -> bool:
    return _detect_app(head, path) is not None


def read(path: Path, options: ReadOptions) -> GyroLog:
    """Read the gyroscope's file, and an accelerometer's file beside it, interpolated at the gyroscope's times."""
    with open_log(path) as file:
        app = _detect_app(file.read(HEAD_BYTES), path)
    if app is None:
        raise LogError(f"{path.name}: not the header of a known phone app")
    columns = Columns(app.time, app.gyro, app.accel, app.time_scale, 1.0, app.accel_scale, f"{app.name}: rad/s")
    log = read_columns(path, "phone", TextForm(",", 1 if app.header else 0), columns, options)
    for gyro_end, accel_end in app.accel_file:
        beside = file_beside(path, path.name.removesuffix(gyro_end) + accel_end)
        if path.name.endswith(gyro_end) and beside is not None:
            return add_from_file(log, beside, partial(_with_accel, app=app, options=options))
    return log


def _detect_app(head: bytes, path: Path) -> App | None:
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("latin-1")
    header = first.replace(" ", "").replace('"', "").strip().lower()
    for app in APPS:
        if app.header and header.startswith(app.header):
            return app
        if not app.header and path.name.endswith("gyro.csv") and _has_unnamed_columns(head, path):
            return app
    return None


def _has_unnamed_columns(head: bytes, path: Path) -> bool:
    """Whether each line has four numbers, the last of them nanoseconds."""
    try:
        head_info = inspect_head(head, path.name)
    except LogError:
        return False
    last = head_info.sample[:, -1]
    return head_info.form.skip == 0 and head_info.sample.shape[1] == 4 and bool(np.all(last > 1e6))


def _with_accel(log: GyroLog, path: Path, *, app: App, options: ReadOptions) -> GyroLog:
    """Return the log with the accelerometer of another file of the app, interpolated at the gyroscope's times."""
    columns = Columns(app.time, app.gyro, None, app.time_scale, 1.0)
    plain = ReadOptions(time_unit=options.time_unit)
    other = read_columns(path, "phone", TextForm(",", 1 if app.header else 0), columns, plain)
    times = other.time_s + (other.origin_s - log.origin_s)
    accel: Float = np.stack([np.interp(log.time_s, times, column) for column in other.gyro_rad_s.T], axis=1)
    return replace(log, accel_m_s2=accel, notes=(*log.notes, f"acceleration from {path.name}, in m/s2"))
