"""Export of logs as Gyroflow's .gcsv and of orientations as CSV or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyro.axis_letters import matrix_to_letters
from gyro.errors import file_errors
from gyro.log import Float, GyroLog
from gyro.readers.gcsv import R_CAM_BODY
from gyro.readers.options import G_M_S2
from localfiles import write_text
from localfiles.text import clean

CHUNK_ROWS = 65536  # per step: Python numbers take ten times the memory of an array

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation


def write_gcsv(log: GyroLog, path: Path, inputs: Iterable[Path | str] = (), overwrite: bool = False) -> None:
    """Write a log as .gcsv 1.3: seconds, rad/s, g, in the log's axes where an orientation string can describe them.

    Other axes are rotated to those of gcsv (x up, y left, z backward). Unknown axes are stated in the note. Raises
    UsageError where `path` is one of the `inputs`, OutputError where it cannot be written, or exists and `overwrite`
    is false.
    """
    to_body = np.eye(3) if log.R_cam_gyro is None else R_CAM_BODY.T @ log.R_cam_gyro
    orientation = matrix_to_letters(to_body)
    turn = np.eye(3) if orientation else to_body
    columns = [log.time_s, *(log.gyro_rad_s @ turn.T).T]
    names = "t,gx,gy,gz"
    if log.accel_m_s2 is not None:
        columns += [*(log.accel_m_s2 @ turn.T / G_M_S2).T]
        names += ",ax,ay,az"
    note = "axes unknown" if log.R_cam_gyro is None else f"from {log.format}"
    header = ["GYROFLOW IMU LOG", "version,1.3", "id,stabilize", f"orientation,{orientation or 'XYZ'}", f"note,{note}"]
    if log.lens:
        header.append(f"lensprofile,{clean(log.lens)}")
    if log.readout_s is not None:
        header += [f"frame_readout_time,{abs(log.readout_s) * 1000:.6g}"]
        header += [f"frame_readout_direction,{0 if log.readout_s >= 0 else 1}"]
    header += ["tscale,1", "gscale,1", "ascale,1", names]
    rows = _rows(np.column_stack(columns), ",".join(["%.7f"] + ["%.8g"] * (len(columns) - 1)))
    with file_errors():
        write_text(path, "\n".join([*header, *rows]) + "\n", inputs, overwrite)


def _rows(table: Float, row_format: str) -> Iterator[str]:
    for first in range(0, len(table), CHUNK_ROWS):
        for row in table[first : first + CHUNK_ROWS].tolist():
            yield row_format % tuple(row)


def write_path(
    time_s: Float, R_world_cam: Rotation, path: Path, inputs: Iterable[Path | str] = (), overwrite: bool = False
) -> None:
    """Write orientations (n,) over time: .json as a list of objects, anything else as CSV.

    R_world_cam turns camera vectors (x right, y down, z forward) into world vectors; quaternions are written w, x, y,
    z with w >= 0. Raises as `write_gcsv`.
    """
    table = np.column_stack([time_s, R_world_cam.as_quat(canonical=True, scalar_first=True)])
    names = ["t_s", "qw", "qx", "qy", "qz"]
    if path.suffix.lower() == ".json":
        text = json.dumps([dict(zip(names, row, strict=True)) for row in table.tolist()], indent=1, allow_nan=False)
    else:
        text = "\n".join([",".join(names), *_rows(table, ",".join(["%.7f"] + ["%.10f"] * 4))])
    with file_errors():
        write_text(path, text + "\n", inputs, overwrite)
