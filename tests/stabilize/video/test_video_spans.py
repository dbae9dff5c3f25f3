"""Reading a span returns the same frames, times and samples as a full read does in that span."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stabilize.errors import UsageError
from stabilize.video.completeness import DecodeRecord
from stabilize.video.probe import MediaInfo, probe
from stabilize.video.reader import read_frames, read_luma
from stabilize.video.span import Span
from tests.stabilize.video import hostile
from tests.stabilize.video.clipmaker import write

FRAMES = 60
UNEVEN = [512 * i + 137 * (i % 3) + 2000 * (i // 20) for i in range(FRAMES)]


@dataclass(frozen=True)
class FileType:
    """A type of file. `seeks`: whether the reader need not start at the beginning."""

    name: str
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: {"g": "12", "bf": "3"})
    seeks: bool = True
    frames_shown: int = FRAMES
    clip_options: dict[str, Any] = field(default_factory=dict)


def x264(**params: Any) -> dict[str, str]:
    return {"x264-params": ":".join(f"{key.replace('_', '-')}={value}" for key, value in params.items())}


def x265(**params: Any) -> dict[str, str]:
    return {"x265-params": x264(log_level="none", pools=1, **params)["x264-params"]}


TS = {"time_base": Fraction(1, 90000)}
PAL = {"time_base": Fraction(1, 25)}
MS = {"time_base": Fraction(1, 1000)}
FILE_TYPES = {
    "closed groups": FileType("x.mp4"),
    "open groups": FileType("x.mp4", options=x264(open_gop=1, keyint=12, min_keyint=12, bframes=3, scenecut=0)),
    "open groups in Matroska": FileType(
        "x.mkv", options=x264(open_gop=1, keyint=12, bframes=3, scenecut=0), clip_options=MS
    ),
    "one group": FileType("x.mp4", options={"g": "250", "bf": "3"}, seeks=False),
    "intra refresh": FileType("x.mp4", options=x264(intra_refresh=1, keyint=12), seeks=False),
    "intra refresh in a transport stream": FileType(
        "x.ts", options=x264(intra_refresh=1, keyint=12), seeks=False, clip_options=TS
    ),
    "leading pictures": FileType("x.mp4", "libx265", x265(open_gop=1, keyint=12, min_keyint=12, bframes=4, scenecut=0)),
    "leading pictures in Matroska": FileType(
        "x.mkv", "libx265", x265(open_gop=1, keyint=12, bframes=4), clip_options=MS
    ),
    "variable rate": FileType("x.mp4", clip_options={"pts": UNEVEN}),
    "variable rate in Matroska": FileType("x.mkv", clip_options=MS | {"pts": [time // 12 for time in UNEVEN]}),
    "transport stream": FileType("x.ts", clip_options=TS),
    "transport stream of open groups": FileType(
        "x.ts", options=x264(open_gop=1, keyint=12, bframes=3), clip_options=TS
    ),
    "transport stream whose time wraps around": FileType(
        "x.ts", clip_options=TS | {"pts": [2**33 - 30 * 3600 + 3600 * i for i in range(FRAMES)]}
    ),
    "MPEG-2": FileType("x.ts", "mpeg2video", {"g": "12", "bf": "2"}, clip_options=PAL),
    "program stream": FileType("x.mpg", "mpeg2video", {"g": "12", "bf": "2"}, seeks=False, clip_options=PAL),
    "AVI": FileType("x.avi", "mjpeg", {}, clip_options={"time_base": Fraction(1, 25), "pix_fmt": "yuvj420p"}),
    "AVI with B-frames": FileType("x.avi", "mpeg4", seeks=False, clip_options={"time_base": Fraction(1, 25)}),
    "FLV": FileType("x.flv", clip_options=MS),
    "no cues": FileType("x.mkv", clip_options=MS | {"container_options": {"live": "1"}}),
    "fragments": FileType("x.mp4", clip_options={"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    "ProRes": FileType("x.mov", "prores_ks", {}, clip_options={"pix_fmt": "yuv422p10le"}),
    "FFV1": FileType("x.mkv", "ffv1", {}, clip_options=MS),
    "FFV1 with groups": FileType("x.mkv", "ffv1", {"g": "12"}, clip_options=MS),
    "hidden pictures": FileType(
        "x.webm", "libvpx-vp9", {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "12"}, clip_options=MS
    ),
    "AV1": FileType("x.mp4", "libsvtav1", {"g": "12", "preset": "12"}, clip_options={"size": (128, 96)}),
    "hidden by an edit list": FileType(
        "x.mp4", frames_shown=55, clip_options={"pts": [512 * (i - 5) for i in range(FRAMES)]}
    ),
    "times below zero": FileType(
        "x.nut", "ffv1", {}, clip_options=MS | {"pts": [40 * (i - 25) for i in range(FRAMES)]}
    ),
    "a late start": FileType("x.mp4", clip_options={"pts": [512 * i + 10**9 for i in range(FRAMES)]}),
    "a late start in Matroska": FileType("x.mkv", clip_options=MS | {"pts": [40 * i + 10**7 for i in range(FRAMES)]}),
    "sound": FileType("x.mp4", clip_options={"audio": [{}]}),
    "sound in Matroska": FileType("x.mkv", clip_options=MS | {"audio": [{}]}),
}


def make_file(file_type: FileType, folder: Path) -> Path:
    clip = {"frames": FRAMES} | file_type.clip_options
    return write(folder / file_type.name, codec=file_type.codec, options=file_type.options, **clip)


def frame_hashes(info: MediaInfo, span: Span) -> list[tuple[int, int, str]]:
    return [
        (frame.pts, frame.duration, hashlib.sha256(b"".join(plane.tobytes() for plane in frame.planes)).hexdigest())
        for frame in read_frames(info, span)
    ]


@pytest.fixture
def sent_pts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The pts of packets sent to decoders."""
    sent_pts: list[Any] = []
    original = DecodeRecord.add_sent

    def record_pts(record: DecodeRecord, packet: Any) -> None:
        sent_pts.append(packet.pts)
        original(record, packet)

    monkeypatch.setattr(DecodeRecord, "add_sent", record_pts)
    return sent_pts


