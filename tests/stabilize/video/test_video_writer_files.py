"""The output is complete or does not exist; the input and other files are never changed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from stabilize.errors import OutputError, UsageError
from stabilize.settings import Codec, EncodeConfig
from stabilize.video.buffers import new_frame, plane_views
from stabilize.video.codecs import ENCODERS
from stabilize.video.containers import CONTAINERS, default_output
from stabilize.video.frame import Frame
from stabilize.video.layouts import LAYOUTS
from stabilize.video.probe import probe
from stabilize.video.reader import read_frames
from stabilize.video.writer import VideoWriter
from tests.stabilize.video import hostile
from tests.stabilize.video.clipmaker import decoded, picture, write
from tests.stabilize.video.disk import full_beyond


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write(tmp_path / "in.mp4")


def copy_video(
    source: Path, target: Path, stop_at: int | None = None, error: BaseException | None = None, **config: Any
) -> None:
    with VideoWriter(source, target, EncodeConfig(**config)) as writer, read_frames(source) as frames:
        for number, frame in enumerate(frames):
            if number == stop_at and error is not None:
                raise error
            writer.write(frame)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("boom"), MemoryError(), SystemExit(1)])
@pytest.mark.parametrize("stop_at", [0, 7])
def test_interrupted_write_leaves_no_file(clip: Path, error: BaseException, stop_at: int) -> None:
    with pytest.raises(type(error)):
        copy_video(clip, clip.with_name("out.mp4"), stop_at, error)
    assert os.listdir(clip.parent) == ["in.mp4"]


def test_failed_write_keeps_an_existing_target(clip: Path) -> None:
    target = clip.with_name("out.mp4")
    target.write_text("precious")
    with pytest.raises(KeyboardInterrupt):
        copy_video(clip, target, 7, KeyboardInterrupt(), overwrite=True)
    assert target.read_text() == "precious" and sorted(os.listdir(clip.parent)) == ["in.mp4", "out.mp4"]


def test_existing_target_is_refused_without_overwrite(clip: Path) -> None:
    target = clip.with_name("out.mp4")
    target.write_text("precious")
    with pytest.raises(OutputError, match="already exists: use --overwrite"):
        copy_video(clip, target)
    assert target.read_text() == "precious"
    copy_video(clip, target, overwrite=True)
    assert len(decoded(target)) == 12


def test_target_created_meanwhile_is_not_replaced(clip: Path) -> None:
    target = clip.with_name("out.mp4")
    with pytest.raises(OutputError, match="meantime"), VideoWriter(clip, target) as writer:
        for frame in read_frames(clip):
            writer.write(frame)
        target.write_text("precious")
    assert target.read_text() == "precious" and sorted(os.listdir(clip.parent)) == ["in.mp4", "out.mp4"]


@pytest.mark.parametrize("link", [os.link, os.symlink, None])
def test_input_as_output_is_refused_under_any_name(clip: Path, link: Any) -> None:
    target = clip if link is None else clip.with_name("alias.mp4")
    if link is not None:
        link(clip, target)
    before = clip.read_bytes()
    with pytest.raises(UsageError, match="input itself"):
        copy_video(clip, target, overwrite=True)
    with pytest.raises(UsageError, match="input itself"):
        copy_video(target, clip, overwrite=True)
    assert clip.read_bytes() == before


def test_impossible_targets_are_refused(clip: Path) -> None:
    clip.with_name("folder.mp4").mkdir()
    for name, error, message in [
        ("nowhere/out.mp4", OutputError, "folder does not exist"),
        ("folder.mp4", OutputError, "is a folder"),
        ("n" * 300 + ".mp4", OutputError, "too long"),
        ("out.wmv", UsageError, "cannot write .wmv"),
        ("out", UsageError, "without extension"),
    ]:
        with pytest.raises(error, match=message):
            VideoWriter(clip, clip.with_name("x").parent / name)


def test_permissions_are_those_of_a_new_file(clip: Path) -> None:
    other = clip.with_name("other")
    other.touch()
    copy_video(clip, clip.with_name("out.mp4"))
    assert clip.with_name("out.mp4").stat().st_mode == other.stat().st_mode


def test_no_file_without_frames(clip: Path) -> None:
    with pytest.raises(OutputError, match="not a single frame"), VideoWriter(clip, clip.with_name("out.mp4")):
        pass
    assert os.listdir(clip.parent) == ["in.mp4"]


def test_full_disk(clip: Path) -> None:
    big = write(clip.with_name("big.mp4"), frames=12, size=(320, 240), options={"crf": "1"})
    script = f"""
        import sys
        sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[3])]!r}
        from pathlib import Path
        from test_video_writer_files import copy_video
        from stabilize.errors import OutputError
        try:
            copy_video(Path({str(big)!r}), Path({str(clip.with_name("out.mp4"))!r}), crf=1)
        except OutputError as error:
            print(error)
            sys.exit(error.exit_code)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, **full_beyond(20_000))
    assert run.returncode == 4, run.stderr
    assert "disk is full" in run.stdout and run.stderr == ""
    assert sorted(os.listdir(clip.parent)) == ["big.mp4", "in.mp4"]


