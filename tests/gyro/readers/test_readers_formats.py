"""Formats with a signature: their metadata are read, and the files beside them."""

from __future__ import annotations

import importlib.machinery
import math
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from gyro.axis_letters import letters_to_matrix
from gyro.errors import InputError, LogError, UsageError
from gyro.readers import ReadOptions, detect_format, find_logs, gcsv, read_log

GCSV = """GYROFLOW IMU LOG
version,1.3
id,custom_logger_name
orientation,YxZ
note,development_test
vendor,potatocam
lensprofile,potatocam/wide
frame_readout_time,15.23
frame_readout_direction,{direction}
tscale,0.001
gscale,0.00122173047
ascale,0.00048828125
t,gx,gy,gz,ax,ay,az
"""


def write_gcsv(path: Path, direction: str = "0", header: str = GCSV) -> Path:
    rows = [f"{t},{39 + t},{86 - t},183,-1137,-1568,-298" for t in range(100)]
    path.write_text(header.format(direction=direction) + "\n".join(rows) + "\n")
    return path


def test_gcsv_scales_and_statements(tmp_path):
    log = read_log(write_gcsv(tmp_path / "a.gcsv"))
    assert log.format == "gcsv" and log.axes == "YxZ" and log.lens == "potatocam/wide"
    assert log.readout_s == pytest.approx(0.01523)
    assert log.rate_hz == pytest.approx(1000)
    np.testing.assert_allclose(log.gyro_rad_s[3], np.array([42, 83, 183]) * 0.00122173047)
    assert log.accel_m_s2 is not None
    np.testing.assert_allclose(log.accel_m_s2[0], np.array([-1137, -1568, -298]) * 0.00048828125 * 9.80665)


@pytest.mark.parametrize("direction, sign", [("0", 1), ("TopToBottom", 1), ("1", -1), ("180", -1), ("2", None)])
def test_gcsv_readout_direction(tmp_path, direction, sign):
    readout = read_log(write_gcsv(tmp_path / "a.gcsv", direction)).readout_s
    assert readout == (None if sign is None else pytest.approx(sign * 0.01523))


def test_gcsv_orientation_as_documented():
    """docs.gyroflow.xyz: YxZ gives Y, -X, Z; then x is up, y left, z backward."""
    np.testing.assert_array_equal(letters_to_matrix("YxZ") @ [1, 2, 3], [2, -1, 3])
    up, left, backward = np.eye(3)
    np.testing.assert_array_equal(gcsv.R_CAM_BODY @ up, [0, -1, 0])
    np.testing.assert_array_equal(gcsv.R_CAM_BODY @ left, [-1, 0, 0])
    np.testing.assert_array_equal(gcsv.R_CAM_BODY @ backward, [0, 0, -1])
    assert np.linalg.det(gcsv.R_CAM_BODY) == 1


def test_gcsv_defaults(tmp_path):
    header = "CAMERA IMU LOG\nt,gx,gy,gz\n"
    log = read_log(write_gcsv(tmp_path / "a.gcsv", header=header))
    assert log.rate_hz == pytest.approx(1000) and log.axes == "xzY" and log.accel_m_s2 is None
    np.testing.assert_allclose(log.gyro_rad_s[0], [39, 86, 183])


@pytest.mark.parametrize(
    "broken, message",
    [
        (GCSV.replace("YxZ", "YYZ"), "orientation 'YYZ'"),
        (GCSV.replace("tscale,0.001", "tscale,fast"), "tscale is 'fast'"),
        (GCSV.replace("gscale,0.00122173047", "gscale,0"), "gscale is '0'"),
        (GCSV.replace("t,gx,gy,gz,ax,ay,az\n", ""), "no line 't,gx,gy,gz'"),
    ],
)
def test_the_message_says_what_is_wrong_in_a_gcsv(tmp_path, broken, message):
    with pytest.raises(LogError, match=message):
        read_log(write_gcsv(tmp_path / "a.gcsv", header=broken))


def test_euroc_csv_and_its_sensor_yaml(tmp_path, truth):
    rows = [f"{1403636579758555392 + i * 5_000_000},{','.join(r[1:])}" for i, r in enumerate(truth.rows())]
    header = "#timestamp [ns],w_RS_S_x [rad s^-1],w_RS_S_y [rad s^-1],w_RS_S_z [rad s^-1],a_RS_S_x [m s^-2]"
    (tmp_path / "data.csv").write_text(header + ",a_RS_S_y [m s^-2],a_RS_S_z [m s^-2]\n" + "\n".join(rows) + "\n")
    (tmp_path / "sensor.yaml").write_text("sensor_type: imu\ncomment: VI-Sensor\ngyroscope_noise_density: 1.7e-4 # x\n")
    log = read_log(tmp_path / "data.csv")
    assert log.format == "euroc" and log.origin_s == pytest.approx(1403636579.758, abs=0.01)
    np.testing.assert_allclose(log.time_s, truth.time_s, atol=1e-6)
    np.testing.assert_allclose(log.gyro_rad_s, truth.gyro, atol=1e-8)
    assert log.accel_m_s2 is not None
    np.testing.assert_allclose(log.accel_m_s2, truth.accel, atol=1e-8)
    assert "0.00017 rad/s/sqrt(Hz)" in log.notes[-1]


