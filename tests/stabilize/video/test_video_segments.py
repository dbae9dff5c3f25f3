"""Segments encoded separately and joined are the same as the file of one pass."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stabilize.errors import InputError, OutputError, UsageError
from stabilize.settings import Codec, EncodeConfig
from stabilize.video.containers import CONTAINERS
from stabilize.video.plan import plan_output
from stabilize.video.probe import MediaInfo, probe
from stabilize.video.reader import read_frames
from stabilize.video.segments import SegmentWriter, join_segments
from stabilize.video.span import Span
from stabilize.video.writer import VideoWriter
from tests.stabilize.video.clipmaker import demuxed, number_of, write

FRAMES = 40
BORDERS = (13, 14)  # the middle segment is a single frame
FAST = {"h264": "ultrafast", "hevc": "ultrafast", "av1": "12", "vp9": "8"}


def make_source(folder: Path, **changes: Any) -> MediaInfo:
    def chapters(out: Any, stream: Any) -> None:
        base = Fraction(1, 1000)
        names = [{"title": "one"}, {"title": "two"}]
        out.set_chapters(
            [
                {"id": i + 1, "start": 700 * i, "end": 700 * (i + 1), "time_base": base, "metadata": name}
                for i, name in enumerate(names)
            ]
        )

    clip: dict[str, Any] = {"frames": FRAMES, "audio": [{"language": "swe"}], "setup": chapters} | changes
    return probe(write(folder / "in.mp4", **clip))


def encode_segments(
    info: MediaInfo, target: Path, config: EncodeConfig, borders: tuple[int, ...] = BORDERS
) -> list[Path]:
    """Encode the frames of the input unchanged to segments, each from its span."""
    plan = plan_output(info, target, config)
    times = [frame.pts for frame in read_frames(info)]
    segments = []
    for number, (a, b) in enumerate(pairwise([None, *(times[i] for i in borders), None])):
        segments.append(target.with_name(f"{number}.segment"))
        with SegmentWriter(segments[-1], plan) as writer, read_frames(info, Span(a, b)) as frames:
            for frame in frames:
                writer.write(frame)
    return segments


def encode_whole(info: MediaInfo, target: Path, config: EncodeConfig) -> tuple[str, ...]:
    with VideoWriter(info, target, config) as writer, read_frames(info) as frames:
        for frame in frames:
            writer.write(frame)
    return writer.warnings


def frame_times(path: Path) -> list[tuple[int, int]]:
    return [(frame.pts, frame.duration) for frame in read_frames(path)]


def assert_decodes_cleanly(path: Path) -> None:
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", str(path)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and not run.stderr, run.stderr


@pytest.mark.parametrize("suffix", [".mkv", ".nut", ".avi"])
def test_lossless_segments_equal_one_pass(tmp_path: Path, suffix: str) -> None:
    info, config = make_source(tmp_path), EncodeConfig(codec="ffv1")
    target = tmp_path / f"joined{suffix}"
    join_segments(info, encode_segments(info, target, config), target, config)
    encode_whole(info, tmp_path / f"whole{suffix}", config)
    whole, joined = list(read_frames(tmp_path / f"whole{suffix}")), list(read_frames(target))
    assert [(a.pts, a.duration) for a in joined] == [(a.pts, a.duration) for a in whole]
    for a, b in zip(whole, joined, strict=True):
        assert all(np.array_equal(p, q) for p, q in zip(a.planes, b.planes, strict=True))


@pytest.mark.parametrize(
    "suffix, codec", [(suffix, codec) for suffix in (".mp4", ".mov", ".mkv", ".ts") for codec in ("h264", "hevc")]
)
@pytest.mark.parametrize("uneven", [False, True])
def test_times_are_kept_with_reordered_frames(tmp_path: Path, suffix: str, codec: Codec, uneven: bool) -> None:
    changes = {"pts": [512 * i + 100 * (i % 3) + 4000 * (i > 12) for i in range(FRAMES)]} if uneven else {}
    info, config = make_source(tmp_path, **changes), EncodeConfig(codec=codec, preset="faster")
    target = tmp_path / f"joined{suffix}"
    warnings = join_segments(info, encode_segments(info, target, config), target, config)
    whole = tmp_path / f"whole{suffix}"
    one_pass_warnings = encode_whole(info, whole, config)
    assert [pts for pts, _ in frame_times(target)] == [pts for pts, _ in frame_times(whole)]
    if uneven and suffix in (
        ".mp4",
        ".mov",
    ):  # they store durations in decoding order
        assert sum(length for _, length in frame_times(target)) == sum(length for _, length in frame_times(whole))
    else:
        assert frame_times(target) == frame_times(whole)
    assert [number_of(frame.planes[0]) for frame in read_frames(target)] == list(range(FRAMES))
    packets = demuxed(target)
    assert [pts for pts, _, _ in packets] != sorted(pts for pts, _, _ in packets)
    if suffix != ".mkv":  # it has no decoding times
        assert all(a[1] < b[1] for a, b in pairwise(packets)) and all(dts <= pts for pts, dts, _ in packets)
    assert demuxed(target, "audio") == demuxed(whole, "audio")
    assert probe(target).chapters == probe(whole).chapters
    assert warnings == one_pass_warnings
    assert_decodes_cleanly(target)


SUFFIX_CODECS = [(suffix, codec) for suffix, container in CONTAINERS.items() for codec in sorted(container.video)]


@pytest.mark.parametrize("suffix, codec", [pair for pair in SUFFIX_CODECS if pair[0] not in (".m4v", ".qt", ".mts")])
def test_segments_of_every_codec_in_every_container(tmp_path: Path, suffix: str, codec: Codec) -> None:
    info, config = make_source(tmp_path, size=(128, 96)), EncodeConfig(codec=codec, preset=FAST.get(codec))
    target = tmp_path / f"joined{suffix}"
    join_segments(info, encode_segments(info, target, config), target, config)
    encode_whole(info, tmp_path / f"whole{suffix}", config)
    assert frame_times(target) == frame_times(tmp_path / f"whole{suffix}")
    assert [number_of(frame.planes[0]) for frame in read_frames(target)] == list(range(FRAMES))


def test_reordering_with_one_tick_per_frame(tmp_path: Path) -> None:
    """The decoding times of a segment's own encoder would overlap with those of the previous segment."""
    info = probe(
        write(tmp_path / "in.avi", frames=FRAMES, codec="mjpeg", pix_fmt="yuvj420p", time_base=Fraction(1, 25))
    )
    target, config = tmp_path / "joined.mp4", EncodeConfig(codec="h264")
    assert plan_output(info, target).info.video.time_base == Fraction(1, 25)
    join_segments(info, encode_segments(info, target, config, (1, 2, 3, 11, 13, 38)), target, config)
    encode_whole(info, tmp_path / "whole.mp4", config)
    assert frame_times(target) == frame_times(tmp_path / "whole.mp4")
    assert_decodes_cleanly(target)


