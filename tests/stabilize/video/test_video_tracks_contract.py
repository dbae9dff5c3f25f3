"""Every container keeps the other tracks of a file, or those it cannot hold are reported before any work is done."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from stabilize.settings import Codec, EncodeConfig
from stabilize.video.containers import CONTAINERS
from stabilize.video.probe import probe
from stabilize.video.reader import read_frames
from stabilize.video.writer import VideoWriter
from tests.stabilize.video.clipmaker import picture, write

FAST = {"vp9": "8", "h264": "ultrafast"}


def write_two_audio_tracks(folder: Path) -> Path:
    audio_tags = [{"language": "eng"}, {"language": "deu"}]
    return write(folder / "in.mkv", audio=audio_tags, subtitle="subrip", time_base=Fraction(1, 1000))


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_unsupported_tracks_are_reported_before_any_work(tmp_path: Path, suffix: str) -> None:
    source, target = write_two_audio_tracks(tmp_path), tmp_path / f"out{suffix}"
    codec: Codec = "vp9" if suffix == ".webm" else "h264"
    writer = VideoWriter(source, target, EncodeConfig(codec=codec, preset=FAST[codec]))
    writer.dry_run()
    assert not target.exists() and [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    with writer:
        for frame in read_frames(source):
            writer.write(frame)
    tracks = probe(target).tracks
    dropped = [warning for warning in writer.warnings if "left out" in warning]
    assert len(tracks) - 1 + len(dropped) == 3
    assert suffix != ".flv" or any("track 2 (audio" in warning and "1 audio track" in warning for warning in dropped)


def write_with_cover(path: Path) -> Path:
    """Write an MP4 with a cover image."""
    with av.open(str(path), "w") as out:
        stream, cover = out.add_stream("libx264", rate=25), out.add_stream("mjpeg", rate=25)
        stream.width, stream.height = cover.width, cover.height = 96, 64
        cover.pix_fmt, cover.disposition = "yuvj420p", av.stream.Disposition.attached_pic
        out.mux(cover.encode(picture(33, "yuvj420p")))
        out.mux(cover.encode(None))
        for number in range(5):
            out.mux(stream.encode(picture(number)))
        out.mux(stream.encode(None))
    return path


def cover_bytes(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        covers = [s for s in container.streams.video if s.disposition & av.stream.Disposition.attached_pic]
        return [next(bytes(p) for p in container.demux(cover) if p.size) for cover in covers]


@pytest.mark.parametrize("source_name", ["in.mp4", "in.mkv"])
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_cover_images_are_kept_or_reported(tmp_path: Path, suffix: str, source_name: str) -> None:
    source = write_with_cover(tmp_path / "in.mp4")
    if source_name == "in.mkv":
        jpeg = cover_bytes(source)[0]
        source = write(
            tmp_path / source_name,
            frames=5,
            time_base=Fraction(1, 1000),
            setup=lambda out, _: out.add_attachment("front.jpg", "image/jpeg", jpeg),
        )
    assert len(cover_bytes(source)) == 1
    codec: Codec | None = "vp9" if suffix == ".webm" else None
    with VideoWriter(source, tmp_path / f"out{suffix}", EncodeConfig(codec=codec)) as writer:
        for frame in read_frames(source):
            writer.write(frame)
    is_kept = suffix in (".mp4", ".m4v", ".mkv")
    assert cover_bytes(tmp_path / f"out{suffix}") == (cover_bytes(source) if is_kept else [])
    assert any("cover" in warning for warning in writer.warnings) != is_kept
    assert len(list(read_frames(tmp_path / f"out{suffix}"))) == 5
