"""For any bytes a reader returns a log or raises GyroError, in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gyro.errors import GyroError
from gyro.log import GyroLog
from gyro.readers import READERS, ReadOptions, read_log
from tests.gyro.readers.test_readers_gpmf import bursts, gyro_stream, payload, remux

HEAD = "GYROFLOW IMU LOG\nversion,1.3\norientation,YxZ\ntscale,0.001\ngscale,0.01\nt,gx,gy,gz,ax,ay,az\n"
COUNTS = np.arange(45).reshape(15, 3)
SEEDS = {
    "gcsv": (HEAD + "".join(f"{i},1,2,{i % 3},4,5,6\n" for i in range(40))).encode(),
    "delimited": ("t,gx,gy,gz,ax,ay,az\n" + "".join(f"{i / 100},{i % 7},2,3,0,1,9\n" for i in range(40))).encode(),
    "euroc": b"#timestamp [ns],w_RS_S_x\n" + b"".join(b"%d,1,2,3,4,5,6\n" % (i * 5000000) for i in range(40)),
    "betaflight": b'"acc_1G",2048\nloopIteration,time,gyroADC[0],gyroADC[1],gyroADC[2]\n'
    + b"".join(b"%d,%d,1,2,3\n" % (i, i * 500) for i in range(40)),
    "phone": b"time,seconds_elapsed,z,y,x\n" + b"".join(b"%d,0,1,2,3\n" % (i * 5000000) for i in range(40)),
    "dvs": b"".join(b"%d 1 2 3 0 0\n" % (i * 2500) for i in range(40)),
    "gpmf": payload(gyro_stream(np.arange(45).reshape(15, 3), 15))
    + payload(gyro_stream(np.arange(45).reshape(15, 3), 30)),
}
KEYS = [
    b"GYRO",
    b"ACCL",
    b"SCAL",
    b"STRM",
    b"DEVC",
    b"STMP",
    b"TSMP",
    b"ORIN",
    b"SROT",
    b"CORI",
    b"IORI",
    b"SHUT",
    b"\xff\xff",
]
PIECES = [b",", b"\n", b"-", b"nan", b"1e308", b"9" * 30, b"\0", b"\xff", b'"', b";", b"\t", b"_", b"1e-320", *KEYS]

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def mutated(draw: st.DrawFn, seed: bytes) -> bytes:
    """Draw the seed with bytes inserted, deleted, overwritten or repeated."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["insert", "delete", "overwrite", "repeat", "truncate"]))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(min_size=1, max_size=8)))
        if kind == "insert":
            data[at:at] = piece
        elif kind == "overwrite":
            data[at : at + len(piece)] = piece
        elif kind == "delete":
            del data[at : at + draw(st.integers(1, 60))]
        elif kind == "repeat":
            data[at:at] = data[at : at + draw(st.integers(1, 60))] * draw(st.integers(1, 20))
        else:
            del data[at:]
    return bytes(data)


def survive(path: Path, data: bytes, options: ReadOptions) -> None:
    path.write_bytes(data)
    started = time.perf_counter()
    try:
        log = read_log(path, options)
    except GyroError as error:
        assert str(error)
    else:
        assert isinstance(log, GyroLog) and len(log.time_s) >= 2
        assert np.all(np.isfinite(log.gyro_rad_s)) and np.all(np.isfinite(log.time_s))
        assert log.accel_m_s2 is None or np.all(np.isfinite(log.accel_m_s2))
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("name", [name for name in READERS if name != "telemetry"])
def test_the_seed_files_are_valid(tmp_path, name):
    """Otherwise mutations would test only the first check."""
    (tmp_path / "x_gyro.txt").write_bytes(SEEDS[name])
    log = read_log(tmp_path / "x_gyro.txt", ReadOptions(format=name))
    assert len(log.time_s) >= 15 and not log.damage


@pytest.mark.parametrize("name", [name for name in READERS if name != "telemetry"])
@FUZZ
@given(data=st.data())
def test_mutated_files(tmp_path, name, data):
    survive(tmp_path / "x_gyro.txt", data.draw(mutated(SEEDS[name])), ReadOptions(format=name))


@FUZZ
@given(data=st.one_of(st.binary(max_size=400), st.text(alphabet='0123456789.,-+eE \n\t;"tgxyzan', max_size=400)))
def test_any_bytes_without_a_hint(tmp_path, data):
    survive(tmp_path / "any.csv", data if isinstance(data, bytes) else data.encode(), ReadOptions())


@FUZZ
@given(data=st.data())
def test_dvs_companions(tmp_path, data):
    (tmp_path / "v_gyro.txt").write_bytes(SEEDS["dvs"])
    ois = b"".join(b"%d 1 2 %d\n" % (i, i * 1000000) for i in range(20))
    frame = b"".join(b"%d 8 0 24 %d 1 %d\n" % (i * 33000000, i * 33000000, i) for i in range(20))
    (tmp_path / "v_ois.txt").write_bytes(data.draw(mutated(ois)))
    (tmp_path / "v_frame.txt").write_bytes(data.draw(mutated(frame)))
    log = read_log(tmp_path / "v_gyro.txt")  # whole by itself: what lies beside it cannot spoil it
    assert len(log.time_s) > 1 and (log.readout_s is None or 0 <= log.readout_s < 1)
    assert log.ois is None or (len(log.ois.time_s) > 1 and np.abs(log.ois.shift).max() < 1000)


@FUZZ
@given(data=st.data())
def test_mutated_videos(tmp_path, recording, data):
    path = tmp_path / "video.mp4"
    if not (tmp_path / "seed.mp4").exists():
        remux(recording("karma.mp4"), tmp_path / "seed.mp4", bursts(2, False))
    survive(path, data.draw(mutated((tmp_path / "seed.mp4").read_bytes())), ReadOptions(format="gpmf"))


@pytest.mark.parametrize(
    "name, data",
    [
        ("one endless line", b"1,2,3,4," * 500_000),
        ("deep nesting", b"DEVC\0\1\x20\0" + b"STRM\0\1\x1f\xf0" * 1000),
        ("a header without end", b"GYROFLOW IMU LOG\n" + b"k,v\n" * 200_000),
        (
            "a count of samples near the end of the world",
            SEEDS["gpmf"].replace(b"\0\0\0\x1e", b"\xff\xff\xff\xff", 1),
        ),
        ("unclosed quotes", b"t,gx,gy,gz\n" + b'0.1,"1,2,3\n' * 100_000),
        ("falling times", b"t,gx,gy,gz\n" + b"".join(b"%d,1,2,3\n" % (99999 - i) for i in range(99999))),
        ("one wide line", b"1,2,3,4\n" * 300 + b"," * 40_000 + b"\n"),
    ],
)
def test_hostile_files_are_cheap(tmp_path, name, data):
    path = tmp_path / "hostile.csv"
    path.write_bytes(data)
    started = time.perf_counter()
    tracemalloc.start()
    try:
        read_log(path)
    except GyroError as error:
        assert str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 30 * len(data) + 64e6
    assert time.perf_counter() - started < 10
