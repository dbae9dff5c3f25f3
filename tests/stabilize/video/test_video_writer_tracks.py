"""Audio, subtitles, chapters, telemetry and attachments are kept, or their loss is reported."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from stabilize.video.containers import CONTAINERS
from stabilize.video.probe import probe
from tests.stabilize.video.clipmaker import write
from tests.stabilize.video.transcoding import transcode

DATA = Path(__file__).parents[4] / "shared" / "data"


CHAPTERS = [
    {"id": 0, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
    {"id": 1, "start": 200, "end": 480, "time_base": Fraction(1, 1000), "metadata": {"title": "Zwei \u00e4"}},
]


def write_all_tracks(path: Path) -> Path:
    """Write two audio tracks, subtitles, chapters and metadata."""

    def setup(out: Any, stream: Any) -> None:
        out.set_chapters(CHAPTERS)
        out.metadata.update(
            title="A walk", creation_time="2021-02-03T04:05:06.000000Z", location="+52.5200+013.4050/", comment="c"
        )
        stream.metadata.update(language="fra", timecode="01:02:03:04")
        stream.disposition = 1

    subtitle = "subrip" if path.suffix == ".mkv" else "mov_text"
    audio_tags = [{"language": "eng"}, {"language": "deu", "title": "Kommentar"}]
    base = Fraction(1, 1000) if path.suffix == ".mkv" else Fraction(1, 12800)
    return write(path, audio=audio_tags, subtitle=subtitle, setup=setup, time_base=base)


def read_chapters(container: av.container.InputContainer) -> list[tuple[Fraction, dict[str, str]]]:
    chapters = []
    for chapter in container.chapters():
        assert chapter["time_base"] is not None
        chapters.append((chapter["start"] * chapter["time_base"], chapter["metadata"]))
    return chapters


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_metadata_chapters_and_tracks_are_kept(tmp_path: Path, suffix: str) -> None:
    source, target = write_all_tracks(tmp_path / f"in{suffix}"), tmp_path / f"out{suffix}"
    writer = transcode(source, target)
    assert writer.warnings == ()
    with av.open(str(source)) as a, av.open(str(target)) as b:
        for key in ("title", "creation_time", "comment", "location"):
            assert {k.lower(): v for k, v in b.metadata.items()}.get(key) == {
                k.lower(): v for k, v in a.metadata.items()
            }.get(key)
        assert read_chapters(b) == read_chapters(a)
        assert [c["metadata"]["title"] for c in b.chapters()] == ["One", "Zwei \u00e4"]
        kinds = [(s.type, s.language, s.disposition) for s in a.streams]
        assert [(s.type, s.language, s.disposition) for s in b.streams] == kinds
        assert a.streams.video[0].metadata.get("timecode") == b.streams.video[0].metadata.get("timecode")
        assert b.streams.video[0].language == "fra"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("kind", ["audio", "subtitle"])
def test_packets_are_copied_unchanged(tmp_path: Path, suffix: str, kind: str) -> None:
    source = write_all_tracks(tmp_path / f"in{suffix}")
    transcode(source, tmp_path / f"out{suffix}")

    def packets(path: Path) -> list[tuple[int | None, bytes]]:
        with av.open(str(path)) as container:
            stream = next(s for s in container.streams if s.type == kind)
            return [(p.pts, bytes(p)) for p in container.demux(stream) if p.size]

    assert packets(source) == packets(tmp_path / f"out{suffix}")


def test_dropped_tracks_are_reported(tmp_path: Path) -> None:
    source = write_all_tracks(tmp_path / "in.mp4")
    to_mkv = transcode(source, tmp_path / "out.mkv").warnings
    assert any("mov_text" in w and "left out" in w for w in to_mkv)
    to_avi = transcode(source, tmp_path / "out.avi").warnings
    assert sum("aac" in w for w in to_avi) == 2 and any("chapters" in w for w in to_avi)


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("clip", ["karma.mp4", "hero7_eis.mp4"])
def test_gopro_tracks(tmp_path: Path, clip: str, suffix: str) -> None:
    """Telemetry is copied, the time code generated (copying the tmcd track fails), the rest reported as dropped."""
    source = DATA / "gyro" / clip
    writer = transcode(source, tmp_path / f"out{suffix}", preset="ultrafast")
    tracks = {track.tag: track for track in probe(tmp_path / f"out{suffix}").tracks}
    assert any("fdsc" in warning for warning in writer.warnings)
    if suffix == ".mkv":
        assert sum("left out" in warning for warning in writer.warnings) == 3
        return
    assert {"gpmd", "tmcd"} <= set(tracks)
    with av.open(str(source)) as a, av.open(str(tmp_path / f"out{suffix}")) as b:
        copies = [
            [
                (p.pts, bytes(p))
                for p in c.demux(next(s for s in c.streams if getattr(s, "name", "") == "bin_data"))
                if p.size
            ]
            for c in (a, b)
        ]
        assert copies[0] == copies[1]
        assert a.streams.video[0].metadata["timecode"] == b.streams.video[0].metadata["timecode"]
        for key in ("firmware", "location"):
            assert a.metadata.get(key) == b.metadata.get(key)
        # FFmpeg 9 lists the time once for each place in the file.
        assert {a.metadata["creation_time"]} == set(b.metadata["creation_time"].split(";"))


def test_attachments_are_kept_and_stale_statistics_dropped(tmp_path: Path) -> None:
    def setup(out: Any, stream: Any) -> None:
        out.add_attachment("font.ttf", "font/ttf", b"not really a font")
        stream.metadata.update(BPS="12345", NUMBER_OF_FRAMES="99", title="Kept")

    source = write(tmp_path / "in.mkv", time_base=Fraction(1, 1000), setup=setup)
    transcode(source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        attachment = container.streams.attachments[0]
        assert (attachment.name, attachment.mimetype, attachment.data) == ("font.ttf", "font/ttf", b"not really a font")
        video = container.streams.video[0].metadata
        assert "BPS" not in video and "NUMBER_OF_FRAMES" not in video and video["title"] == "Kept"


def _encoder_of(codec: str) -> str | None:
    encoders = {"mp3": "libmp3lame", "opus": "libopus", "vorbis": "libvorbis"}
    name = encoders.get(codec, codec)
    try:
        encoder = av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return None
    return None if encoder.experimental or codec.startswith("amr") else name  # requires 8 kHz


AUDIO_CODECS = [(suffix, codec) for suffix, c in CONTAINERS.items() for codec in sorted(c.audio) if _encoder_of(codec)]


@pytest.mark.parametrize("suffix, codec", AUDIO_CODECS)
def test_every_audio_codec_of_every_container(tmp_path: Path, suffix: str, codec: str) -> None:
    suffix_in = next(s for s in (".mkv", ".mov") if codec in CONTAINERS[s].audio)
    source = write(tmp_path / f"in{suffix_in}", audio=[{}], audio_codec=_encoder_of(codec), time_base=Fraction(1, 1000))
    writer = transcode(source, tmp_path / f"out{suffix}", preset="8" if suffix == ".webm" else None)
    assert not any("audio" in warning for warning in writer.warnings)
    with av.open(str(source)) as a, av.open(str(tmp_path / f"out{suffix}")) as b:
        (found,) = [s.codec_context.codec.canonical_name for s in b.streams.audio]
        assert found == codec or (found, codec) == ("mp3", "mp2")  # MP4 has one code for both
        before, after = (sum(p.size for p in c.demux(audio=0)) for c in (a, b))
    assert after == pytest.approx(before, rel=0.25)  # headers may move to or from packets, priming may be dropped


def test_m2ts_has_192_byte_packets(tmp_path: Path) -> None:
    transcode(write(tmp_path / "in.mp4"), tmp_path / "out.m2ts")
    data = (tmp_path / "out.m2ts").read_bytes()
    assert len(data) % 192 == 0 and {data[i + 4] for i in range(0, len(data), 192)} == {0x47}