def test_betaflight_csv(tmp_path, truth):
    """As blackbox_decode and the explorer write it: metadata, many columns, deg/s, microseconds, one g in counts."""
    names = ["loopIteration", "time (us)", "axisP[0]", "vbatLatest (V)", *(f"gyroADC[{i}] (deg/s)" for i in range(3))]
    names += [*(f"accSmooth[{i}]" for i in range(3)), "flightModeFlags (flags)"]
    lines = [
        '"Product","Blackbox flight data recorder by Nicholas Sherlock"',
        '"acc_1G",2048',
        '"gyro_scale",0x3f800000',
    ]
    lines.append(",".join(f'"{name}"' for name in names))
    degrees, counts = np.degrees(truth.gyro), truth.accel / 9.80665 * 2048
    for i, t in enumerate(truth.time_s):
        values = [str(i), str(round(7e6 + t * 1e6)), "3", "16.8", *(f"{d:.4f}" for d in degrees[i])]
        lines.append(",".join([*values, *(f"{c:.0f}" for c in counts[i]), "ANGLE_MODE|ARM"]))
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    log = read_log(tmp_path / "log.csv")
    assert log.format == "betaflight" and not log.damage
    np.testing.assert_allclose(log.time_s, truth.time_s + 7, atol=1e-6)
    np.testing.assert_allclose(log.gyro_rad_s, truth.gyro, atol=2e-6)
    assert log.accel_m_s2 is not None
    np.testing.assert_allclose(log.accel_m_s2, truth.accel, atol=0.005)


def test_sensor_logger_with_its_gravity_beside(tmp_path, truth):
    def write(name, values, t_s):
        rows = [
            f"{1_650_000_000 * 10**9 + round(t * 1e9)},{t},{z},{y},{x}"
            for t, (x, y, z) in zip(t_s, values, strict=True)
        ]
        (tmp_path / name).write_text("time,seconds_elapsed,z,y,x\n" + "\n".join(rows) + "\n")

    write("Gyroscope.csv", truth.gyro, truth.time_s)
    write("Gravity.csv", truth.accel[::2], truth.time_s[::2])
    log = read_log(tmp_path / "Gyroscope.csv")
    assert log.format == "phone"
    np.testing.assert_allclose(log.gyro_rad_s, truth.gyro, atol=1e-9)
    assert log.accel_m_s2 is not None
    np.testing.assert_allclose(log.accel_m_s2[:-1], truth.accel[:-1], atol=1e-3)  # interpolated from 100 Hz


@pytest.mark.parametrize(
    "name, header, row",
    [
        ("s.csv", "SamplingTime, AccelerationX, AccelerationY, AccelerationZ, GyroX, GyroY, GyroZ", "{t},{a},{g}"),
        ("g.csv", "Time, Rotation Rate (X), Rotation Rate (Y), Rotation Rate (Z)", "{t},{g}"),
        ("r.csv", "Timestamp,Milliseconds,X,Y,Z", "2022-01-01 10:00:00,{ms},{g}"),
        ("VID_1gyro.csv", "", "{g},{ns}"),
    ],
)
def test_other_phone_apps(tmp_path, truth, name, header, row):
    lines = [header] if header else []
    for t, g, a in zip(truth.time_s, truth.gyro, truth.accel, strict=True):
        cells = {"g": ",".join(f"{x:.8f}" for x in g), "a": ",".join(f"{x:.8f}" for x in a)}
        lines.append(row.format(t=t, ms=f"{t * 1e3:.3f}", ns=round(t * 1e9) + 10**12, **cells))
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    log = read_log(tmp_path / name)
    assert log.format == "phone"
    np.testing.assert_allclose(log.gyro_rad_s, truth.gyro, atol=1e-7)
    np.testing.assert_allclose(np.diff(log.time_s), 0.005, atol=1e-6)


