"""Every container takes the other tracks of a file, or names those that it has no room for before any work is done."""

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


def two_of_each(folder: Path) -> Path:
    sounds = [{"language": "eng"}, {"language": "deu"}]
    return write(folder / "in.mkv", audio=sounds, subtitle="subrip", time_base=Fraction(1, 1000))


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_tracks_that_a_container_has_no_room_for_are_known_before_any_work(tmp_path: Path, suffix: str) -> None:
    source, target = two_of_each(tmp_path), tmp_path / f"out{suffix}"
    codec: Codec = "vp9" if suffix == ".webm" else "h264"
    writer = VideoWriter(source, target, EncodeConfig(codec=codec, preset=FAST[codec]))
    writer.dry_run()
    assert not target.exists() and [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
    with writer:
        for frame in read_frames(source):
            writer.write(frame)
    tracks = probe(target).tracks
    said = [warning for warning in writer.warnings if "left out" in warning]
    assert len(tracks) - 1 + len(said) == 3
    assert suffix != ".flv" or any("track 2 (audio" in warning and "1 audio track" in warning for warning in said)


def with_cover(path: Path) -> Path:
    """An MP4 with a cover picture."""
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


@pytest.mark.parametrize("via", ["in.mp4", "in.mkv"])
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_cover_pictures_are_kept_or_named(tmp_path: Path, suffix: str, via: str) -> None:
    source = with_cover(tmp_path / "in.mp4")
    if via == "in.mkv":
        jpeg = cover_bytes(source)[0]
        source = write(
            tmp_path / via,
            frames=5,
            time_base=Fraction(1, 1000),
            setup=lambda out, _: out.add_attachment("front.jpg", "image/jpeg", jpeg),
        )
    assert len(cover_bytes(source)) == 1
    codec: Codec | None = "vp9" if suffix == ".webm" else None
    with VideoWriter(source, tmp_path / f"out{suffix}", EncodeConfig(codec=codec)) as writer:
        for frame in read_frames(source):
            writer.write(frame)
    kept = suffix in (".mp4", ".m4v", ".mkv")
    assert cover_bytes(tmp_path / f"out{suffix}") == (cover_bytes(source) if kept else [])
    assert any("cover" in warning for warning in writer.warnings) != kept
    assert len(list(read_frames(tmp_path / f"out{suffix}"))) == 5
