"""From file to file: the result is steadier by an independent measure, complete, and the same in one or three steps."""

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

CLIP = Path(__file__).parents[2] / "samples" / "clips" / "handheld.mp4"
HOSTILE = Path(__file__).parents[3] / "shared" / "data" / "hostile"


def _gray_frames(path: Path, count: int = 60) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "SLICE"
        return [f.to_ndarray(format="gray") for f, _ in zip(container.decode(video=0), range(count), strict=False)]


def _acceleration(frames: list[np.ndarray]) -> float:
    """Return the RMS second difference of the shifts by phase correlation, a method that `stabilize` does not use."""
    shifts = [cv2.phaseCorrelate(a.astype(np.float32), b.astype(np.float32))[0] for a, b in pairwise(frames)]
    return float(np.sqrt(np.mean(np.diff(np.array(shifts), axis=0) ** 2)))


@pytest.fixture(scope="module")
def steady_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("run") / "steady.mp4"
    report = stabilize_video(CLIP, target)
    assert report.shake_after.shift_percent < report.shake_before.shift_percent / 2
    assert set(report.seconds) == {"analyse", "gyro", "solve", "render"}
    return target


def test_stabilize_video_steadies_a_shaky_clip(steady_clip: Path) -> None:
    assert _acceleration(_gray_frames(steady_clip)) < 0.6 * _acceleration(_gray_frames(CLIP))


def test_frame_times_are_kept(steady_clip: Path) -> None:
    def times(path: Path) -> list[float | None]:
        with av.open(str(path)) as container:
            return [frame.time for frame in container.decode(video=0)]

    assert times(steady_clip) == pytest.approx(times(CLIP), rel=0, abs=1e-6)


def test_analyse_solve_render_equal_stabilize_video(steady_clip: Path, tmp_path: Path) -> None:
    save_motion(analyse(CLIP), tmp_path / "motion.npz")
    motion, _ = load_motion(tmp_path / "motion.npz")
    rotation, _ = rotation_of(CLIP, motion)  # `stabilize_video` also finds the log beside the clip
    assert rotation is not None
    render(CLIP, solve(motion, gyro=rotation), tmp_path / "again.mp4")
    for a, b in zip(_gray_frames(steady_clip, 20), _gray_frames(tmp_path / "again.mp4", 20), strict=True):
        # with several threads, x264 differs by single levels between runs; another path would differ by dozens
        assert np.abs(a.astype(int) - b).max() <= 8