def test_separate_transparency_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "in.mkv", frames=FRAMES, codec="ffv1", pix_fmt="yuva420p", time_base=Fraction(1, 1000))
    info, config = probe(path), EncodeConfig(codec="vp9", preset="8")
    target = tmp_path / "joined.webm"
    join_segments(info, encode_segments(info, target, config), target, config)
    for frame, source in zip(read_frames(target), read_frames(info), strict=True):
        assert frame.layout.has_alpha and np.abs(frame.planes[3].astype(int) - source.planes[3]).max() < 24


def test_mismatched_segments_are_refused(tmp_path: Path) -> None:
    info, config = make_source(tmp_path), EncodeConfig(codec="h264", preset="ultrafast")
    target = tmp_path / "joined.mp4"
    segments = encode_segments(info, target, config)
    with pytest.raises(UsageError, match="another extradata"):
        join_segments(info, segments, target, EncodeConfig(codec="h264", preset="slow"))
    with pytest.raises(UsageError, match=r"another encoder \(libx264, not libx265\)"):
        join_segments(info, segments, target, EncodeConfig(codec="hevc"))
    with pytest.raises(UsageError, match="in their order"):
        join_segments(info, [segments[1], segments[0]], target, config)
    with pytest.raises(UsageError, match="another muxer"):
        join_segments(info, segments, target.with_suffix(".mkv"), config)
    with pytest.raises(OutputError, match="not a single frame"):
        join_segments(info, [], target, config)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.segment", "1.segment", "2.segment", "in.mp4"]


def test_damaged_segments_are_refused(tmp_path: Path) -> None:
    info, config = make_source(tmp_path), EncodeConfig(codec="h264", preset="ultrafast")
    target = tmp_path / "joined.mp4"
    segments = encode_segments(info, target, config)
    data = segments[2].read_bytes()
    head = data.index(b"}\n") + 2
    packet = len(data) - 34  # start of the end marker
    for cut in (1, 30, head - 1, head, head + 10, packet, len(data) - 1, *range(head, len(data), 997)):
        segments[2].write_bytes(data[:cut])
        with pytest.raises(InputError, match=r"is not a segment|truncated"):
            join_segments(info, segments, target, config)
    segments[2].write_bytes(data[:head] + b"\xff" * 200)
    with pytest.raises(InputError, match="truncated or damaged"):
        join_segments(info, segments, target, config)
    with pytest.raises(InputError, match="is not a segment"):
        join_segments(info, [info.path], target, config)


def test_unfinished_segment_leaves_no_file(tmp_path: Path) -> None:
    info = make_source(tmp_path)
    plan = plan_output(info, tmp_path / "joined.mp4", EncodeConfig())
    with pytest.raises(KeyboardInterrupt), SegmentWriter(tmp_path / "0.segment", plan) as writer:
        writer.write(next(read_frames(info)))
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    with av.open(str(info.path)) as container:  # the input is as it was
        assert container.streams.video[0].frames == FRAMES
