"""From file to file: steadier by a judge of its own, nothing lost, the three verbs equal to the one."""

from __future__ import annotations

import _thread
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from gyro.errors import LogError
from stabilize import Config, analyse, render, rotation_of, solve, spool, stabilize_video
from stabilize.artifacts import load_motion, save_motion
from stabilize.core import Timeline
from stabilize.errors import InputError, MotionError, OutputError, UsageError
from stabilize.matches import no_matches
from stabilize.parallel import prefetch
from stabilize.path import solvers
from stabilize.path.similarity import SimilarityPath
from stabilize.path.solve import solve_path

WALK = Path(__file__).parents[2] / "samples" / "clips" / "handheld.mp4"
HOSTILE = Path(__file__).parents[3] / "shared" / "data" / "hostile"


def _pictures(path: Path, count: int = 60) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "SLICE"
        return [f.to_ndarray(format="gray") for f, _ in zip(container.decode(video=0), range(count), strict=False)]


def _acceleration(pictures: list[np.ndarray]) -> float:
    """RMS second difference of the shift between neighbours, by phase correlation, which the tool does not fit with."""
    shifts = [cv2.phaseCorrelate(a.astype(np.float32), b.astype(np.float32))[0] for a, b in pairwise(pictures)]
    return float(np.sqrt(np.mean(np.diff(np.array(shifts), axis=0) ** 2)))


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("run") / "steady.mp4"
    report = stabilize_video(WALK, target)
    assert report.shake_after.shift_percent < report.shake_before.shift_percent / 2
    assert set(report.seconds) == {"analyse", "gyro", "solve", "render"}
    return target


def test_one_command_makes_a_shaky_clip_steady(steady: Path) -> None:
    assert _acceleration(_pictures(steady)) < 0.6 * _acceleration(_pictures(WALK))


def test_every_frame_keeps_its_time(steady: Path) -> None:
    def times(path: Path) -> list[float | None]:
        with av.open(str(path)) as container:
            return [frame.time for frame in container.decode(video=0)]

    assert times(steady) == pytest.approx(times(WALK), rel=0, abs=1e-6)


def test_the_three_verbs_are_the_one(steady: Path, tmp_path: Path) -> None:
    save_motion(analyse(WALK), tmp_path / "motion.npz")
    motion, _ = load_motion(tmp_path / "motion.npz")
    rotation, _ = rotation_of(WALK, motion)  # the log beside the clip, which the one command finds too
    assert rotation is not None
    render(WALK, solve(motion, gyro=rotation), tmp_path / "again.mp4")
    for a, b in zip(_pictures(steady, 20), _pictures(tmp_path / "again.mp4", 20), strict=True):
        # x264 with several threads may differ by a level here and there from run to run; another path would by dozens
        assert np.abs(a.astype(int) - b).max() <= 8


