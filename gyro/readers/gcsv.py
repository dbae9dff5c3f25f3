"""Reader of Gyroflow's .gcsv, version 1.3 (docs.gyroflow.xyz, technical details, GCSV format)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from gyro.axis_letters import letters_to_matrix
from gyro.errors import LogError
from gyro.log import GyroLog
from gyro.readers.assemble import read_columns
from gyro.readers.columns import Columns
from gyro.readers.options import G_M_S2, ReadOptions
from gyro.readers.table import MAX_LINE_BYTES, TextForm, open_log
from gyro.readers.units import plausible_readout

MAGIC = (b"GYROFLOW IMU LOG", b"CAMERA IMU LOG")
MAX_HEADER_LINES = 200
# The orientation string maps to x up, y left, z backward; this maps on to the camera (x right, y down, z forward).
R_CAM_BODY = np.array([[0.0, -1, 0], [-1, 0, 0], [0, 0, -1]])
_DOWN, _UP = ("0", "TopToBottom"), ("1", "180", "BottomToTop")


def sniff(head: bytes, path: Path) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(MAGIC)


def read(path: Path, options: ReadOptions) -> GyroLog:
    """Read a .gcsv. Values stay in the axes of the file; `R_cam_gyro` is that of its orientation string.

    t * tscale is in seconds, g * gscale in rad/s, a * ascale in g. Raises LogError for a bad header or no rows.
    """
    keys, skip, width = _header(path)
    columns = Columns(
        time=0,
        gyro=(1, 2, 3),
        accel=(4, 5, 6) if width >= 7 else None,
        time_scale=_number(path, keys, "tscale", 0.001),
        gyro_scale=_number(path, keys, "gscale", 1.0),
        accel_scale=_number(path, keys, "ascale", 1.0) * G_M_S2,
        note=" ".join(
            filter(None, [f"gcsv {keys.get('version', '')}", keys.get("vendor"), keys.get("id"), keys.get("note")])
        ),
    )
    log = read_columns(path, "gcsv", TextForm(",", skip), columns, options)
    orientation = keys.get("orientation", "xzY")
    try:
        R_cam_gyro = R_CAM_BODY @ letters_to_matrix(orientation)
    except ValueError as error:
        raise LogError(f"{path.name}: orientation {error}") from error
    readout_s, notes = plausible_readout(_readout(path, keys))
    return replace(
        log,
        axes=orientation,
        R_cam_gyro=R_cam_gyro,
        readout_s=readout_s,
        notes=(*log.notes, *notes),
        lens=keys.get("lensprofile") or None,
    )


def _header(path: Path) -> tuple[dict[str, str], int, int]:
    """Return the keys above the table, the number of lines through its header, and the number of columns."""
    keys: dict[str, str] = {}
    with open_log(path) as file:
        for count in range(1, MAX_HEADER_LINES + 1):
            cells = [cell.strip() for cell in file.readline(MAX_LINE_BYTES).decode("utf-8", "replace").split(",")]
            if cells[0] in ("t", "time") and len(cells) >= 4:
                return keys, count, len(cells)
            if len(cells) >= 2:
                keys[cells[0]] = ",".join(cells[1:])
    raise LogError(f"{path.name}: no line 't,gx,gy,gz' in the first {MAX_HEADER_LINES} lines of the gcsv")


def _number(path: Path, keys: dict[str, str], key: str, default: float) -> float:
    try:
        value = float(keys.get(key, default))
    except ValueError:
        value = math.nan
    if not 0 < abs(value) < 1e9:
        raise LogError(f"{path.name}: {key} is {keys[key]!r}, not a usable scale")
    return value


def _readout(path: Path, keys: dict[str, str]) -> float | None:
    """Return the readout time from first to last row; of column readout, None: synchronisation estimates it."""
    direction = keys.get("frame_readout_direction", "0")
    if "frame_readout_time" not in keys or direction not in _DOWN + _UP:
        return None
    milliseconds = _number(path, keys, "frame_readout_time", 0.0)
    return milliseconds / 1000 * (1 if direction in _DOWN else -1)
