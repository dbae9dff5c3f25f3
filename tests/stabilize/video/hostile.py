"""Write damaged files. Each function ends by verifying the defect with PyAV or in the bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av

from tests.stabilize.video import clipmaker
from tests.stabilize.video.clipmaker import decoded, demuxed, write

INTRA = {"g": "1", "bf": "0"}
EARLY_INDEX = {"movflags": "faststart"}


def empty(folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    assert path.stat().st_size == 0
    return path


def text(folder: Path) -> Path:
    path = folder / "notes.mp4"
    path.write_text("This is not a video.\n" * 100)
    assert b"ftyp" not in path.read_bytes()
    return path


def directory(folder: Path) -> Path:
    path = folder / "folder.mp4"
    path.mkdir()
    return path


def missing(folder: Path) -> Path:
    path = folder / "nowhere.mp4"
    assert not path.exists()
    return path


def pipe(folder: Path) -> Path:
    path = folder / "pipe.mp4"
    os.mkfifo(path)
    assert not path.is_file()
    return path


def dangling(folder: Path) -> Path:
    path = folder / "link.mp4"
    path.symlink_to(folder / "gone.mp4")
    assert path.is_symlink() and not path.exists()
    return path


def no_index(folder: Path) -> Path:
    """The recording stopped before the index (moov) was written."""
    whole = write(folder / "whole.mp4").read_bytes()
    assert whole.rfind(b"moov") > whole.rfind(b"mdat")
    path = folder / "no_index.mp4"
    path.write_bytes(whole[: whole.rfind(b"moov") - 4])
    return path


def audio_only(folder: Path) -> Path:
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as out:
        sound = clipmaker._add_sound(out, "aac", {})
        clipmaker._write_sound(out, sound, 0.5)
    with av.open(str(path)) as container:
        assert [s.type for s in container.streams] == ["audio"]
    return path


def zero_frames(folder: Path) -> Path:
    """A video track with a header but no packets, and an audio track."""
    path = write(folder / "zero.mkv", numbers=(), audio=[{}], time_base=Fraction(1, 1000))
    with av.open(str(path)) as container:
        assert container.streams.video
    assert demuxed(path) == []
    return path


def undecodable(folder: Path) -> Path:
    """An intact index, but the packets hold zeros."""
    path = write(folder / "noise.mp4", options=INTRA)
    data = bytearray(path.read_bytes())
    start, end = data.find(b"mdat") + 4, data.rfind(b"moov") - 4
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    assert len(demuxed(path)) == 12
    return path


def huge(folder: Path) -> Path:
    """The header claims uncompressed frames of 20000 x 10000 px, 300 MB each."""
    path = write(folder / "huge.avi", codec="rawvideo", frames=2, time_base=Fraction(1, 25))
    size = (96).to_bytes(4, "little") + (64).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (20000).to_bytes(4, "little") + (10000).to_bytes(4, "little")))
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.width == 20000
    return path


def m3u8(folder: Path) -> Path:
    write(folder / "part.ts", format="mpegts")
    path = folder / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\npart.ts\n#EXT-X-ENDLIST\n")
    return path


def ffconcat(folder: Path) -> Path:
    write(folder / "part.mp4")
    path = folder / "list.ffconcat"
    path.write_text("ffconcat version 1.0\nfile part.mp4\n")
    with av.open(str(path)) as container:  # FFmpeg accepts it, so the refusal is ours
        assert container.format.name == "concat"
    return path


def sdp(folder: Path) -> Path:
    path = folder / "session.sdp"
    path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    )
    return path


def still_picture(folder: Path) -> Path:
    path = folder / "still_%d.png"
    write(
        folder / "still.png", codec="png", pix_fmt="rgb24", frames=1, format="image2", container_options={"update": "1"}
    )
    (folder / "still.png").rename(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    return path


def foreign_data(folder: Path) -> Path:
    """A QuickTime file whose packets are in another file, referred to by an alias."""
    other = write(folder / "other.mov")
    alias = (
        bytes(10)
        + bytes([1, *b"v" * 27])
        + bytes(12)
        + bytes([1, *b"f" * 63])
        + bytes(16)
        + bytes([0, 1, 0, 1])
        + bytes(16)
    )
    target = str(other).replace("/", ":").encode()
    alias += b"\x00\x02" + len(target).to_bytes(2, "big") + target + b"\x00" * (len(target) % 2) + b"\xff\xff\x00\x00"
    entry = (len(alias) + 12).to_bytes(4, "big") + b"alis" + bytes(4) + alias
    data = other.read_bytes()
    old = data.find(b"url \x00\x00\x00\x01") - 4
    patched = bytearray(data[:old] + entry + data[old + 12 :])
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):  # sizes of the enclosing boxes
        start = patched.rfind(box, 0, old) - 4
        size = int.from_bytes(patched[start : start + 4], "big") + len(entry) - 12
        patched[start : start + 4] = size.to_bytes(4, "big")
    path = folder / "foreign.mov"
    path.write_bytes(patched)
    with av.open(str(path), options={"enable_drefs": "1", "use_absolute_path": "1"}) as container:
        assert len(list(container.decode(video=0))) == 12  # FFmpeg follows it if this is enabled
    return path


UNREADABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "empty": (empty, "empty"),
    "text": (text, "not a readable video"),
    "directory": (directory, "not a regular file"),
    "missing": (missing, "cannot be read"),
    "pipe": (pipe, "not a regular file"),
    "dangling link": (dangling, "cannot be read"),
    "no index": (no_index, "not a readable video"),
    "sound only": (audio_only, "no video track"),
    "zero frames": (zero_frames, "not a single frame|no video track"),
    "undecodable": (undecodable, "not a single frame"),
    "huge": (huge, "no usable size"),
    "playlist m3u8": (m3u8, "playlist"),
    "playlist ffconcat": (ffconcat, "playlist"),
    "sdp": (sdp, "playlist"),
    "foreign data": (foreign_data, "not a single frame"),
    "picture sequence": (still_picture, "not a readable video"),
}


def one_frame(folder: Path) -> Path:
    path = write(folder / "one.mp4", frames=1)
    assert len(demuxed(path)) == 1
    return path


def tiny(folder: Path) -> Path:
    path = write(folder / "tiny.mp4", size=(16, 16))
    with av.open(str(path)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (16, 16)
    return path


def odd(folder: Path) -> Path:
    path = write(folder / "odd.mkv", size=(161, 91), codec="ffv1", time_base=Fraction(1, 1000))
    with av.open(str(path)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (161, 91)
    return path


def variable_rate(folder: Path) -> Path:
    pts = [0, 512, 1024, 2048, 2100, 4096, 4608, 5120, 9000, 9512, 9600, 12800]
    path = write(folder / "vfr.mp4", pts=pts)
    assert [t for t, _ in decoded(path)] == pts
    return path


def late_start(folder: Path) -> Path:
    path = write(folder / "late.mp4", pts=[5120 + 512 * i for i in range(12)], audio=[{}])
    assert decoded(path)[0][0] == 5120
    return path


def truncated(folder: Path) -> Path:
    """An MP4 whose index is first and lists 40 frames; the packets end halfway."""
    path = write(folder / "cut.mp4", frames=40, container_options=EARLY_INDEX, options=INTRA)
    data = path.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")
    path.write_bytes(data[: data.find(b"mdat") + (len(data) - data.find(b"mdat")) // 2])
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 40
    assert len(demuxed(path)) < 30
    return path


def truncated_mkv(folder: Path) -> Path:
    path = write(folder / "cut.mkv", frames=60, options=INTRA, time_base=Fraction(1, 1000))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert len(demuxed(path)) < 40
    return path


def corrupt_middle(folder: Path) -> Path:
    """Intra frames only, with the bytes of frames 5 and 6 zeroed, so that these cannot be decoded."""
    path = write(folder / "hole.mp4", options=INTRA)
    with av.open(str(path)) as container:
        spans = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for pos, size in spans[5:7]:
        assert pos is not None
        data[pos : pos + size] = bytes(size)
    path.write_bytes(data)
    assert len(demuxed(path)) == 12
    return path


def scratched(folder: Path) -> Path:
    """Some bytes inside a packet are inverted: frames are decoded with errors."""
    path = write(folder / "scratched.mp4", frames=24, size=(320, 192), options={"g": "8", "crf": "10"})
    with av.open(str(path)) as container:
        pos, size = [(p.pos, p.size) for p in container.demux(video=0) if p.size][10]
    assert pos is not None
    data = bytearray(path.read_bytes())
    for i in range(pos + size // 2, pos + size // 2 + 20):
        data[i] ^= 0xA5
    path.write_bytes(data)
    return path


def with_times(path: Path, frames: int, times: dict[int, int]) -> Path:
    """Write a Matroska file and change the times, in milliseconds, of some frames."""
    write(path, frames=frames, options=INTRA, time_base=Fraction(1, 1000))
    with av.open(str(path)) as container:
        payloads = [bytes(p) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for number, milliseconds in times.items():
        start = data.find(payloads[number]) - 3  # int16 time, flags, payload
        in_cluster = int.from_bytes(data[start : start + 2], "big", signed=True)
        assert in_cluster % 40 == 0 and 0 <= in_cluster <= 40 * number
        data[start : start + 2] = (in_cluster + milliseconds - 40 * number).to_bytes(2, "big", signed=True)
    path.write_bytes(data)
    return path


def repeated_pts(folder: Path) -> Path:
    """A Matroska file with a repeated and a decreasing time."""
    path = with_times(folder / "repeated.mkv", 12, {3: 80, 6: 150})
    assert [t for t, _, _ in demuxed(path)][:8] == [0, 40, 80, 80, 160, 200, 150, 280]
    return path


def missing_pts(folder: Path) -> Path:
    """A raw H.264 stream: no container, no times, and reordered B-frames."""
    path = write(folder / "bare.h264", options={"bf": "2"}, format="h264")
    with av.open(str(path)) as container:
        container.flags &= ~av.container.Flags.gen_pts.value  # type: ignore[operator]
        assert any(p.pts is None for p in container.demux(video=0) if p.size)
    return path


def avi_b_frames(folder: Path) -> Path:
    """AVI stores no presentation times; FFmpeg returns only decoding times."""
    path = write(folder / "bframes.avi", codec="mpeg4", time_base=Fraction(1, 25), options={"bf": "2"})
    with av.open(str(path)) as container:
        container.flags &= ~av.container.Flags.gen_pts.value  # type: ignore[operator]
        assert any(p.pts is None for p in container.demux(video=0) if p.size)
    return path


def changing_size(folder: Path) -> Path:
    """Two H.264 streams of different size, concatenated in MPEG-TS."""
    first = write(folder / "a.ts", frames=6, format="mpegts", time_base=Fraction(1, 90000))
    times = [3600 * i for i in range(6, 12)]
    second = write(
        folder / "b.ts", size=(128, 96), numbers=range(6, 12), pts=times, format="mpegts", time_base=Fraction(1, 90000)
    )
    path = folder / "changing.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with av.open(str(path)) as container:
        assert {(f.width, f.height) for f in container.decode(video=0)} == {(96, 64), (128, 96)}
    return path


def changing_format(folder: Path) -> Path:
    """The second half is coded in 4:4:4."""
    first = write(folder / "a.ts", frames=6, format="mpegts", time_base=Fraction(1, 90000))
    times = [3600 * i for i in range(6, 12)]
    second = write(
        folder / "b.ts",
        pix_fmt="yuv444p",
        numbers=range(6, 12),
        pts=times,
        format="mpegts",
        time_base=Fraction(1, 90000),
    )
    path = folder / "formats.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with av.open(str(path)) as container:
        assert {f.format.name for f in container.decode(video=0)} == {"yuv420p", "yuv444p"}
    return path


def wild_metadata(folder: Path) -> Path:
    """Metadata that is not UTF-8 and contains a terminal escape sequence."""
    path = write(
        folder / "wild.mkv",
        time_base=Fraction(1, 1000),
        setup=lambda out, _: out.metadata.update(title="AAAA\x1b[31mB"),
    )
    path.write_bytes(path.read_bytes().replace(b"AAAA", b"\xff\xfeA\x80"))
    assert b"\xff\xfeA\x80\x1b[31m" in path.read_bytes()
    return path


READABLE: dict[str, Callable[[Path], Path]] = {
    f.__name__: f
    for f in (
        one_frame,
        tiny,
        odd,
        variable_rate,
        late_start,
        truncated,
        truncated_mkv,
        corrupt_middle,
        scratched,
        repeated_pts,
        missing_pts,
        avi_b_frames,
        changing_size,
        changing_format,
        wild_metadata,
    )
}
