"""Reading a part of a video gives what a read of the whole gives there: the same frames, times and samples."""

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
class Kind:
    """A kind of file. `seeks`: the reader need not begin at the beginning."""

    name: str
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: {"g": "12", "bf": "3"})
    seeks: bool = True
    shown: int = FRAMES
    more: dict[str, Any] = field(default_factory=dict)


def x264(**params: Any) -> dict[str, str]:
    return {"x264-params": ":".join(f"{key.replace('_', '-')}={value}" for key, value in params.items())}


def x265(**params: Any) -> dict[str, str]:
    return {"x265-params": x264(log_level="none", pools=1, **params)["x264-params"]}


TS = {"time_base": Fraction(1, 90000)}
PAL = {"time_base": Fraction(1, 25)}
MS = {"time_base": Fraction(1, 1000)}
KINDS = {
    "closed groups": Kind("x.mp4"),
    "open groups": Kind("x.mp4", options=x264(open_gop=1, keyint=12, min_keyint=12, bframes=3, scenecut=0)),
    "open groups in Matroska": Kind("x.mkv", options=x264(open_gop=1, keyint=12, bframes=3, scenecut=0), more=MS),
    "one group": Kind("x.mp4", options={"g": "250", "bf": "3"}, seeks=False),
    "intra refresh": Kind("x.mp4", options=x264(intra_refresh=1, keyint=12), seeks=False),
    "intra refresh in a transport stream": Kind("x.ts", options=x264(intra_refresh=1, keyint=12), seeks=False, more=TS),
    "leading pictures": Kind("x.mp4", "libx265", x265(open_gop=1, keyint=12, min_keyint=12, bframes=4, scenecut=0)),
    "leading pictures in Matroska": Kind("x.mkv", "libx265", x265(open_gop=1, keyint=12, bframes=4), more=MS),
    "variable rate": Kind("x.mp4", more={"pts": UNEVEN}),
    "variable rate in Matroska": Kind("x.mkv", more=MS | {"pts": [time // 12 for time in UNEVEN]}),
    "transport stream": Kind("x.ts", more=TS),
    "transport stream of open groups": Kind("x.ts", options=x264(open_gop=1, keyint=12, bframes=3), more=TS),
    "transport stream whose clock begins anew": Kind(
        "x.ts", more=TS | {"pts": [2**33 - 30 * 3600 + 3600 * i for i in range(FRAMES)]}
    ),
    "MPEG-2": Kind("x.ts", "mpeg2video", {"g": "12", "bf": "2"}, more=PAL),
    "program stream": Kind("x.mpg", "mpeg2video", {"g": "12", "bf": "2"}, seeks=False, more=PAL),
    "AVI": Kind("x.avi", "mjpeg", {}, more={"time_base": Fraction(1, 25), "pix_fmt": "yuvj420p"}),
    "AVI with B-frames": Kind("x.avi", "mpeg4", seeks=False, more={"time_base": Fraction(1, 25)}),
    "FLV": Kind("x.flv", more=MS),
    "no cues": Kind("x.mkv", more=MS | {"container_options": {"live": "1"}}),
    "fragments": Kind("x.mp4", more={"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    "ProRes": Kind("x.mov", "prores_ks", {}, more={"pix_fmt": "yuv422p10le"}),
    "FFV1": Kind("x.mkv", "ffv1", {}, more=MS),
    "FFV1 with groups": Kind("x.mkv", "ffv1", {"g": "12"}, more=MS),
    "hidden pictures": Kind("x.webm", "libvpx-vp9", {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "12"}, more=MS),
    "AV1": Kind("x.mp4", "libsvtav1", {"g": "12", "preset": "12"}, more={"size": (128, 96)}),
    "hidden by an edit list": Kind("x.mp4", shown=55, more={"pts": [512 * (i - 5) for i in range(FRAMES)]}),
    "times below zero": Kind("x.nut", "ffv1", {}, more=MS | {"pts": [40 * (i - 25) for i in range(FRAMES)]}),
    "a late start": Kind("x.mp4", more={"pts": [512 * i + 10**9 for i in range(FRAMES)]}),
    "a late start in Matroska": Kind("x.mkv", more=MS | {"pts": [40 * i + 10**7 for i in range(FRAMES)]}),
    "sound": Kind("x.mp4", more={"audio": [{}]}),
    "sound in Matroska": Kind("x.mkv", more=MS | {"audio": [{}]}),
}


def made(kind: Kind, folder: Path) -> Path:
    step = {"frames": FRAMES} | kind.more
    return write(folder / kind.name, codec=kind.codec, options=kind.options, **step)


def hashes(info: MediaInfo, span: Span) -> list[tuple[int, int, str]]:
    return [
        (frame.pts, frame.duration, hashlib.sha256(b"".join(plane.tobytes() for plane in frame.planes)).hexdigest())
        for frame in read_frames(info, span)
    ]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Packets that went into decoders."""
    packets: list[Any] = []
    original = DecodeRecord.add_sent

    def recorded(record: DecodeRecord, packet: Any) -> None:
        packets.append(packet.pts)
        original(record, packet)

    monkeypatch.setattr(DecodeRecord, "add_sent", recorded)
    return packets


@pytest.mark.parametrize("name", KINDS)
def test_a_part_is_what_the_whole_has_there(name: str, tmp_path: Path, sent: list[Any]) -> None:
    kind = KINDS[name]
    info = probe(made(kind, tmp_path))
    whole = hashes(info, Span())
    times = [pts for pts, _, _ in whole]
    assert len(whole) == kind.shown
    for first, last in ((0, 5), (7, 19), (12, 13), (24, 48), (30, 31), (-13, -1), (-1, None), (33, None)):
        stop = times[last] if last is not None else None
        assert hashes(info, Span(times[first], stop)) == whole[first:last], (first, last)
    sent.clear()
    late = Span(times[-10] + 1, times[-8] + 1)  # between two frames, where the clock is fine enough
    assert hashes(info, late) == [frame for frame in whole if late.contains(frame[0])] != []
    assert (len(sent) < FRAMES / 2) == kind.seeks


@pytest.mark.parametrize("name", ["open groups", "leading pictures", "transport stream", "hidden pictures", "AVI"])
def test_neighbouring_spans_give_each_frame_once_and_small_pictures_are_the_same(name: str, tmp_path: Path) -> None:
    info = probe(made(KINDS[name], tmp_path))
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
    whole = hashes(info, Span())
    for first in range(0, len(times), 5):
        span = Span(times[first], times[first + 3] if first + 3 < len(times) else None, times_repaired=times_repaired)
        assert hashes(info, span) == whole[first : first + 3 if span.stop is not None else None]


def test_a_bad_time_within_a_span_is_mended_as_in_the_whole(tmp_path: Path, sent: list[Any]) -> None:
    """It shows only when the frames before it have been given."""
    info = probe(hostile.with_times(tmp_path / "x.mkv", FRAMES, {43: 1640, 50: 1990}))
    whole = hashes(info, Span())
    assert len({pts for pts, _, _ in whole}) == FRAMES
    for first in (20, 42, 43, 44, 49, 51):
        assert hashes(info, Span(whole[first][0])) == whole[first:]
    sent.clear()
    assert hashes(info, Span(whole[20][0])) == whole[20:]
    assert len(sent) > FRAMES  # once more, from the beginning


def test_a_clock_that_begins_anew_is_known_from_a_read_of_the_whole(tmp_path: Path) -> None:
    """After that every time stands twice in the file."""
    info = probe(hostile.with_times(tmp_path / "x.mkv", 240, {n: 40 * (n - 110) for n in range(115, 240)}))
    reading = read_frames(info)
    times = [frame.pts for frame in reading]
    assert times == [40 * n for n in range(240)] and reading.report.repaired_pts
    whole = hashes(info, Span())
    assert hashes(info, Span(times[120], times[125], times_repaired=True)) == whole[120:125]
    assert hashes(info, Span(times[120], times[125])) != whole[120:125]  # what comes before is not in the file there


@pytest.mark.parametrize("builder", [hostile.corrupt_middle, hostile.scratched, hostile.truncated])
def test_damage_is_told_of_the_span_that_it_is_in(builder: Callable[[Path], Path], tmp_path: Path) -> None:
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
        about = pytest.approx(getattr(reading.report, count), abs=count == "missing")  # an estimate
        assert sum(getattr(report, count) for report in reports) == about, count


def test_a_part_without_frames_is_empty_and_one_that_ends_before_it_starts_is_refused(tmp_path: Path) -> None:
    info = probe(write(tmp_path / "x.mp4", frames=30))
    assert hashes(info, Span(513, 1024)) == hashes(info, Span(10**6)) == hashes(info, Span(None, -5)) == []
    with pytest.raises(UsageError, match="cannot stop"):
        Span(5, 4)


def test_a_path_will_do_as_well(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mp4", frames=30, options={"g": "6"})
    assert [frame.pts for frame in read_frames(path, Span(512 * 14, 512 * 16))] == [512 * 14, 512 * 15]
