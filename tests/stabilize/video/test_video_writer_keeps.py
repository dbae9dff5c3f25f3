"""What survives: times, tags, chapters and the other tracks; what does not is named."""

from __future__ import annotations

import itertools
import os
import shutil
import struct
import subprocess
from fractions import Fraction
from operator import sub
from pathlib import Path
from typing import Any

import av
import pytest

from stabilize.settings import EncodeConfig
from stabilize.video.containers import CONTAINERS
from stabilize.video.output import clean_metadata
from stabilize.video.probe import probe
from stabilize.video.reader import read_frames
from stabilize.video.writer import VideoWriter
from tests.stabilize.video import hostile
from tests.stabilize.video.clipmaker import decoded, demuxed, write

DATA = Path(__file__).parents[4] / "shared" / "data"


def transcode(source: Path, target: Path, **config: Any) -> VideoWriter:
    with VideoWriter(source, target, EncodeConfig(**config)) as writer, read_frames(source) as frames:
        for frame in frames:
            writer.write(frame)
    return writer


def exact_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        scale = container.streams.video[0].time_base
        assert scale is not None
        times = []
        for frame in container.decode(video=0):
            assert frame.pts is not None
            times.append(frame.pts * scale)
        return times


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".nut"])
@pytest.mark.parametrize("builder", [hostile.variable_rate, hostile.one_frame, hostile.late_start])
def test_times_survive(tmp_path: Path, suffix: str, builder: Any) -> None:
    source = builder(tmp_path)
    writer = transcode(source, tmp_path / f"out{suffix}")
    before, after = exact_times(source), exact_times(tmp_path / f"out{suffix}")
    assert len(before) == len(after) == writer.frames
    if suffix == ".mkv":
        assert max(abs(a - b) for a, b in zip(before, after, strict=True)) < Fraction(1, 1000)
        assert any("rounded" in w for w in writer.warnings)
    else:
        assert before == after and writer.warnings == ()


@pytest.mark.parametrize("codec", ["hevc", "av1", "vp9", "prores", "ffv1"])
def test_variable_times_survive_every_encoder(tmp_path: Path, codec: str) -> None:
    source = write(tmp_path / "in.mov", frames=40, pts=[200 * i * i + 512 * i for i in range(40)])
    target = tmp_path / {"ffv1": "out.mkv", "prores": "out.mov"}.get(codec, "out.mp4")
    transcode(source, target, codec=codec)
    before, after = exact_times(source), exact_times(target)
    assert before == after if codec != "ffv1" else max(map(abs, map(sub, before, after))) < Fraction(1, 1000)
    assert [number for _, number in decoded(target)] == list(range(40))


@pytest.mark.parametrize("base", [Fraction(1, 600), Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 10**6)])
def test_odd_time_bases_stay_exact(tmp_path: Path, base: Fraction) -> None:
    source = write(tmp_path / "in.mov", rate=Fraction(30000, 1001), time_base=base)
    transcode(source, tmp_path / "out.mov")
    assert exact_times(source) == exact_times(tmp_path / "out.mov")
    assert probe(source).video.time_base == probe(tmp_path / "out.mov").video.time_base


def test_avi_and_transport_streams_keep_their_times(tmp_path: Path) -> None:
    avi = write(
        tmp_path / "in.avi", codec="ffv1", time_base=Fraction(1, 25), pts=[0, 1, 2, 5, 6, 7, 10, 11, 12, 13, 14, 15]
    )
    transcode(avi, tmp_path / "out.avi", codec="h264")
    assert [dts for _, dts, _ in demuxed(tmp_path / "out.avi")] == [0, 1, 2, 5, 6, 7, 10, 11, 12, 13, 14, 15]
    stream = write(tmp_path / "in.ts", time_base=Fraction(1, 90000), pts=[900000 + 3600 * i for i in range(12)])
    transcode(stream, tmp_path / "out.ts")
    assert exact_times(stream) == exact_times(tmp_path / "out.ts")