@pytest.mark.parametrize("name", FILE_TYPES)
def test_span_equals_that_part_of_a_full_read(name: str, tmp_path: Path, sent_pts: list[Any]) -> None:
    file_type = FILE_TYPES[name]
    info = probe(make_file(file_type, tmp_path))
    whole = frame_hashes(info, Span())
    times = [pts for pts, _, _ in whole]
    assert len(whole) == file_type.frames_shown
    for first, last in ((0, 5), (7, 19), (12, 13), (24, 48), (30, 31), (-13, -1), (-1, None), (33, None)):
        stop = times[last] if last is not None else None
        assert frame_hashes(info, Span(times[first], stop)) == whole[first:last], (first, last)
    sent_pts.clear()
    between = Span(times[-10] + 1, times[-8] + 1)  # between two frames, if the time base is fine enough
    assert frame_hashes(info, between) == [frame for frame in whole if between.contains(frame[0])] != []
    assert (len(sent_pts) < FRAMES / 2) == file_type.seeks


@pytest.mark.parametrize("name", ["open groups", "leading pictures", "transport stream", "hidden pictures", "AVI"])
def test_consecutive_spans_return_every_frame_once(name: str, tmp_path: Path) -> None:
    info = probe(make_file(FILE_TYPES[name], tmp_path))
    whole = [(pts, gray.tobytes()) for pts, gray in read_luma(info, (48, 32))]
    borders = [None, *(whole[i][0] for i in (11, 12, 13, 40)), None]
    parts = [(pts, gray.tobytes()) for a, b in pairwise(borders) for pts, gray in read_luma(info, (48, 32), Span(a, b))]
    assert parts == whole


@pytest.mark.parametrize("name", hostile.READABLE)
def test_spans_of_hostile_files(name: str, tmp_path: Path) -> None:
    """Whatever is repaired in a full read is repaired in the same way in a part."""
    info = probe(hostile.READABLE[name](tmp_path))
    reading = read_frames(info)
    times = [frame.pts for frame in reading]
    times_repaired = reading.report.repaired_pts > 0
    whole = frame_hashes(info, Span())
    for first in range(0, len(times), 5):
        span = Span(times[first], times[first + 3] if first + 3 < len(times) else None, times_repaired=times_repaired)
        assert frame_hashes(info, span) == whole[first : first + 3 if span.stop is not None else None]


def test_bad_time_in_a_span_is_repaired_as_in_a_full_read(tmp_path: Path, sent_pts: list[Any]) -> None:
    """It is only detected after the frames before it were returned."""
    info = probe(hostile.with_times(tmp_path / "x.mkv", FRAMES, {43: 1640, 50: 1990}))
    whole = frame_hashes(info, Span())
    assert len({pts for pts, _, _ in whole}) == FRAMES
    for first in (20, 42, 43, 44, 49, 51):
        assert frame_hashes(info, Span(whole[first][0])) == whole[first:]
    sent_pts.clear()
    assert frame_hashes(info, Span(whole[20][0])) == whole[20:]
    assert len(sent_pts) > FRAMES  # read again, from the beginning


def test_restarted_time_is_known_from_a_full_read(tmp_path: Path) -> None:
    """After the restart, the file has every time twice."""
    info = probe(hostile.with_times(tmp_path / "x.mkv", 240, {n: 40 * (n - 110) for n in range(115, 240)}))
    reading = read_frames(info)
    times = [frame.pts for frame in reading]
    assert times == [40 * n for n in range(240)] and reading.report.repaired_pts
    whole = frame_hashes(info, Span())
    assert frame_hashes(info, Span(times[120], times[125], times_repaired=True)) == whole[120:125]
    part = frame_hashes(info, Span(times[120], times[125]))
    assert part != whole[120:125]  # the restart lies before the span


@pytest.mark.parametrize("builder", [hostile.corrupt_middle, hostile.scratched, hostile.truncated])
def test_damage_is_reported_for_its_span(builder: Callable[[Path], Path], tmp_path: Path) -> None:
    info = probe(builder(tmp_path))
    reading = read_frames(info)
    times = [frame.pts for frame in reading]
    middle = times[len(times) // 2]
    reports = []
    for span in (Span(None, middle), Span(middle, None)):
        part = read_frames(info, span)
        list(part)
        reports.append(part.report)
    for count in ("frames", "damaged", "lost", "missing"):
        expected = pytest.approx(getattr(reading.report, count), abs=count == "missing")  # an estimate
        assert sum(getattr(report, count) for report in reports) == expected, count


def test_empty_and_reversed_spans(tmp_path: Path) -> None:
    info = probe(write(tmp_path / "x.mp4", frames=30))
    for span in (Span(513, 1024), Span(10**6), Span(None, -5)):
        assert frame_hashes(info, span) == []
    with pytest.raises(UsageError, match="cannot stop"):
        Span(5, 4)


def test_source_can_be_a_path(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mp4", frames=30, options={"g": "6"})
    assert [frame.pts for frame in read_frames(path, Span(512 * 14, 512 * 16))] == [512 * 14, 512 * 15]
