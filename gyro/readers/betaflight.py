"""Reader of Betaflight blackbox logs, exported as CSV by the explorer or by blackbox_decode."""

from __future__ import annotations

import math
from pathlib import Path

from gyro.errors import LogError
from gyro.log import GyroLog
from gyro.readers.assemble import read_columns
from gyro.readers.columns import Columns, Triple
from gyro.readers.options import G_M_S2, ReadOptions
from gyro.readers.table import MAX_LINE_BYTES, TextForm, open_log, unquoted

MAX_HEADER_LINES = 2000


def sniff(head: bytes, path: Path) -> bool:
    return b"loopIteration" in head and b"gyroADC[0]" in head


def read(path: Path, options: ReadOptions) -> GyroLog:
    """Read time in us, gyroADC in deg/s, and accSmooth in counts of acc_1G (from the header, if it is there).

    The axes are the flight controller's (roll, pitch, yaw); the file does not state how it is mounted.
    """
    names, skip, one_g = _header(path)
    time = next((i for i, name in enumerate(names) if name.split(" ")[0] == "time"), None)
    gyro = _triple(names, "gyroADC")
    if time is None or gyro is None:
        raise LogError(f"{path.name}: line {skip}: no columns time and gyroADC[0..2]")
    scale = G_M_S2 / one_g if one_g else None
    columns = Columns(
        time, gyro, _triple(names, "accSmooth"), 1e-6, math.pi / 180, scale, "Betaflight: us, gyroADC in deg/s"
    )
    return read_columns(path, "betaflight", TextForm(",", skip), columns, options)


def _header(path: Path) -> tuple[list[str], int, float | None]:
    """Return the column names, the number of lines through them, and the counts of 1 g."""
    one_g = None
    with open_log(path) as file:
        for count in range(1, MAX_HEADER_LINES + 1):
            line = file.readline(MAX_LINE_BYTES).decode("utf-8", "replace")
            cells = [unquoted(cell) for cell in line.split(",")]
            if cells[0] == "loopIteration":
                return cells, count, one_g
            if cells[0] == "acc_1G" and len(cells) == 2 and cells[1].isdecimal():
                one_g = float(cells[1]) or None
    raise LogError(f"{path.name}: no line that starts with loopIteration in its first {MAX_HEADER_LINES}")


def _triple(names: list[str], stem: str) -> Triple | None:
    """Return the columns stem[0], [1], [2], with or without a unit in their names."""
    bare = [name.split(" ")[0] for name in names]
    indices = [bare.index(f"{stem}[{i}]") if f"{stem}[{i}]" in bare else -1 for i in range(3)]
    return (indices[0], indices[1], indices[2]) if min(indices) >= 0 else None