def test_the_last_frame_keeps_its_duration(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", rate=Fraction(5), options={"bf": "2"})
    transcode(source, tmp_path / "out.mp4")
    with av.open(str(source)) as a, av.open(str(tmp_path / "out.mp4")) as b:
        assert a.streams.video[0].duration == b.streams.video[0].duration
        assert a.duration == b.duration


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_rotated_clip_plays_upright(tmp_path: Path, suffix: str, degrees: int) -> None:
    source = write(tmp_path / "in.mp4", setup=lambda _, stream: stream.set_display_rotation(-degrees))
    assert probe(source).video.rotation == degrees
    transcode(source, tmp_path / f"out{suffix}")
    with av.open(str(source)) as a, av.open(str(tmp_path / f"out{suffix}")) as b:
        assert next(a.decode(video=0)).rotation == next(b.decode(video=0)).rotation != 0


def test_mirroring_survives_in_mp4(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", setup=lambda _, stream: stream.set_display_rotation(90, hflip=True))
    transcode(source, tmp_path / "out.mp4")
    assert probe(source).video.display_matrix == probe(tmp_path / "out.mp4").video.display_matrix is not None


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
def test_the_phone_clip_keeps_its_rotation_by_ffprobe(tmp_path: Path) -> None:
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
    said = [
        subprocess.run([*command, p], capture_output=True, text=True, check=True).stdout
        for p in (source, tmp_path / "out.mp4")
    ]
    assert said[0] == said[1] and "180" in said[0]


def tagged(_: Any, stream: Any) -> None:
    context = stream.codec_context
    context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1
    context.sample_aspect_ratio = Fraction(4, 3)
    context.options = dict(context.options) | {"chroma_sample_location": "topleft"}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_colour_tags_siting_and_pixel_shape_survive(tmp_path: Path, codec: str, suffix: str) -> None:
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    source = write(tmp_path / f"in{suffix}", codec=codec, time_base=Fraction(1, 1000), setup=tagged, options=quiet)
    transcode(source, tmp_path / f"out{suffix}")
    before, after = probe(source).video, probe(tmp_path / f"out{suffix}").video
    assert before.colour == after.colour
    assert (after.colour.primaries, after.colour.transfer, after.colour.matrix, after.colour.range) == (9, 16, 9, 1)
    assert after.colour.chroma_location == "topleft"
    assert before.sample_aspect_ratio == after.sample_aspect_ratio == Fraction(4, 3)


def hdr10(path: Path) -> Path:
    display = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
    return write(
        path,
        codec="libx265",
        pix_fmt="yuv420p10le",
        frames=4,
        setup=tagged,
        options={"x265-params": f"log-level=none:{display}"},
    )


@pytest.mark.parametrize("codec", ["hevc", "av1", "h264"])
def test_hdr10_survives_where_the_encoder_can_carry_it(tmp_path: Path, codec: str) -> None:
    source = hdr10(tmp_path / "in.mp4")
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


def test_hdr10_that_cannot_be_carried_is_named(tmp_path: Path) -> None:
    writer = transcode(hdr10(tmp_path / "in.mp4"), tmp_path / "out.mkv", codec="ffv1")
    assert any("HDR10" in warning for warning in writer.warnings)


CHAPTERS = [
    {"id": 0, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
    {"id": 1, "start": 200, "end": 480, "time_base": Fraction(1, 1000), "metadata": {"title": "Zwei \u00e4"}},
]


def rich(path: Path) -> Path:
    """Two sound tracks, subtitles, chapters, dates, places and names."""

    def setup(out: Any, stream: Any) -> None:
        out.set_chapters(CHAPTERS)
        out.metadata.update(
            title="A walk", creation_time="2021-02-03T04:05:06.000000Z", location="+52.5200+013.4050/", comment="c"
        )
        stream.metadata.update(language="fra", timecode="01:02:03:04")
        stream.disposition = 1

    subtitle = "subrip" if path.suffix == ".mkv" else "mov_text"
    sounds = [{"language": "eng"}, {"language": "deu", "title": "Kommentar"}]
    base = Fraction(1, 1000) if path.suffix == ".mkv" else Fraction(1, 12800)
    return write(path, audio=sounds, subtitle=subtitle, setup=setup, time_base=base)


def chapters(container: av.container.InputContainer) -> list[tuple[Fraction, dict[str, str]]]:
    found = []
    for chapter in container.chapters():
        assert chapter["time_base"] is not None
        found.append((chapter["start"] * chapter["time_base"], chapter["metadata"]))
    return found


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_everything_else_survives(tmp_path: Path, suffix: str) -> None:
    source, target = rich(tmp_path / f"in{suffix}"), tmp_path / f"out{suffix}"
    writer = transcode(source, target)
    assert writer.warnings == ()
    with av.open(str(source)) as a, av.open(str(target)) as b:
        for key in ("title", "creation_time", "comment", "location"):
            assert {k.lower(): v for k, v in b.metadata.items()}.get(key) == {
                k.lower(): v for k, v in a.metadata.items()
            }.get(key)
        assert chapters(b) == chapters(a)
        assert [c["metadata"]["title"] for c in b.chapters()] == ["One", "Zwei \u00e4"]
        kinds = [(s.type, s.language, s.disposition) for s in a.streams]
        assert [(s.type, s.language, s.disposition) for s in b.streams] == kinds
        assert a.streams.video[0].metadata.get("timecode") == b.streams.video[0].metadata.get("timecode")
        assert b.streams.video[0].language == "fra"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("kind", ["audio", "subtitle"])
def test_copied_packets_are_the_same_packets(tmp_path: Path, suffix: str, kind: str) -> None:
    source = rich(tmp_path / f"in{suffix}")
    transcode(source, tmp_path / f"out{suffix}")

    def packets(path: Path) -> list[tuple[int | None, bytes]]:
        with av.open(str(path)) as container:
            stream = next(s for s in container.streams if s.type == kind)
            return [(p.pts, bytes(p)) for p in container.demux(stream) if p.size]

    assert packets(source) == packets(tmp_path / f"out{suffix}")


def test_sound_stays_in_step_when_it_starts_before_zero(tmp_path: Path) -> None:
    """AAC's priming lies before zero; Matroska has no such times, and must not shift the picture for it."""
    source = write(tmp_path / "in.mp4", audio=[{}], time_base=Fraction(1, 1000))
    assert demuxed(source, "audio")[0][0] < 0
    transcode(source, tmp_path / "out.mkv")
    assert exact_times(source) == exact_times(tmp_path / "out.mkv")
    with av.open(str(source)) as a, av.open(str(tmp_path / "out.mkv")) as b:
        first = next(bytes(p) for p in a.demux(audio=0) if p.size and p.pts is not None and p.pts >= 0)
        assert next((p.pts, bytes(p)) for p in b.demux(audio=0)) == (0, first)


def test_tracks_that_cannot_be_carried_are_named(tmp_path: Path) -> None:
    source = rich(tmp_path / "in.mp4")
    to_mkv = transcode(source, tmp_path / "out.mkv").warnings
    assert any("mov_text" in w and "left out" in w for w in to_mkv)
    to_avi = transcode(source, tmp_path / "out.avi").warnings
    assert sum("aac" in w for w in to_avi) == 2 and any("chapters" in w for w in to_avi)


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("clip", ["karma.mp4", "hero7_eis.mp4"])
def test_gopro_tracks(tmp_path: Path, clip: str, suffix: str) -> None:
    """Telemetry is copied, the time code made anew (a copied tmcd track makes the trailer fail), the rest is named."""
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
        # FFmpeg 9 names a time once for each place where the file has it.
        assert {a.metadata["creation_time"]} == set(b.metadata["creation_time"].split(";"))


def test_a_creation_time_that_is_read_twice_is_written_as_one_time() -> None:
    once = clean_metadata({"creation_time": "2017-04-17T19:27:57.000000Z;2017-04-17T19:27:57.000000Z", "title": "a;b"})
    assert once == {"creation_time": "2017-04-17T19:27:57.000000Z", "title": "a;b"}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_metadata_that_is_no_utf8_is_kept_byte_for_byte(tmp_path: Path, suffix: str) -> None:
    """Latin-1 in a title, as old cameras and taggers write it; no PyAV may decode it strictly, or lose a byte."""

    def setup(out: Any, _stream: Any) -> None:
        out.metadata["title"] = "caf??"

    marked = write(tmp_path / f"in{suffix}", setup=setup)
    source = marked.with_name(f"latin1{suffix}")
    source.write_bytes(marked.read_bytes().replace(b"caf??", b"caf\xe9\xff"))
    transcode(source, tmp_path / f"out{suffix}")
    assert os.fsencode(probe(tmp_path / f"out{suffix}").metadata["title"]) == b"caf\xe9\xff"
    assert b"caf\xe9\xff" in (tmp_path / f"out{suffix}").read_bytes()


def test_attachments_and_stale_statistics(tmp_path: Path) -> None:
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


def test_foreign_bytes_in_metadata_go_through(tmp_path: Path) -> None:
    source = hostile.wild_metadata(tmp_path)
    transcode(source, tmp_path / "out.mkv")
    assert b"\xff\xfeA\x80\x1b[31m" in (tmp_path / "out.mkv").read_bytes()


def test_interleaving_is_close(tmp_path: Path) -> None:
    """Neighbouring packets in the file lie within a second of each other: a player need not seek."""
    source = write(tmp_path / "in.mp4", frames=250, audio=[{}])
    transcode(source, tmp_path / "out.mkv", preset="ultrafast")
    with av.open(str(tmp_path / "out.mkv")) as container:
        times = []
        for p in container.demux():
            if p.size:
                assert p.pts is not None and p.time_base is not None
                times.append(float(p.pts * p.time_base))
    assert max(abs(a - b) for a, b in itertools.pairwise(times)) < 1


def test_hevc_in_mp4_is_tagged_for_apple(tmp_path: Path) -> None:
    transcode(write(tmp_path / "in.mp4"), tmp_path / "out.mp4", codec="hevc", preset="ultrafast")
    assert probe(tmp_path / "out.mp4").tracks[0].tag == "hvc1"


def test_numbers_and_order_of_frames_survive_b_frames(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", frames=40, options={"bf": "3"})
    transcode(source, tmp_path / "out.mp4", preset="slow")
    assert decoded(tmp_path / "out.mp4") == decoded(source)


def test_the_matrix_of_a_quarter_turn(tmp_path: Path) -> None:
    """FFmpeg's matrix of 90 degrees clockwise: (x, y) of the picture goes to (-y, x)."""
    matrix = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    source = write(tmp_path / "in.mp4", setup=lambda _, stream: stream.set_display_matrix(matrix))
    video = probe(source).video
    assert video.rotation == 90 and video.display_matrix is not None
    assert struct.pack("=5i", *video.display_matrix[:5]) == struct.pack("=5i", *matrix[:5])


def _encoder_of(codec: str) -> str | None:
    known = {"mp3": "libmp3lame", "opus": "libopus", "vorbis": "libvorbis"}
    name = known.get(codec, codec)
    try:
        encoder = av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return None
    return None if encoder.experimental or codec.startswith("amr") else name  # it wants 8 kHz


CLAIMS = [(suffix, codec) for suffix, c in CONTAINERS.items() for codec in sorted(c.audio) if _encoder_of(codec)]


@pytest.mark.parametrize("suffix, codec", CLAIMS)
def test_every_sound_codec_that_a_container_claims(tmp_path: Path, suffix: str, codec: str) -> None:
    home = next(s for s in (".mkv", ".mov") if codec in CONTAINERS[s].audio)
    source = write(tmp_path / f"in{home}", audio=[{}], audio_codec=_encoder_of(codec), time_base=Fraction(1, 1000))
    writer = transcode(source, tmp_path / f"out{suffix}", preset="8" if suffix == ".webm" else None)
    assert not any("audio" in warning for warning in writer.warnings)
    with av.open(str(source)) as a, av.open(str(tmp_path / f"out{suffix}")) as b:
        (found,) = [s.codec_context.codec.canonical_name for s in b.streams.audio]
        assert found == codec or (found, codec) == ("mp3", "mp2")  # MP4 has one name for both
        before, after = (sum(p.size for p in c.demux(audio=0)) for c in (a, b))
    assert after == pytest.approx(before, rel=0.25)  # headers move in and out of the packets, priming may go


def test_camcorder_files_keep_their_long_packets(tmp_path: Path) -> None:
    transcode(write(tmp_path / "in.mp4"), tmp_path / "out.m2ts")
    data = (tmp_path / "out.m2ts").read_bytes()
    assert len(data) % 192 == 0 and {data[i + 4] for i in range(0, len(data), 192)} == {0x47}
