"""A run opens its input no more often than necessary, and parallel runs in one process are independent."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

import stabilize
from stabilize.cli import boundary
from stabilize.config import Config, with_settings
from stabilize.video.probe import probe
from stabilize.video.reader import read_frames

SIZE = (160, 96)


def write_shaky_clip(path: Path, seed: int, frames: int = 30, codec: str = "libx264") -> Path:
    """Write a shaky clip of noise, with audio."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.integers(0, 255, (160, 260), np.uint8), (0, 0), 2.0)
    texture = np.asarray(cv2.normalize(texture, np.empty_like(texture), 0, 255, cv2.NORM_MINMAX), np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, width=SIZE[0], height=SIZE[1], pix_fmt="yuv420p")
        assert isinstance(stream, av.VideoStream)
        sound = out.add_stream("aac", rate=48000, layout="mono")
        for x, y in rng.integers(20, 40, (frames, 2)):
            view = np.ascontiguousarray(texture[y : y + SIZE[1], x : x + SIZE[0]], np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(view, "gray").reformat(format="yuv420p")))
        out.mux(stream.encode(None))
        for i in range(frames * 1920 // 1024):
            wave = np.sin(np.arange(1024 * i, 1024 * (i + 1)) / 20).astype(np.float32)[None]
            piece = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = 48000, 1024 * i, Fraction(1, 48000)
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    return path


@pytest.fixture
def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of files opened for reading, once per opening."""
    paths: list[str] = []
    original = av.open

    def record_open(file: Any, mode: Any = None, *rest: Any, **more: Any) -> Any:
        if mode in (None, "r"):
            paths.append(str(file))
        return original(file, mode, *rest, **more)

    monkeypatch.setattr(av, "open", record_open)
    return paths


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_run_opens_its_input_three_times(tmp_path: Path, opened_files: list[str], suffix: str) -> None:
    source, target = write_shaky_clip(tmp_path / f"in{suffix}", 1), tmp_path / f"out{suffix}"
    threads = cv2.getNumThreads()
    try:
        assert boundary.run(["run", str(source), "-o", str(target), "--quiet"]) == 0
    finally:
        cv2.setNumThreads(threads)  # the command line sets it for its process, which is ours here
    assert opened_files == [str(source)] * 3
    assert [track.kind for track in probe(target).tracks] == ["video", "audio"]


def test_stabilize_video_opens_a_probed_input_twice(tmp_path: Path, opened_files: list[str]) -> None:
    info = probe(write_shaky_clip(tmp_path / "in.mp4", 1))
    opened_files.clear()
    stabilize.stabilize_video(info, tmp_path / "out.mp4")
    assert len(opened_files) == 2


def planes(path: Path) -> list[bytes]:
    return [b"".join(plane.tobytes() for plane in frame.planes) for frame in read_frames(path)]


def is_log_verbose(path: Path) -> bool:
    """Return whether libav's log level was left raised: only then the description contains the chroma siting."""
    with av.open(str(path)) as container, av.logging.Capture(local=False):
        before = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        try:
            return "left)" in container.dumps_format()  # type: ignore[attr-defined]
        finally:
            av.logging.set_level(before)


def test_parallel_runs_give_the_same_result_as_sequential_runs(tmp_path: Path) -> None:
    clips = [write_shaky_clip(tmp_path / f"{seed}.mkv", seed) for seed in (1, 2)]
    config = with_settings(Config(), ["encode.codec=ffv1"])
    before, during = cv2.getNumThreads(), set()

    def result(clip: Path, name: str) -> list[bytes]:
        target = clip.with_name(f"{clip.stem}_{name}.mkv")
        stabilize.stabilize_video(clip, target, config, progress=lambda *_: during.add(cv2.getNumThreads()))
        return planes(target)

    sequential = [result(clip, "turn") for clip in clips]
    with ThreadPoolExecutor(2) as pool:
        parallel = list(pool.map(lambda clip: result(clip, "side"), clips))
    assert parallel == sequential and sequential[0] != sequential[1]
    assert during == {before} and cv2.getNumThreads() == before
    assert av.logging.get_level() is None and not is_log_verbose(clips[0])


def test_parallel_probes_agree(tmp_path: Path) -> None:
    """`probe` reads the description of a file from libav's log, which is global."""
    paths = [write_shaky_clip(tmp_path / f"{n}.{end}", n, 8) for n, end in enumerate(("mp4", "mkv", "mp4", "mkv"))]
    expected = [probe(path) for path in paths]
    gate = threading.Barrier(len(paths))
    interval_s = sys.getswitchinterval()

    def probe_repeatedly(path: Path) -> list[Any]:
        gate.wait()
        return [probe(path) for _ in range(40)]

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(paths)) as pool:
            for info, results in zip(expected, pool.map(probe_repeatedly, paths), strict=True):
                assert results == [info] * 40
    finally:
        sys.setswitchinterval(interval_s)
    assert av.logging.get_level() is None and not is_log_verbose(paths[0])
