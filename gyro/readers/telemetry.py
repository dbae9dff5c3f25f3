"""Reader of other formats by the optional package telemetry-parser (pip install 'stabilize[telemetry]')."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gyro.errors import NoLogError, file_errors
from gyro.log import GyroLog
from gyro.readers.assemble import build_log
from gyro.readers.columns import Columns
from gyro.readers.options import ReadOptions
from gyro.readers.table import MAX_ROWS, Table
from localfiles import local_file


def sniff(head: bytes, path: Path) -> bool:
    return b"\0" in head and importlib.util.find_spec("telemetry_parser") is not None


def read(path: Path, options: ReadOptions) -> GyroLog:
    """Read by telemetry-parser: ms, deg/s, m/s2. It writes zeros for bad cells, so rows of zeros count as lost.

    Raises NoLogError where it refuses the file or panics; its panics are not subclasses of Exception.
    """
    try:
        import telemetry_parser
    except ImportError:
        raise NoLogError(f"{path.name}: no reader for this format; 'pip install telemetry-parser' adds more") from None
    with file_errors():
        file = local_file(path)
    try:
        rows = telemetry_parser.Parser(str(file)).normalized_imu()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # (pyo3's PanicException is a BaseException)
        raise NoLogError(f"{path.name}: telemetry-parser cannot read it: {error}") from error
    return _log(path, rows, options)


def _log(path: Path, rows: list[dict[str, Any]], options: ReadOptions) -> GyroLog:
    valid_rows = [row for row in rows[:MAX_ROWS] if len(row.get("gyro") or ()) == 3 and any(row["gyro"])]
    if len(valid_rows) < 2:
        raise NoLogError(f"{path.name}: telemetry-parser finds no gyroscope in it")
    missing = (np.nan, np.nan, np.nan)
    accel = [row["accl"] if len(row.get("accl") or ()) == 3 else missing for row in valid_rows]
    values = np.column_stack([[r["timestamp_ms"] for r in valid_rows], [r["gyro"] for r in valid_rows], accel]).astype(
        float
    )
    finite = np.all(np.isfinite(values[:, :4]), axis=1)
    columns = Columns(0, (1, 2, 3), (4, 5, 6), 1e-3, np.pi / 180, 1.0, "read by telemetry-parser")
    table = Table(values[finite], np.zeros(int(finite.sum()), np.int64), ())
    return replace(build_log(path, "telemetry", table, columns, options), axes="as telemetry-parser turns them")