def test_path_of_another_video_is_refused(tmp_path: Path) -> None:
    path, other = solve(analyse(CLIP)), CLIP.with_name("walk.mp4")
    assert isinstance(path, SimilarityPath)
    with pytest.raises(MotionError, match="analyse it again"):
        render(other, path, tmp_path / "out.mp4")
    with pytest.raises(MotionError, match="counts time"):
        camera = replace(path.camera, timeline=replace(path.timeline, time_base=Fraction(1, 30000)))
        render(CLIP, replace(path, camera=camera), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_frames_that_differ_in_the_second_decode_are_matched_by_time(tmp_path: Path) -> None:
    """One frame was missing in the analysis, and one had another time."""
    motion = analyse(CLIP)
    pts = np.delete(motion.timeline.pts, 75)
    pts[40] += 700
    pairs = ("H_next_prev", "mesh", "status", "model", "coverage", "residual")
    fewer = {name: getattr(motion, name)[:-1] for name in pairs}
    timeline, none = Timeline(pts, motion.timeline.time_base), np.zeros(0, np.float32)
    motion = replace(motion, timeline=timeline, sharpness=none, matches=no_matches(), **fewer)
    warnings = render(CLIP, solve(motion), tmp_path / "out.mp4")
    assert [text for text in warnings if text.endswith("placed as the nearest: 2")]
    assert len(_gray_frames(tmp_path / "out.mp4", 1000)) == 150


def test_existing_target_is_refused_before_any_work(tmp_path: Path) -> None:
    target = tmp_path / "precious.mp4"
    target.write_bytes(b"precious")
    called = []
    with pytest.raises(OutputError):
        stabilize_video(CLIP, target, Config(), progress=lambda *step: called.append(step))
    assert target.read_bytes() == b"precious" and not called


def test_unsupported_output_is_refused_before_any_work(tmp_path: Path) -> None:
    stages: list[str] = []
    encode = Config().encode
    for settings in (replace(encode, codec="prores"), replace(encode, crf=60.0)):
        config = replace(Config(), encode=settings)
        with pytest.raises(UsageError):
            stabilize_video(CLIP, tmp_path / "out.mp4", config, lambda stage, *_: stages.append(stage))
    (tmp_path / "log.csv").write_text("nothing\n")
    with pytest.raises(LogError):
        stabilize_video(CLIP, tmp_path / "out.mp4", None, lambda stage, *_: stages.append(stage), tmp_path / "log.csv")
    assert stages == [] and [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_prefetch_yields_items_and_errors_in_order() -> None:
    def failing() -> Iterator[int]:
        yield from range(3)
        raise OSError("disk")

    items_read: list[int] = []
    with pytest.raises(OSError, match="disk"), prefetch(failing(), 2) as items:
        items_read.extend(items)
    assert items_read == [0, 1, 2]


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


def test_prefetch_interrupted_at_thread_start_stops_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a signal inside `Thread.start`, the thread must not go on reading the source."""
    original_start = _thread.start_new_thread

    def interrupted(*args: Any) -> None:
        original_start(*args)
        raise KeyboardInterrupt

    read_times = []

    def source() -> Iterator[int]:
        while True:
            read_times.append(time.monotonic())
            time.sleep(0.01)
            yield 0

    monkeypatch.setattr(threading, "_start_new_thread", interrupted)
    with pytest.raises(KeyboardInterrupt), prefetch(source(), 2):
        raise AssertionError("context entered")
    stopped = time.monotonic()
    time.sleep(0.1)
    assert all(when < stopped for when in read_times)


MEASURE_MEMORY = """
import sys, warnings
warnings.simplefilter("error", RuntimeWarning)
from stabilize import stabilize_video
stabilize_video(*sys.argv[1:])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("name", ["v2_471_hflip.mp4", "ts1000000000.mp4"])
def test_memory_is_bounded_with_damaged_times(name: str, tmp_path: Path) -> None:
    """The length of windows in frames grows with the frame rate, which is extreme in such a file."""
    if not (HOSTILE / name).exists():
        pytest.skip(f"{HOSTILE / name} is not there")
    command = [sys.executable, "-c", MEASURE_MEMORY, str(HOSTILE / name), str(tmp_path / "out.mp4")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 1 << 20  # kB


def _clip(path: Path) -> Path:
    """Write ten frames of a moving texture."""
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


def test_memory_warning_is_given_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = _clip(tmp_path / "clip.mp4")
    without_warning = stabilize_video(clip, tmp_path / "a.mp4").warnings
    monkeypatch.setattr(spool, "folders", list)
    with_warning = stabilize_video(clip, tmp_path / "b.mp4").warnings
    assert not any("TMPDIR" in warning for warning in without_warning)
    assert ["TMPDIR" in warning for warning in with_warning].count(True) == 1


def test_temporary_files_may_be_in_the_folder_of_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, out = _clip(tmp_path / "clip.mp4"), tmp_path / "results"
    out.mkdir()
    folders_returned: set[Path] = set()
    folders = spool.folders

    def recorded() -> list[Path]:
        folders_returned.update(folders())
        return folders()

    monkeypatch.setattr(spool, "folders", recorded)
    stabilize_video(clip, out / "a.mp4")
    assert out in folders_returned
    assert [path.name for path in out.iterdir()] == ["a.mp4"]


def test_notes_of_the_path_are_in_the_report_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = solve_path
    notes = ("left as filmed", "left as filmed")
    monkeypatch.setattr(solvers, "solve_path", lambda *args: replace(original(*args), notes=notes))
    assert stabilize_video(CLIP, tmp_path / "a.mp4").warnings.count("left as filmed") == 1


@pytest.mark.parametrize("stage", ["analyse", "solve"])
def test_video_replaced_during_a_run_is_an_input_error(tmp_path: Path, stage: str) -> None:
    source, other = tmp_path / "in.mp4", tmp_path / "other.mp4"
    shutil.copy(CLIP, source)
    with av.open(str(other), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height = 128, 96
        for _ in range(20):
            out.mux(stream.encode(av.VideoFrame(128, 96, "yuv420p")))
        out.mux(stream.encode(None))

    def replace_video(current_stage: str, _done: int, _total: int) -> None:
        if current_stage == stage and other.exists():
            other.replace(source)

    with pytest.raises(InputError, match="changed or replaced"):
        stabilize_video(source, tmp_path / "out.mp4", progress=replace_video)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
