"""Implausible values of a lens, clock or gyroscope are refused, or their row is dropped."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gyro.errors import LensError, LogError, SyncError, UsageError
from gyro.estimate import integrate, prior_settings, synchronize
from gyro.lens import Lens, load_lens, unproject
from gyro.log import GyroLog
from gyro.readers import ReadOptions, read_log
from tests.gyro.commandline import CLIPS, LOG_TEXT, Command, profile
from tests.gyro.estimate import simulate
from tests.gyro.estimate.simulate import Scene


def _focal(value: float) -> list[list[float]]:
    return [[value, 0, 320], [0, 500, 240], [0, 0, 1]]


@pytest.mark.parametrize(
    "text",
    [
        *(profile(camera_matrix=_focal(f)) for f in (0, -1, 1e-9, 1e300, float("nan"), float("inf"))),
        profile(camera_matrix=[[500, 0, 1e300], [0, 500, 240], [0, 0, 1]]),
        *(profile(calib_dimension={"w": w, "h": 480}) for w in (0, -5, 1e9, float("nan"))),
        profile(calib_dimension={"w": "9" * 5000, "h": 480}),
        *(profile(distortion_coeffs=c) for c in ([1e300] * 4, [float("nan")] * 4, [0.1] * 5000)),
        *(profile(frame_readout_time=ms) for ms in (1e300, float("nan"), -1e9)),
        profile(distortion_model="x" * 100_000),
        '{"fisheye_params":' * 100_000,
        '{"fisheye_params": ' + "[" * 100_000 + "]" * 100_000 + "}",
        profile().replace("640", "9" * 5000),
        profile().replace("500.0", "9" * 5000),
        "camera_matrix: " + "[" * 100_000,
    ],
)
def test_absurd_profiles_are_refused_with_a_short_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "lens.json").write_text(text)
    with pytest.raises(LensError) as caught:
        load_lens(tmp_path / "lens.json")
    assert len(str(caught.value)) < 300


def test_a_vanishing_coefficient_divides_nothing() -> None:
    K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    lens = Lens(640, 480, K, "opencv_fisheye", (0.1, 1e-310, 0.0, 1e-310))
    same = Lens(640, 480, K, "opencv_fisheye", (0.1, 0.0, 0.0, 0.0))
    px = np.array([[10.0, 20.0], [320, 240], [600, 400]])
    np.testing.assert_allclose(unproject(lens, px), unproject(same, px), atol=1e-12)


@pytest.mark.parametrize("focal", ["nan", "0", "-500", "1e300", "inf"])
@pytest.mark.usefixtures("no_work")
def test_an_absurd_focal_length_is_a_usage_error(log: Path, command: Command, focal: str) -> None:
    code, message = command("gyro", "sync", CLIPS / "walk.mp4", log, "--focal", focal)
    assert code == 2 and "focal length" in message
    with pytest.raises(UsageError):
        prior_settings(read_log(log), (640, 360), float(focal))


def _lines(*rows: str) -> str:
    return LOG_TEXT + "".join(row + "\n" for row in rows)


@pytest.mark.parametrize("stray", ["1e300", "nan", "1e29", "9e9", "1e7"])
def test_a_stray_time_at_an_end_costs_its_row(log: Path, stray: str) -> None:
    log.write_text(_lines(f"{stray},0,0,0"))
    found = read_log(log, ReadOptions(time_unit="s"))
    assert len(found.time_s) == 300 and found.time_s[-1] < 4
    assert [damage.line for damage in found.damage] == [302]
    log.write_text(LOG_TEXT.replace("0.0,", "-9e9,", 1))  # a clock that is set after its first sample
    found = read_log(log, ReadOptions(time_unit="s"))
    assert len(found.time_s) == 299 and found.damage[0].reason == "time jumps (1 rows dropped)"


@pytest.mark.parametrize("step", [1e5, 3.0, 1e-9, 1e-300])
def test_an_implausible_clock_is_refused(log: Path, step: float) -> None:
    rows = "".join(f"{i * step!r},0.1,0.{i % 7},0.3\n" for i in range(300))
    log.write_text("t,gx,gy,gz\n" + rows)
    with pytest.raises(LogError, match="samples per second"):
        read_log(log, ReadOptions(time_unit="s", gyro_unit="rad/s"))


def test_memory_depends_on_samples_not_on_duration(log: Path) -> None:
    """Three samples at a time with breaks of eight minutes between them: 450 over twenty hours."""
    rows = "".join(f"{i // 3 * 500 + i % 3 / 100:.2f},0.1,0.{i % 7},0.3\n" for i in range(450))
    log.write_text("t,gx,gy,gz\n" + rows)
    with pytest.raises(LogError, match=r"450 samples over 7.*e\+04 s; cut the log"):
        read_log(log, ReadOptions(time_unit="s", gyro_unit="rad/s"))
    log.write_text(LOG_TEXT + "".join(f"{300 + i / 100},0.1,0.2,0.1\n" for i in range(300)))
    assert len(read_log(log).time_s) == 600  # a break of five minutes is nothing strange


def test_a_log_of_days_is_refused_before_it_fills_the_memory() -> None:
    tracks, time_s = (
        simulate.tracks(Scene(motion="pan", duration_s=4.0, translate=False, features=40)),
        np.arange(0, 2e6, 0.4),
    )
    tracemalloc.start()
    try:
        with pytest.raises(SyncError, match="lasts 556 h"):
            synchronize(tracks, GyroLog("x", "test", time_s, np.ones((len(time_s), 3)) * 0.1))
        assert tracemalloc.get_traced_memory()[1] < 1e9
    finally:
        tracemalloc.stop()


def test_as_many_gaps_as_samples_take_bounded_time() -> None:
    """A hundred thousand gaps: one by one they would take minutes."""
    time_s = np.cumsum(np.tile([1.0, 3.0], 100_000)) / 100
    log = GyroLog("x", "test", time_s, np.zeros((len(time_s), 3)), gaps_s=np.stack([time_s[:-1:2], time_s[1::2]], 1))
    at = np.linspace(time_s[0], time_s[-1], 50_000)
    started = time.perf_counter()
    known = integrate(log).covers(at)
    assert time.perf_counter() - started < 20
    naive = [not ((log.gaps_s[:, 0] < t) & (t < log.gaps_s[:, 1])).any() for t in at[:500]]
    assert known[:500].tolist() == naive


def test_an_impossible_rate_costs_its_row(log: Path) -> None:
    log.write_text(LOG_TEXT.replace("\n1.5,0.3,", "\n1.5,1e29,"))
    found = read_log(log, ReadOptions(gyro_unit="rad/s"))
    assert len(found.time_s) == 299 and np.abs(found.gyro_rad_s).max() < 1
    assert [(d.line, d.reason) for d in found.damage] == [(152, "a rate that no gyroscope can measure")]
    np.testing.assert_allclose(found.gaps_s, [[1.49, 1.51]])
    log.write_text("t,gx,gy,gz\n" + "".join(f"{i / 100},1e9,2e9,3e9\n" for i in range(100)))
    with pytest.raises(LogError, match="--gyro-units"):
        read_log(log, ReadOptions(gyro_unit="rad/s"))


@pytest.mark.parametrize("readout_ms", ["1e8", "-300", "999"])
def test_an_absurd_readout_is_not_used(tmp_path: Path, readout_ms: str) -> None:
    keys = f"version,1.3\nframe_readout_time,{readout_ms}\ntscale,0.01\nt,gx,gy,gz\n"
    (tmp_path / "a.gcsv").write_text("GYROFLOW IMU LOG\n" + keys + "".join(f"{i},1,{i % 3},0\n" for i in range(50)))
    found = read_log(tmp_path / "a.gcsv")
    assert found.readout_s is None and any("readout" in note for note in found.notes)
