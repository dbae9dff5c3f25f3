"""Reader of the three files of Deep Online Fused Video Stabilization (Shi et al. 2022): gyroscope, lens shift,
frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from gyro.errors import LogError
from gyro.log import Float, GyroLog, OisLog
from gyro.readers.assemble import add_from_file, file_beside, read_columns
from gyro.readers.columns import Columns
from gyro.readers.options import ReadOptions
from gyro.readers.table import TextForm, number, read_table
from gyro.readers.units import READOUT_MAX_S

GYRO_END, OIS_END, FRAME_END = "_gyro.txt", "_ois.txt", "_frame.txt"
_FORM = TextForm(None, 0)
SHIFT_MAX_COUNTS = 400.0  # of lens shift: a tenth of the frame's width, a few times that of phones
# The original program swaps x and y. For the back camera of a phone that lies on its side, top to the left, that is
# x right = -y, y down = -x, z forward = -z; the signs make it a rotation.
_R_CAM_PHONE = np.array([[0.0, -1, 0], [-1, 0, 0], [0, 0, -1]])


def sniff(head: bytes, path: Path) -> bool:
    """Whether the name ends in gyro.txt and the first row has five or six numbers."""
    cells = head.split(b"\n", 1)[0].decode("latin-1").split()
    return path.name.endswith(GYRO_END[1:]) and len(cells) in (5, 6) and all(number(cell) is not None for cell in cells)


def read(path: Path, options: ReadOptions) -> GyroLog:
    """Read t_us wx wy wz _ frame, in rad/s and the phone's axes, whose x and y are swapped in the frame; also lens
    shift and readout time of the two files beside it, if they are usable."""
    columns = Columns(0, (1, 2, 3), None, 1e-6, 1.0, None, "DVS: us, rad/s")
    log = read_columns(path, "dvs", _FORM, columns, options)
    log = replace(log, axes="phone, x and y swapped in the picture", R_cam_gyro=_R_CAM_PHONE.copy())
    for end, add in ((OIS_END, _with_ois), (FRAME_END, _fit_with_readout_axis)):
        beside = file_beside(path, path.name.removesuffix(GYRO_END) + end)
        if path.name.endswith(GYRO_END) and beside is not None:
            log = add_from_file(log, beside, add)
    return log


def _with_ois(log: GyroLog, path: Path) -> GyroLog:
    ois = _ois(path, log.origin_s)
    if len(ois.time_s) < 2 or not np.all(np.abs(ois.shift) < SHIFT_MAX_COUNTS):
        raise LogError(f"{path.name}: {len(ois.time_s)} lens shifts, or some out of range")
    return replace(log, ois=ois, notes=(*log.notes, f"lens shift from {path.name}"))


def _fit_with_readout_axis(log: GyroLog, path: Path) -> GyroLog:
    readout_s = _readout_s(path)
    if not 0 <= readout_s <= READOUT_MAX_S:
        raise LogError(f"{path.name}: a rolling-shutter readout time of {readout_s * 1e3:.4g} ms is implausible")
    note = f"readout {readout_s * 1e3:.2f} ms from {path.name}"
    return replace(log, readout_s=readout_s, notes=(*log.notes, note))


def _ois(path: Path, origin_s: float) -> OisLog:
    """Read frame ois_x ois_y t_ns, sorted by time, without duplicate times."""
    values = read_table(path, _FORM, (3, 1, 2), required=3).values
    _, rows = np.unique(values[:, 0], return_index=True)
    return OisLog(_seconds(values[rows, 0], origin_s), values[rows, 1:3])


def _readout_s(path: Path) -> float:
    """Return the median readout time; the columns are t_ns exposure_ns vcm rs_time_ns t_ois_ns zoom frame."""
    time_ns, readout_ns = read_table(path, _FORM, (0, 3), required=2).values.T
    if np.any(np.diff(time_ns) <= 0):
        raise LogError(f"{path.name}: frame times do not increase")
    return float(np.median(readout_ns)) * 1e-9


def _seconds(nanoseconds: Float, origin_s: float) -> Float:
    return (nanoseconds - origin_s * 1e9) * 1e-9