def test_a_path_of_another_video_is_refused(tmp_path: Path) -> None:
    path, longer = solve(analyse(WALK)), WALK.with_name("walk.mp4")
    assert isinstance(path, SimilarityPath)
    with pytest.raises(MotionError, match="analyse it again"):
        render(longer, path, tmp_path / "out.mp4")
    with pytest.raises(MotionError, match="counts time"):
        camera = replace(path.camera, timeline=replace(path.timeline, time_base=Fraction(1, 30000)))
        render(WALK, replace(path, camera=camera), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_second_decode_that_differs_stops_nothing(tmp_path: Path) -> None:
    """One frame that was not there when the video was analysed, and one at another time."""
    motion = analyse(WALK)
    pts = np.delete(motion.timeline.pts, 75)
    pts[40] += 700
    pairs = ("H_next_prev", "mesh", "status", "model", "coverage", "residual")
    fewer = {name: getattr(motion, name)[:-1] for name in pairs}
    timeline, none = Timeline(pts, motion.timeline.time_base), np.zeros(0, np.float32)
    motion = replace(motion, timeline=timeline, sharpness=none, matches=no_matches(), **fewer)
    warnings = render(WALK, solve(motion), tmp_path / "out.mp4")
    assert [text for text in warnings if text.endswith("placed as the nearest: 2")]
    assert len(_pictures(tmp_path / "out.mp4", 1000)) == 150


def test_an_existing_file_is_refused_before_any_work(tmp_path: Path) -> None:
    target = tmp_path / "precious.mp4"
    target.write_bytes(b"precious")
    called = []
    with pytest.raises(OutputError):
        stabilize_video(WALK, target, Config(), progress=lambda *step: called.append(step))
    assert target.read_bytes() == b"precious" and not called


def test_what_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    stages: list[str] = []
    encode = Config().encode
    for refused in (replace(encode, codec="prores"), replace(encode, crf=60.0)):
        config = replace(Config(), encode=refused)
        with pytest.raises(UsageError):
            stabilize_video(WALK, tmp_path / "out.mp4", config, lambda stage, *_: stages.append(stage))
    (tmp_path / "log.csv").write_text("nothing\n")
    with pytest.raises(LogError):
        stabilize_video(WALK, tmp_path / "out.mp4", None, lambda stage, *_: stages.append(stage), tmp_path / "log.csv")
    assert stages == [] and [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_prefetch_hands_on_items_and_errors_in_order() -> None:
    def failing() -> Iterator[int]:
        yield from range(3)
        raise OSError("disk")

    seen: list[int] = []
    with pytest.raises(OSError, match="disk"), prefetch(failing(), 2) as items:
        seen.extend(items)
    assert seen == [0, 1, 2]


def test_leaving_prefetch_early_closes_the_source() -> None:
    closed = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    with prefetch(endless(), 2) as items:
        next(items)
    assert closed == [True]


def test_prefetch_stopped_while_its_thread_starts_still_ends_that_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that lands inside `Thread.start`: whoever reads the source next must find nobody else in it."""
    launch = _thread.start_new_thread

    def interrupted(*words: Any) -> None:
        launch(*words)
        raise KeyboardInterrupt

    drawn = []

    def source() -> Iterator[int]:
        while True:
            drawn.append(time.monotonic())
            time.sleep(0.01)
            yield 0

    monkeypatch.setattr(threading, "_start_new_thread", interrupted)
    with pytest.raises(KeyboardInterrupt), prefetch(source(), 2):
        raise AssertionError("never entered")
    left = time.monotonic()
    time.sleep(0.1)
    assert all(when < left for when in drawn)


MEASURED = """
import sys, warnings
warnings.simplefilter("error", RuntimeWarning)
from stabilize import stabilize_video
stabilize_video(*sys.argv[1:])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("name", ["v2_471_hflip.mp4", "ts1000000000.mp4"])
def test_a_damaged_clock_takes_no_memory(name: str, tmp_path: Path) -> None:
    """Windows in frames are seconds over the time between two frames, which such a file says is next to nothing."""
    if not (HOSTILE / name).exists():
        pytest.skip(f"{HOSTILE / name} is not there")
    command = [sys.executable, "-c", MEASURED, str(HOSTILE / name), str(tmp_path / "out.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1 << 20  # kB


def _clip(path: Path) -> Path:
    """Ten frames of a texture that moves."""
    rng = np.random.default_rng(0)
    base = cv2.GaussianBlur(rng.integers(0, 255, (96, 160, 3), dtype=np.uint8), (5, 5), 0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for k in range(10):
            moved = np.asarray(np.roll(base, k * k % 5, axis=1), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved)))
        container.mux(stream.encode())
    return path


def test_memory_in_the_place_of_files_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = _clip(tmp_path / "clip.mp4")
    quiet = stabilize_video(clip, tmp_path / "a.mp4").warnings
    monkeypatch.setattr(spool, "folders", list)
    told = stabilize_video(clip, tmp_path / "b.mp4").warnings
    assert not any("TMPDIR" in warning for warning in quiet)
    assert ["TMPDIR" in warning for warning in told].count(True) == 1


def test_temporary_files_lie_beside_the_output_where_tmpdir_is_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, out = _clip(tmp_path / "clip.mp4"), tmp_path / "results"
    out.mkdir()
    seen: set[Path] = set()
    folders = spool.folders

    def recorded() -> list[Path]:
        seen.update(folders())
        return folders()

    monkeypatch.setattr(spool, "folders", recorded)
    stabilize_video(clip, out / "a.mp4")
    assert out in seen
    assert [path.name for path in out.iterdir()] == ["a.mp4"]


def test_what_the_path_notes_is_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = solve_path
    noted = ("left as filmed", "left as filmed")
    monkeypatch.setattr(solvers, "solve_path", lambda *given: replace(found(*given), notes=noted))
    assert stabilize_video(WALK, tmp_path / "a.mp4").warnings.count("left as filmed") == 1


@pytest.mark.parametrize("stage", ["analyse", "solve"])
def test_a_video_that_is_replaced_in_mid_run_is_an_input_error(tmp_path: Path, stage: str) -> None:
    source, other = tmp_path / "in.mp4", tmp_path / "other.mp4"
    shutil.copy(WALK, source)
    with av.open(str(other), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height = 128, 96
        for _ in range(20):
            out.mux(stream.encode(av.VideoFrame(128, 96, "yuv420p")))
        out.mux(stream.encode(None))

    def replace_it(now: str, _done: int, _total: int) -> None:
        if now == stage and other.exists():
            other.replace(source)

    with pytest.raises(InputError, match="changed or replaced"):
        stabilize_video(source, tmp_path / "out.mp4", progress=replace_it)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
