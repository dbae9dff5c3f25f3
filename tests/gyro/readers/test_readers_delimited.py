"""Tables with any column order, unit, clock and delimiter are detected, or options override detection."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gyro.errors import LogError, UsageError
from gyro.readers import ReadOptions, read_log

NAMES = ["t", "gx", "gy", "gz", "ax", "ay", "az"]
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def write(path: Path, rows: list[list[str]], header: list[str] | None = None, delimiter: str = ",") -> Path:
    lines = ([delimiter.join(header)] if header else []) + [delimiter.join(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def assert_is(log, truth, tolerance=1e-6):
    np.testing.assert_allclose(log.time_s - log.time_s[0], truth.time_s - truth.time_s[0], atol=1e-6)
    np.testing.assert_allclose(log.gyro_rad_s, truth.gyro, atol=tolerance)
    if log.accel_m_s2 is not None:
        np.testing.assert_allclose(log.accel_m_s2, truth.accel, atol=1e-4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(7)),
    named=st.booleans(),
    time_unit=st.sampled_from(list(TIME_UNITS)),
    degrees=st.booleans(),
    accel=st.sampled_from([1.0, 9.80665, 9.80665e-3]),
    delimiter=st.sampled_from([",", ";", "\t", " "]),
)
def test_any_order_and_unit_is_detected(tmp_path, truth, order, named, time_unit, degrees, accel, delimiter):  # noqa: PLR0917
    """Without names x, y, z and gyro, accel keep their places within the triple, so only whole triples are moved."""
    if not named:
        order = [i for group in sorted([(0,), (1, 2, 3), (4, 5, 6)], key=lambda g: order.index(g[0])) for i in group]
    rows = truth.rows(TIME_UNITS[time_unit], math.pi / 180 if degrees else 1.0, accel)
    rows = [[row[i] for i in order] for row in rows]
    header = [NAMES[i] for i in order] if named else None
    assert_is(read_log(write(tmp_path / "log.csv", rows, header, delimiter)), truth)


@pytest.mark.parametrize(
    "header",
    [
        ["timestamp_ms", "gyro_x", "gyro_y", "gyro_z", "acc_x", "acc_y", "acc_z"],
        ["Time [ms]", "GyroX", "GyroY", "GyroZ", "AccelerationX", "AccelerationY", "AccelerationZ"],
        ['"Time (ms)"', '"Gyroscope x (rad/s)"', '"Gyroscope y (rad/s)"', '"Gyroscope z (rad/s)"', "ax", "ay", "az"],
        ["t_ms", "wx", "wy", "wz", "ax_m_s2", "ay", "az"],
        ["milliseconds", "omega_x", "omega_y", "omega_z", "accel[0]", "accel[1]", "accel[2]"],
        ["ts", "rotationRateX(rad/s)", "rotationRateY(rad/s)", "rotationRateZ(rad/s)", "accX(m/s2)", "accY", "accZ"],
        ["time", "angular_velocity.x", "angular_velocity.y", "angular_velocity.z", "acc.x", "acc.y", "acc.z"],
        ["#timestamp", "gyr_x_rad_s", "gyr_y_rad_s", "gyr_z_rad_s", "acc_x_m_s2", "acc_y_m_s2", "acc_z_m_s2"],
    ],
)
def test_column_names_of_common_loggers(tmp_path, truth, header):
    log = read_log(write(tmp_path / "log.csv", truth.rows(time=1e-3), header))
    assert_is(log, truth)
    assert log.accel_m_s2 is not None
    assert any("by name" in note for note in log.notes)


def test_other_columns_do_not_confuse(tmp_path, truth):
    header = ["frame", "gyro_bias_x", "mag_x", "t", "gx", "gy", "gz", "temp_gyro", "ax", "ay", "az", "note"]
    rows = [[str(i), "0.1", "44", *row[:4], "31.5", *row[4:], "ok"] for i, row in enumerate(truth.rows())]
    assert_is(read_log(write(tmp_path / "log.csv", rows, header)), truth)


def test_a_stated_unit_overrides_the_values(tmp_path, truth):
    """Slower than the values suggest and without accelerometer: the name decides."""
    rows = [row[:4] for row in truth.rows(gyro=math.pi / 180)]
    log = read_log(write(tmp_path / "log.csv", rows, ["t", "gx_rad_s", "gy_rad_s", "gz_rad_s"]))
    np.testing.assert_allclose(log.gyro_rad_s, truth.gyro * 180 / math.pi, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("full_scale", [250, 1000, 2000])
def test_raw_counts_are_scaled_by_gravity(tmp_path, truth, full_scale):
    rows = truth.rows(gyro=math.radians(full_scale) / 32768, accel=9.80665 / 8192, decimals=0)
    rows = [[f"{t:.6f}", *row[1:]] for t, row in zip(truth.time_s, rows, strict=True)]
    log = read_log(write(tmp_path / "log.csv", rows, NAMES))
    np.testing.assert_allclose(log.gyro_rad_s, truth.gyro, atol=0.001 * full_scale / 250)
    assert any("gravity rotates with it" in note for note in log.notes)


def test_options_override_detection(tmp_path, truth):
    rows = [[row[3], row[0], row[1], row[2]] for row in truth.rows(time=1e-2, gyro=0.25)]
    path = write(tmp_path / "log.csv", rows, ["foo", "bar", "baz", "qux"])
    log = read_log(path, ReadOptions(columns=("bar", "3", "qux", "foo"), gyro_unit="0.25", time_unit="0.01"))
    assert_is(log, truth)


@pytest.mark.parametrize(
    "per_s, atol",
    [(10**6, 1e-9), (10**9, 5e-7)],  # a double holds an epoch in ns to 256 ns
)
def test_an_epoch_keeps_its_digits(tmp_path, truth, per_s, atol):
    start = 1_734_106_243_247_123_456 * per_s // 10**9
    rows = [[str(start + round(t * per_s)), *row[1:]] for t, row in zip(truth.time_s, truth.rows(), strict=True)]
    log = read_log(write(tmp_path / "log.csv", rows, NAMES))
    assert log.time_s[0] == 0
    assert log.origin_s == pytest.approx(start / per_s, abs=1e-3)
    np.testing.assert_allclose(log.time_s, truth.time_s, atol=atol)


def test_decimal_commas_and_byte_order_mark(tmp_path, truth):
    text = "\r\n".join(";".join(cell.replace(".", ",") for cell in row) for row in [NAMES, *truth.rows()])
    (tmp_path / "log.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert_is(read_log(tmp_path / "log.csv"), truth)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"columns": ("t", "gx", "gy", "nix")}, "no column 'nix'"),
        ({"gyro_unit": "furlong"}, "unknown unit"),
        ({"time_unit": "-1"}, "unknown unit"),
        ({"columns": ("t",)}, "4 .* or 7"),
        ({"columns": ("gx", "gy", "gz", "t")}, "times increase"),
    ],
)
def test_the_message_for_a_wrong_override_says_what_is_wrong(tmp_path, truth, options, message):
    path = write(tmp_path / "log.csv", truth.rows(), NAMES)
    with pytest.raises(UsageError if "increase" not in message else LogError, match=message):
        read_log(path, ReadOptions(**options))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"\0\1\2\3" * 50, "not a gyroscope log"),
        (b"hello world\nthis is prose\n", "not a gyroscope log"),
        (b"1,2,3,4\n" * 20, "no column increases"),
        (b"".join(b"%d,1,2,3,4,5,6,7,8,9\n" % i for i in range(20)), "name the columns with"),
        (b"t,gx,gy,gz\n0,1,2,3\n", "times increase|no column increases"),
        (b"t,gx,gy,gz\n" + b"0,0,0,0\n1,0,0,0\n" + b"1" * 70000 + b"\n", "longer than 64 KiB"),
    ],
)
def test_files_that_are_not_logs_are_refused_with_the_reason(tmp_path, content, message):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(LogError, match=message):
        read_log(path)


def test_pantilt_is_in_degrees_by_its_gravity(recording):
    """10 Hz, epoch ms, no units stated: README calls it 'probably deg/s'; gravity says so."""
    log = read_log(recording("pantilt.csv"))
    assert log.rate_hz == pytest.approx(10, rel=0.01)
    assert any("gyro in deg/s: gravity rotates with it" in note for note in log.notes)
    assert log.accel_m_s2 is not None
    assert np.median(np.linalg.norm(log.accel_m_s2, axis=1)) == pytest.approx(9.8, rel=0.1)


def test_euroc_table_states_its_units(recording):
    log = read_log(recording("euroc_imu.csv"))
    assert log.rate_hz == pytest.approx(200, rel=1e-6)
    assert log.gyro_rad_s[0] == pytest.approx([-0.002094, 0.017453, 0.077493])
    assert log.accel_m_s2 is not None
    assert log.accel_m_s2[0] == pytest.approx([9.087496, 0.130755, -3.693838])