def test_dvs_triple(tmp_path):
    t_us = np.arange(4000) * 2500.0 + 5e9
    gyro = "\n".join(f"{t:.0f} {math.sin(i / 50):.7f} 0.25 -0.5 0 {i // 12}" for i, t in enumerate(t_us))
    ois = "\n".join(f"{i // 3} {i % 100 * 2} {-(i % 100)} {5_000_000_000_000 + i * 10_000_000}" for i in range(900))
    frames = "\n".join(
        f"{5_000_020_000_000 + i * 33_333_333} 8000000 0 24000000 {5_000_010_000_000 + i * 33_333_333} 1 {i}"
        for i in range(280)
    )
    for name, text in (("v_gyro.txt", gyro), ("v_ois.txt", ois), ("v_frame.txt", frames)):
        (tmp_path / name).write_text(text + "\n")
    log = read_log(tmp_path / "v_gyro.txt")
    assert log.format == "dvs" and log.rate_hz == pytest.approx(400)
    np.testing.assert_allclose(log.gyro_rad_s[:3, 1:], [[0.25, -0.5]] * 3)
    assert log.time_s[0] == pytest.approx(5000)
    assert log.ois is not None
    np.testing.assert_allclose(log.ois.time_s[:2], [5000, 5000.01])
    np.testing.assert_array_equal(log.ois.shift[7], [14, -7])
    assert log.readout_s == pytest.approx(0.024)
    (tmp_path / "v_ois.txt").unlink()
    assert read_log(tmp_path / "v_gyro.txt").ois is None


def test_the_log_beside_a_video_is_found(tmp_path):
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"no video")
    assert list(find_logs(video)) == []
    (tmp_path / "clip.txt").write_text("notes on this clip\n")
    assert list(find_logs(video)) == []  # a text of the same name that is no log
    (tmp_path / "clip.csv").write_text("t,gx,gy,gz\n" + "\n".join(f"{i / 100},0,0,1" for i in range(50)))
    assert found(video) == ["clip.csv"]
    write_gcsv(tmp_path / "clip.gcsv")
    assert found(video) == ["clip.gcsv", "clip.csv"]  # the best first


def test_a_file_beside_a_video_that_cannot_be_used_is_named_and_hides_no_other(tmp_path):
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"no video")
    (tmp_path / "clip.gcsv").write_text("GYROFLOW IMU LOG\nversion,1.3\n")
    (tmp_path / "clip.csv").write_text("frame,x,y,w,h\n" + "".join(f"{i},{i % 7},3,40,50\n" for i in range(60)))
    (tmp_path / "clip_gyro.csv").write_text("t,gx,gy,gz\n" + "\n".join(f"{i / 100},0,0,1" for i in range(50)))
    broken, boxes, sound = find_logs(video)
    assert broken.log is None and broken.problem.startswith("clip.gcsv, which was found for this video, was not used: ")
    assert boxes.log is None and boxes.problem.startswith("clip.csv, which was found for this video, was not used: ")
    assert sound.log is not None and sound.log.source.endswith("clip_gyro.csv")


def found(video: Path) -> list[str]:
    return [Path(one.log.source).name for one in find_logs(video) if one.log is not None]


def test_errors_name_the_file_and_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"absent\.csv: cannot be read \(no such file"):
        read_log(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="not a regular file"):
        read_log(tmp_path)
    with pytest.raises(UsageError, match="no reader 'nix'; known: gcsv"):
        read_log(write_gcsv(tmp_path / "a.gcsv"), ReadOptions(format="nix"))
    assert detect_format(tmp_path / "a.gcsv") == "gcsv"


def test_telemetry_parser_is_guarded(tmp_path, monkeypatch):
    """A panic of its Rust code is no Exception; bad cells arrive as zeros."""

    class PanicException(BaseException):
        pass

    rows = [{"timestamp_ms": i * 5.0, "gyro": [1.0, i % 3, -2.0], "accl": [0, 0, 9.8]} for i in range(100)]
    rows[40]["gyro"] = [0.0, 0.0, 0.0]

    class Parser:
        def __init__(self, path):
            if "panic" in path:
                raise PanicException("index out of bounds")

        def normalized_imu(self):
            return rows

    spec = importlib.machinery.ModuleSpec("telemetry_parser", None)
    monkeypatch.setitem(sys.modules, "telemetry_parser", types.SimpleNamespace(Parser=Parser, __spec__=spec))
    for name in ("fine.bin", "panic.bin"):
        (tmp_path / name).write_bytes(b"\0" * 10)
    log = read_log(tmp_path / "fine.bin", ReadOptions(format="telemetry"))
    assert len(log.time_s) == 99
    np.testing.assert_allclose(log.gyro_rad_s[1], np.radians([1, 1, -2]))
    np.testing.assert_allclose(log.gaps_s, [[0.195, 0.205]])
    with pytest.raises(LogError, match="index out of bounds"):
        read_log(tmp_path / "panic.bin", ReadOptions(format="telemetry"))
    # Another maker's MP4 has no GPMF: what read_log and find_logs do with it is left to the package, if it is there.
    other = tmp_path / "other.mp4"
    other.write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 500)
    assert read_log(other).format == "telemetry"
    assert [one.log and one.log.format for one in find_logs(other)] == ["telemetry"]
    monkeypatch.delitem(sys.modules, "telemetry_parser")
    with pytest.raises(InputError, match=r"other\.mp4: not a readable video"):
        list(find_logs(other))
