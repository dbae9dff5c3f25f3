"""A run opens its input no more often than it must, and two runs in one process do not touch each other."""

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


def shaky(path: Path, seed: int, frames: int = 30, codec: str = "libx264") -> Path:
    """Noise that is shaken, with sound."""
    rng = np.random.default_rng(seed)
    ground = cv2.GaussianBlur(rng.integers(0, 255, (160, 260), np.uint8), (0, 0), 2.0)
    ground = np.asarray(cv2.normalize(ground, np.empty_like(ground), 0, 255, cv2.NORM_MINMAX), np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, width=SIZE[0], height=SIZE[1], pix_fmt="yuv420p")
        assert isinstance(stream, av.VideoStream)
        sound = out.add_stream("aac", rate=48000, layout="mono")
        for x, y in rng.integers(20, 40, (frames, 2)):
            view = np.ascontiguousarray(ground[y : y + SIZE[1], x : x + SIZE[0]], np.uint8)
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
def openings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that were opened for reading, as often as they were."""
    opened: list[str] = []
    true = av.open

    def counted(file: Any, mode: Any = None, *rest: Any, **more: Any) -> Any:
        if mode in (None, "r"):
            opened.append(str(file))
        return true(file, mode, *rest, **more)

    monkeypatch.setattr(av, "open", counted)
    return opened


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_run_opens_its_input_three_times(tmp_path: Path, openings: list[str], suffix: str) -> None:
    source, target = shaky(tmp_path / f"in{suffix}", 1), tmp_path / f"out{suffix}"
    threads = cv2.getNumThreads()
    try:
        assert boundary.run(["run", str(source), "-o", str(target), "--quiet"]) == 0
    finally:
        cv2.setNumThreads(threads)  # the command line owns its process; this one is ours
    assert openings == [str(source)] * 3
    assert [track.kind for track in probe(target).tracks] == ["video", "audio"]


def test_the_library_opens_what_was_probed_only_twice(tmp_path: Path, openings: list[str]) -> None:
    info = probe(shaky(tmp_path / "in.mp4", 1))
    openings.clear()
    stabilize.stabilize_video(info, tmp_path / "out.mp4")
    assert len(openings) == 2


def planes(path: Path) -> list[bytes]:
    return [b"".join(plane.tobytes() for plane in frame.planes) for frame in read_frames(path)]


def says_siting(path: Path) -> bool:
    """Whether libav's log is as talkative as it is only where somebody raised its level."""
    with av.open(str(path)) as container, av.logging.Capture(local=False):
        before = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        try:
            return "left)" in container.dumps_format()  # type: ignore[attr-defined]
        finally:
            av.logging.set_level(before)


def test_two_runs_side_by_side_are_two_runs_in_turn(tmp_path: Path) -> None:
    clips = [shaky(tmp_path / f"{seed}.mkv", seed) for seed in (1, 2)]
    config = with_settings(Config(), ["encode.codec=ffv1"])
    before, during = cv2.getNumThreads(), set()

    def result(clip: Path, name: str) -> list[bytes]:
        target = clip.with_name(f"{clip.stem}_{name}.mkv")
        stabilize.stabilize_video(clip, target, config, progress=lambda *_: during.add(cv2.getNumThreads()))
        return planes(target)

    in_turn = [result(clip, "turn") for clip in clips]
    with ThreadPoolExecutor(2) as pool:
        side_by_side = list(pool.map(lambda clip: result(clip, "side"), clips))
    assert side_by_side == in_turn and in_turn[0] != in_turn[1]
    assert during == {before} and cv2.getNumThreads() == before
    assert av.logging.get_level() is None and not says_siting(clips[0])


def test_probes_in_many_threads_see_the_same(tmp_path: Path) -> None:
    """The description of a file comes by libav's log, of which there is one for the process."""
    paths = [shaky(tmp_path / f"{n}.{end}", n, 8) for n, end in enumerate(("mp4", "mkv", "mp4", "mkv"))]
    alone = [probe(path) for path in paths]
    gate = threading.Barrier(len(paths))
    usual_s = sys.getswitchinterval()

    def often(path: Path) -> list[Any]:
        gate.wait()
        return [probe(path) for _ in range(40)]

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(paths)) as pool:
            for info, many in zip(alone, pool.map(often, paths), strict=True):
                assert many == [info] * 40
    finally:
        sys.setswitchinterval(usual_s)
    assert av.logging.get_level() is None and not says_siting(paths[0])
