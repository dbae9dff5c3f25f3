"""Reader of EuRoC / ASL data: imu0/data.csv with its sensor.yaml (Burri et al. 2016)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gyro.errors import LogError, file_errors
from gyro.keyed_files import parse_yaml
from gyro.log import GyroLog
from gyro.readers.assemble import add_from_file, file_beside, read_columns
from gyro.readers.columns import Columns
from gyro.readers.options import ReadOptions
from gyro.readers.table import TextForm
from localfiles import read_text

MAX_SENSOR_BYTES = 1 << 20
_HEADER = b"#timestamp [ns],w_RS_S_x"


def sniff(head: bytes, path: Path) -> bool:
    return head.startswith(_HEADER)


def read(path: Path, options: ReadOptions) -> GyroLog:
    """Read data.csv: ns, rad/s, m/s2. A sensor.yaml beside it goes into the notes."""
    columns = Columns(0, (1, 2, 3), (4, 5, 6), 1e-9, 1.0, 1.0, note="EuRoC IMU: ns, rad/s, m/s2")
    log = read_columns(path, "euroc", TextForm(",", 1), columns, options)
    sensor = file_beside(path, "sensor.yaml")
    return log if sensor is None else add_from_file(log, sensor, _with_notes)


def _with_notes(log: GyroLog, sensor: Path) -> GyroLog:
    with file_errors():
        text = read_text(sensor, MAX_SENSOR_BYTES, "calibration file")
    try:
        keys = parse_yaml(text)
    except LogError as error:
        raise LogError(f"{sensor.name}: {error}") from error
    density = keys.get("gyroscope_noise_density")
    noise = f", gyro noise {density:.3g} rad/s/sqrt(Hz)" if isinstance(density, float) else ""
    note = f"sensor.yaml: {keys.get('comment', 'IMU')}, {keys.get('rate_hz', '?')} Hz{noise}"
    return replace(log, notes=(*log.notes, note))
