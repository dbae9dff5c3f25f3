"""Rotation, colour tags, HDR metadata and other metadata are kept, or their loss is reported."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from stabilize.video.output import clean_metadata
from stabilize.video.probe import probe
from tests.stabilize.video import hostile
from tests.stabilize.video.clipmaker import write
from tests.stabilize.video.transcoding import transcode

DATA = Path(__file__).parents[4] / "shared" / "data"


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_rotation_is_kept(tmp_path: Path, suffix: str, degrees: int) -> None:
    source = write(tmp_path / "in.mp4", setup=lambda _, stream: stream.set_display_rotation(-degrees))
    assert probe(source).video.rotation == degrees
    transcode(source, tmp_path / f"out{suffix}")
    with av.open(str(source)) as a, av.open(str(tmp_path / f"out{suffix}")) as b:
        assert next(a.decode(video=0)).rotation == next(b.decode(video=0)).rotation != 0


def test_mirroring_is_kept_in_mp4(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", setup=lambda _, stream: stream.set_display_rotation(90, hflip=True))
    transcode(source, tmp_path / "out.mp4")
    assert probe(source).video.display_matrix == probe(tmp_path / "out.mp4").video.display_matrix is not None


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
def test_rotation_of_a_phone_clip_is_kept_according_to_ffprobe(tmp_path: Path) -> None:
    source = DATA / "clips" / "rotated180.mp4"
    transcode(source, tmp_path / "out.mp4", preset="ultrafast")
    command = [
        "ffprobe",
        "-v",
        "quiet",
        "-select_streams",
        "v:0",
        "-show_entries",
        "stream_side_data=rotation",
        "-of",
        "csv=p=0",
    ]
    rotations = [
        subprocess.run([*command, p], capture_output=True, text=True, check=True).stdout
        for p in (source, tmp_path / "out.mp4")
    ]
    assert rotations[0] == rotations[1] and "180" in rotations[0]


def test_display_matrix_of_90_degrees(tmp_path: Path) -> None:
    """FFmpeg's matrix for 90 degrees clockwise maps (x, y) of the frame to (-y, x)."""
    matrix = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    source = write(tmp_path / "in.mp4", setup=lambda _, stream: stream.set_display_matrix(matrix))
    video = probe(source).video
    assert video.rotation == 90 and video.display_matrix is not None
    assert struct.pack("=5i", *video.display_matrix[:5]) == struct.pack("=5i", *matrix[:5])


def set_colour_tags(_: Any, stream: Any) -> None:
    context = stream.codec_context
    context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1
    context.sample_aspect_ratio = Fraction(4, 3)
    context.options = dict(context.options) | {"chroma_sample_location": "topleft"}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_colour_tags_siting_and_pixel_aspect_are_kept(tmp_path: Path, codec: str, suffix: str) -> None:
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    source = write(
        tmp_path / f"in{suffix}", codec=codec, time_base=Fraction(1, 1000), setup=set_colour_tags, options=quiet
    )
    transcode(source, tmp_path / f"out{suffix}")
    before, after = probe(source).video, probe(tmp_path / f"out{suffix}").video
    assert before.colour == after.colour
    assert (after.colour.primaries, after.colour.transfer, after.colour.matrix, after.colour.range) == (9, 16, 9, 1)
    assert after.colour.chroma_location == "topleft"
    assert before.sample_aspect_ratio == after.sample_aspect_ratio == Fraction(4, 3)


def write_hdr10(path: Path) -> Path:
    display = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
    return write(
        path,
        codec="libx265",
        pix_fmt="yuv420p10le",
        frames=4,
        setup=set_colour_tags,
        options={"x265-params": f"log-level=none:{display}"},
    )


@pytest.mark.parametrize("codec", ["hevc", "av1", "h264"])
def test_hdr10_is_kept_by_encoders_that_support_it(tmp_path: Path, codec: str) -> None:
    source = write_hdr10(tmp_path / "in.mp4")
    hdr = probe(source).video.hdr
    assert hdr is not None and hdr.light_level == (1000, 400) and hdr.luminance == (10_000_000, 1)
    assert hdr.primaries == ((34000, 16000), (13250, 34500), (7500, 3000), (15635, 16450))
    writer = transcode(source, tmp_path / "out.mp4", codec=codec)
    after = probe(tmp_path / "out.mp4").video
    assert after.layout.bits == 10 and not any("HDR" in w for w in writer.warnings)
    assert after.hdr is not None and after.hdr.light_level == (1000, 400)
    pairs = [*zip(hdr.primaries, after.hdr.primaries, strict=True)]
    assert all(abs(a - b) <= 1 for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))
    assert after.hdr.luminance == pytest.approx(hdr.luminance, abs=2)


def test_loss_of_hdr10_is_reported(tmp_path: Path) -> None:
    writer = transcode(write_hdr10(tmp_path / "in.mp4"), tmp_path / "out.mkv", codec="ffv1")
    assert any("HDR10" in warning for warning in writer.warnings)


def test_duplicate_creation_time_is_written_once() -> None:
    cleaned = clean_metadata(
        {"creation_time": "2017-04-17T19:27:57.000000Z;2017-04-17T19:27:57.000000Z", "title": "a;b"}
    )
    assert cleaned == {"creation_time": "2017-04-17T19:27:57.000000Z", "title": "a;b"}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_non_utf8_metadata_is_kept_byte_for_byte(tmp_path: Path, suffix: str) -> None:
    """A Latin-1 title, as old cameras and tag editors write it, must not fail to decode or lose a byte."""

    def setup(out: Any, _stream: Any) -> None:
        out.metadata["title"] = "caf??"

    marked = write(tmp_path / f"in{suffix}", setup=setup)
    source = marked.with_name(f"latin1{suffix}")
    source.write_bytes(marked.read_bytes().replace(b"caf??", b"caf\xe9\xff"))
    transcode(source, tmp_path / f"out{suffix}")
    assert os.fsencode(probe(tmp_path / f"out{suffix}").metadata["title"]) == b"caf\xe9\xff"
    assert b"caf\xe9\xff" in (tmp_path / f"out{suffix}").read_bytes()


def test_invalid_bytes_in_metadata_are_kept(tmp_path: Path) -> None:
    source = hostile.wild_metadata(tmp_path)
    transcode(source, tmp_path / "out.mkv")
    assert b"\xff\xfeA\x80\x1b[31m" in (tmp_path / "out.mkv").read_bytes()


def test_hevc_in_mp4_is_tagged_for_apple(tmp_path: Path) -> None:
    transcode(write(tmp_path / "in.mp4"), tmp_path / "out.mp4", codec="hevc", preset="ultrafast")
    assert probe(tmp_path / "out.mp4").tracks[0].tag == "hvc1"