def test_full_disk_leaves_no_broken_bytecode(tmp_path: Path) -> None:
    """It would break all later tests in a checkout, unless PYTHONDONTWRITEBYTECODE is set."""
    (tmp_path / "large.py").write_text("".join(f"name_{n} = {n}\n" for n in range(999)))
    command = [sys.executable, "-c", "import large"]
    subprocess.run(command, check=True, cwd=tmp_path, **full_beyond(2000))
    assert os.listdir(tmp_path) == ["large.py"]


def test_encoders_print_nothing(clip: Path) -> None:
    """By default, x265 and SVT-AV1 print to the terminal."""
    script = f"""
        import sys
        sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[3])]!r}
        from pathlib import Path
        from test_video_writer_files import copy_video
        for codec in ("h264", "hevc", "av1", "vp9", "ffv1"):
            copy_video(Path({str(clip)!r}), Path({str(clip.parent)!r}) / (codec + ".mkv"), codec=codec)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_writing_in_another_thread(clip: Path) -> None:
    worker = threading.Thread(target=copy_video, args=(clip, clip.with_name("out.mp4")))
    worker.start()
    worker.join()
    assert [number for _, number in decoded(clip.with_name("out.mp4"))] == list(range(12))


def test_frames_in_encoder_memory_are_written(clip: Path) -> None:
    with VideoWriter(clip, clip.with_name("out.mkv"), EncodeConfig(codec="ffv1")) as writer:
        for frame in read_frames(clip):
            out = new_frame(frame.layout, *frame.size, frame.pts, frame.duration)
            for target, plane in zip(out.planes, frame.planes, strict=True):
                target[...] = plane[:, ::-1]
            writer.write(out)
    for ours, theirs in zip(read_frames(clip), read_frames(clip.with_name("out.mkv")), strict=True):
        np.testing.assert_array_equal(ours.planes[0][:, ::-1], theirs.planes[0])


def test_replaced_planes_are_written_instead_of_the_buffer(clip: Path) -> None:
    with VideoWriter(clip, clip.with_name("out.mkv"), EncodeConfig(codec="ffv1")) as writer:
        for frame in read_frames(clip):
            planes = tuple(np.zeros_like(plane) for plane in frame.planes)
            writer.write(Frame(frame.pts, frame.layout, planes, frame.duration, frame.buffer))
    assert all(not frame.planes[0].any() for frame in read_frames(clip.with_name("out.mkv")))


def test_frames_out_of_order_or_of_another_size_are_refused(clip: Path) -> None:
    layout = LAYOUTS["yuv420p"]
    with pytest.raises(ValueError, match="not greater than"), VideoWriter(clip, clip.with_name("out.mp4")) as writer:
        for pts in (512, 512):
            writer.write(Frame(pts, layout, plane_views(picture(1), layout)))
    with pytest.raises(ValueError, match="frame of size"), VideoWriter(clip, clip.with_name("out.mp4")) as writer:
        writer.write(new_frame(layout, 32, 32, 0))
    assert os.listdir(clip.parent) == ["in.mp4"]


@pytest.mark.parametrize(
    "config, message",
    [
        ({"codec": "ffv1"}, "cannot hold ffv1"),
        ({"preset": "warp"}, "no preset"),
        ({"pix_fmt": "rgb24"}, "does not support"),
        ({"crf": 52}, "no crf 52"),
        ({"codec": "av1", "crf": 0}, "no crf 0"),  # SVT-AV1 treats it as not set
    ],
)
def test_unsupported_settings_are_refused(clip: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        VideoWriter(clip, clip.with_name("out.mp4"), EncodeConfig(**config))
    with pytest.raises(UsageError, match="no crf"):
        VideoWriter(clip, clip.with_name("out.mov"), EncodeConfig(codec="prores", crf=20))
    assert os.listdir(clip.parent) == ["in.mp4"]


@pytest.mark.parametrize(
    "config",
    [
        {"crf": float("nan")},
        {"crf": float("inf")},
        {"crf": -1},
        {"codec": "mpeg2"},
        {"threads": -1},
        {"threads": 65},
        {"threads": 100_000},
        {"threads": 10**5000},
        {"codec": "h264\0"},
        {"preset": "x" * 10**6},
        {"preset": ""},
        {"pix_fmt": "yuv420p\x1b[31m"},
    ],
)
def test_invalid_settings_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(config))) as caught:
        EncodeConfig(**config)
    assert len(str(caught.value)) < 200 and str(caught.value).isprintable()


@pytest.mark.parametrize("codec, suffix", [("h264", ".mp4"), ("hevc", ".mp4"), ("av1", ".mp4"), ("vp9", ".webm")])
def test_every_encoder_accepts_its_crf_range(clip: Path, codec: str, suffix: str) -> None:
    sizes = []
    for crf in ENCODERS[codec].crf_range:
        target = clip.with_name(f"{crf:g}{suffix}")
        copy_video(clip, target, codec=codec, crf=crf)
        sizes.append(target.stat().st_size)
    assert sizes[0] > sizes[1]


def test_settings_take_effect(clip: Path) -> None:
    coarse, fine = clip.with_name("coarse.mp4"), clip.with_name("fine.mp4")
    copy_video(clip, coarse, crf=45, pix_fmt="yuv444p")
    copy_video(clip, fine, crf=5)
    assert coarse.stat().st_size < fine.stat().st_size
    assert next(read_frames(coarse)).layout.name == "yuv444p"


@pytest.mark.parametrize("suffix, codec", [(".avi", "h264"), (".webm", "av1"), (".mov", "h264")])
def test_codec_without_encoder_is_replaced_and_reported(tmp_path: Path, suffix: str, codec: str) -> None:
    source = write(tmp_path / "in.avi", codec="mpeg4", time_base=Fraction(1, 25))
    writer = VideoWriter(source, tmp_path / f"out{suffix}")
    assert writer.plan.encoding.encoder.codec == codec
    assert any(f"mpeg4 video is written as {codec}" in warning for warning in writer.warnings)


@pytest.mark.parametrize("scale", [10**9, 2130721792, 2**31 - 1])
@pytest.mark.parametrize("suffix", [s for s in CONTAINERS if s not in (".m4v", ".qt", ".mts")])
def test_extremely_fine_time_base(tmp_path: Path, suffix: str, scale: int) -> None:
    """Frames half a microsecond apart, then one after two seconds: 2**32 ticks."""
    source = write(tmp_path / "in.mp4", frames=14)
    data = source.read_bytes()
    source.write_bytes(data.replace((12800).to_bytes(4, "big"), scale.to_bytes(4, "big")))
    info = probe(source)
    assert info.video.time_base == Fraction(1, scale)
    for codec in CONTAINERS[suffix].video - {"av1"}:
        target = tmp_path / f"{codec}{suffix}"
        config = EncodeConfig(codec=cast(Codec, codec), preset={"vp9": "8"}.get(codec))
        writer = VideoWriter(info, target, config)
        writer.dry_run()
        with writer:
            for number, frame in enumerate(read_frames(info)):
                late = 2 * scale if number > 11 else 0
                writer.write(Frame(frame.pts + late, frame.layout, frame.planes, frame.duration))
        times = [frame.pts for frame in read_frames(target)]
        length = float((times[-1] - times[0]) * probe(target).video.time_base)
        assert len(times) == 14 and all(a < b for a, b in pairwise(times))
        assert length == pytest.approx(2, abs=0.02) or suffix == ".avi"  # it counts frames
        assert writer.warnings and all("left out" in w or "rounded" in w for w in writer.warnings)


def test_default_output_is_beside_the_input() -> None:
    assert default_output("a/b.mov") == Path("a/b_stabilized.mov")
    assert default_output("b.WMV") == Path("b_stabilized.mkv")
    assert all(default_output(f"x{suffix}").suffix == suffix for suffix in CONTAINERS)


def test_times_of_a_damaged_source_are_kept(tmp_path: Path) -> None:
    source = hostile.corrupt_middle(tmp_path)
    copy_video(source, tmp_path / "out.mp4")
    assert [number for _, number in decoded(tmp_path / "out.mp4")] == [n for n in range(12) if n not in (5, 6)]
    assert [time for time, _ in decoded(tmp_path / "out.mp4")] == [512 * n for n in range(12) if n not in (5, 6)]


@pytest.mark.parametrize("name", hostile.READABLE)
def test_every_readable_clip_can_be_written(tmp_path: Path, name: str) -> None:
    source = hostile.READABLE[name](tmp_path)
    target = default_output(source)
    copy_video(source, target)
    assert len(list(read_frames(target))) == len(list(read_frames(source)))
