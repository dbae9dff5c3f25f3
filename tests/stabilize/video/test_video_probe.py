"""`probe` describes files correctly."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.video.reformatter import ColorPrimaries, ColorTrc

from stabilize.errors import InputError
from stabilize.video.containers import CONTAINERS, check_tracks
from stabilize.video.probe import Colour, probe
from tests.stabilize.video import hostile
from tests.stabilize.video.clipmaker import write

DATA = Path(__file__).parents[4] / "shared" / "data"


def test_a_plain_clip(tmp_path: Path) -> None:
    info = probe(write(tmp_path / "x.mp4", audio=[{"language": "eng"}]))
    video = info.video
    assert (video.width, video.height, video.pix_fmt, video.codec) == (96, 64, "yuv420p", "h264")
    assert (video.frames, video.average_rate, video.time_base) == (12, Fraction(25), Fraction(1, 12800))
    assert video.variable_rate is False and video.rotation == 0 and video.hdr is None and not video.interlaced
    assert info.duration_s == pytest.approx(0.48, abs=0.03) and info.size_bytes == os.path.getsize(tmp_path / "x.mp4")
    assert [(t.kind, t.codec, t.language) for t in info.tracks] == [("video", "h264", "und"), ("audio", "aac", "eng")]
    assert video.geometry.width == 96 and video.geometry.pixel_aspect == 1


@pytest.mark.parametrize(
    "builder, variable",
    [
        (hostile.variable_rate, True),
        (hostile.late_start, False),
        (hostile.one_frame, None),
        (hostile.truncated_mkv, False),
    ],
)
def test_variable_rate_is_detected(tmp_path: Path, builder: Any, variable: bool | None) -> None:
    assert probe(builder(tmp_path)).video.variable_rate is variable


def test_milliseconds_of_matroska_are_not_variable_rate(tmp_path: Path) -> None:
    times = [round(1000 * i * 1001 / 30000) for i in range(40)]
    path = write(tmp_path / "x.mkv", frames=40, pts=times, rate=Fraction(30000, 1001), time_base=Fraction(1, 1000))
    assert probe(path).video.variable_rate is False


@pytest.mark.parametrize("name", hostile.UNREADABLE)
def test_unreadable_files(tmp_path: Path, name: str) -> None:
    builder, message = hostile.UNREADABLE[name]
    path = builder(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        probe(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", hostile.READABLE)
def test_unusual_files_are_readable(tmp_path: Path, name: str) -> None:
    assert probe(hostile.READABLE[name](tmp_path)).video.width > 0


def test_rgb_is_described_as_the_yuv_it_is_read_as(tmp_path: Path) -> None:
    video = probe(write(tmp_path / "x.mkv", codec="ffv1", pix_fmt="bgr0", time_base=Fraction(1, 1000))).video
    assert (video.pix_fmt, video.layout.name, video.colour.matrix, video.colour.range) == ("bgr0", "yuv444p", 1, 1)


def test_chapters_and_supported_tracks(tmp_path: Path) -> None:
    chapter = {"id": 0, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "Start"}}
    info = probe(
        write(tmp_path / "x.mp4", audio=[{}], subtitle="mov_text", setup=lambda out, _: out.set_chapters([chapter]))
    )
    assert [(c.title, c.end_s) for c in info.chapters] == [("Start", 0.1)]
    reasons = {track.kind: reason for track, reason in check_tracks(info, CONTAINERS[".mp4"])}
    assert set(reasons.values()) == {None}
    reasons = {track.kind: reason for track, reason in check_tracks(info, CONTAINERS[".mkv"])}
    assert reasons["audio"] is None and "mov_text" in str(reasons["subtitle"])


def test_log_level_is_restored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        probe(write(tmp_path / "x.mp4"))
    assert av.logging.get_level() is None and not caplog.records


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
def test_real_clips() -> None:
    gopro = probe(DATA / "gyro" / "karma.mp4")
    assert [track.tag for track in gopro.tracks] == ["avc1", "mp4a", "tmcd", "gpmd", "fdsc"]
    assert (gopro.video.pix_fmt, gopro.video.colour.range) == ("yuvj420p", 2)
    assert probe(DATA / "clips" / "rotated180.mp4").video.rotation == 180
    assert probe(DATA / "clips" / "plaza.m4v").video.variable_rate is True
    start = time.perf_counter()
    probe(DATA / "clips" / "citywalk.mp4")
    assert time.perf_counter() - start < 1


def test_all_colour_tags_have_names() -> None:
    for kind, attribute in ((ColorPrimaries, "primaries"), (ColorTrc, "transfer")):
        for member in kind:
            number: dict[str, Any] = {attribute: member.value}
            name = getattr(Colour(**number), f"{attribute}_name")
            assert not name.startswith("number")
    assert Colour(9, 18, 9).transfer_name == "arib-std-b67" and Colour(9, 16, 9).transfer_name == "smpte2084"
    assert Colour(1, 1, 99).matrix_name == "number 99"


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("tags", [(1, 1, 1), (9, 18, 9), (9, 16, 9), (6, 6, 6), (5, 4, 5), (7, 7, 7), (12, 13, 8)])
def test_colour_names_agree_with_ffprobe(tmp_path: Path, tags: tuple[int, int, int]) -> None:
    def setup(_: Any, stream: Any) -> None:
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = tags

    path = write(tmp_path / "x.mkv", time_base=Fraction(1, 1000), setup=setup)
    command = ["ffprobe", "-v", "error", "-of", "csv=p=0", "-show_entries"]
    entries = "stream=color_space,color_transfer,color_primaries"
    printed = subprocess.run([*command, entries, path], capture_output=True, text=True, check=True).stdout.strip()
    colour = probe(path).video.colour
    assert printed.split(",") == [colour.matrix_name, colour.transfer_name, colour.primaries_name]


@pytest.mark.parametrize(
    "text", ["\n  Stream #0:0 left)", "\n  Stream #0:" + "9" * 5000 + " bottom)", "\r  Stream #0:0: Video: bottom)"]
)
def test_metadata_that_looks_like_a_stream_description_is_ignored(tmp_path: Path, text: str) -> None:
    def setup(out: Any, stream: Any) -> None:
        out.metadata["title"] = text
        stream.metadata["title"] = text

    path = write(tmp_path / "x.mkv", time_base=Fraction(1, 1000), audio=[{"language": "left"}], setup=setup)
    info = probe(path)
    assert info.video.colour.chroma_location in ("left", "unspecified") and len(info.tracks) == 2
