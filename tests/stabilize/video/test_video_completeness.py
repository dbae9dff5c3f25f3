"""Missing frames are counted by evidence; intact files with unusual times have none."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stabilize.video.completeness import count_in_gaps, count_undecoded
from stabilize.video.reader import ReadReport, read_luma
from tests.stabilize.video.clipmaker import demuxed, write

DATA = Path(__file__).parents[4] / "shared" / "data"
FRAMES = 150
HOLES = 40
# (suffix, codec, options): a hole shows in the decoder, in the packets, or only in the bytes between them
DAMAGED = [
    (".mkv", "libx264", {"bf": "2", "g": "30", "crf": "2"}),
    (".mkv", "libx265", {"g": "30", "x265-params": "log-level=none", "crf": "2"}),
    (".mkv", "mjpeg", {"qmin": "2", "qmax": "2"}),
    (
        ".mkv",
        "libvpx",
        {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "30", "b": "8M", "deadline": "realtime", "cpu-used": "8"},
    ),
    (".webm", "libvpx-vp9", {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "30", "b": "8M", "cpu-used": "8"}),
    (".ts", "libx264", {"bf": "2", "g": "30", "crf": "2"}),
    (".ts", "mpeg2video", {"bf": "2", "g": "15", "qmin": "2", "qmax": "2"}),
    (".flv", "libx264", {"bf": "0", "g": "30", "crf": "2"}),
]
# Packets without a frame, an edit list, variable rates. The other clips take longer.
UNUSUAL = ("flamingos.avi", "selfie.mp4", "static_box.mp4", "plaza.m4v", "courtyard.m4v", "brickpath.mp4")
CLIPS = [
    pytest.param(path, marks=() if path.name in UNUSUAL else pytest.mark.slow)
    for path in sorted((DATA / "clips").glob("*"))
]


def read_report(path: Path) -> ReadReport:
    reading = read_luma(path, (48, 32))
    for _ in reading:
        pass
    return reading.report


def write_clip(folder: Path, suffix: str, codec: str, options: dict[str, str]) -> Path:
    base, pix_fmt = time_base_of(suffix, codec), "yuvj420p" if codec == "mjpeg" else "yuv420p"
    # One thread, for the same bytes on every machine.
    options = {"threads": "1"} | options
    return write(folder / f"clip{suffix}", frames=FRAMES, codec=codec, options=options, time_base=base, pix_fmt=pix_fmt)


def time_base_of(suffix: str, codec: str) -> Fraction:
    if codec == "mpeg2video":  # supports no other
        return Fraction(1, 25)
    return Fraction(1, 90000) if suffix == ".ts" else Fraction(1, 1000)


@pytest.mark.parametrize("suffix, codec, options", DAMAGED)
@pytest.mark.parametrize("zeroed", [False, True])
def test_frames_in_a_hole_are_counted(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, str], zeroed: bool
) -> None:
    """One hole in 8 leaves no evidence (packet counters are modulo 16 at most), and is not counted at all."""
    path = write_clip(tmp_path, suffix, codec, options)
    whole = path.read_bytes()
    assert read_report(path).warnings == ()
    undetected = 0
    for hole in range(HOLES):
        start = round((0.42 + 0.0015 * hole) * len(whole))
        end = start + round((0.12 + 0.0015 * (7 * hole % HOLES)) * len(whole))
        path.write_bytes(whole[:start] + bytes(end - start if zeroed else 0) + whole[end:])
        report = read_report(path)
        missing, counted = FRAMES - report.frames, report.lost + report.gaps + report.missing
        assert missing > 5
        assert counted == pytest.approx(missing, abs=max(2, 0.1 * missing)) or counted == 0
        undetected += counted == 0
    assert undetected <= HOLES / 8


@pytest.mark.parametrize("suffix, codec, options", DAMAGED)
def test_no_frames_are_missing_with_a_variable_rate(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, str]
) -> None:
    """Pauses of up to 50 frames."""
    random = np.random.default_rng(0)
    steps = np.where(random.random(FRAMES) < 0.1, random.integers(2, 50, FRAMES), 1)
    base = time_base_of(suffix, codec)
    times = [round(t / 25 / base) for t in np.cumsum(steps).tolist()]
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write(
        tmp_path / f"vfr{suffix}",
        frames=FRAMES,
        codec=codec,
        options=options,
        time_base=base,
        pts=times,
        pix_fmt=pix_fmt,
    )
    report = read_report(path)
    assert (report.frames, report.lost, report.gaps, report.missing, report.hidden) == (FRAMES, 0, 0, 0, 0)


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.name)
def test_no_frames_are_missing_in_real_clips(path: Path) -> None:
    report = read_report(path)
    assert (report.lost, report.gaps, report.missing, report.hidden) == (0, 0, 0, 0)


@pytest.mark.skipif(not (DATA / "hostile").is_dir(), reason="../shared/data/hostile is not there")
@pytest.mark.parametrize(
    "name, missing",
    [("holed.mkv", 31), ("holez.mkv", 31), ("v2_211_box.mp4", 18), ("v2_90_hflip.mp4", 2), ("v2_301_flip.mp4", 2)],
)
def test_missing_frames_of_hostile_files_are_reported(name: str, missing: int) -> None:
    report = read_report(DATA / "hostile" / name)
    assert report.lost + report.gaps + report.hidden + report.missing == missing
    assert any(str(missing) in warning for warning in report.warnings)


def test_frame_count_in_a_matroska_tag_is_used(tmp_path: Path) -> None:
    """mkvmerge writes it. The hole leaves no other trace, since all packets are intact and were remuxed."""
    source = write(tmp_path / "in.mkv", time_base=Fraction(1, 1000), options={"g": "1", "bf": "0"})
    target = tmp_path / "out.mkv"
    with av.open(str(source)) as original, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(original.streams.video[0])
        stream.metadata["NUMBER_OF_FRAMES"] = "12"
        for number, packet in enumerate(p for p in original.demux(video=0) if p.size):
            if number not in (5, 6):
                packet.stream = stream
                out.mux(packet)
    assert len(demuxed(target)) == 10
    assert read_report(target).missing == 2


@pytest.mark.parametrize(
    "tag", ["00:00:00.6.6000000", "99999999999999999999:1:1", "\u0661:\u0662:\u0663", "1:2:", "-1:00:00", "1e9:1:1"]
)
def test_malformed_tags_are_ignored(tmp_path: Path, tag: str) -> None:
    def setup(_: object, stream: av.VideoStream) -> None:
        stream.metadata["NUMBER_OF_FRAMES"] = tag
        stream.metadata["XURATION"] = tag  # the muxer would overwrite DURATION

    path = write(tmp_path / "x.mkv", time_base=Fraction(1, 1000), setup=setup)
    path.write_bytes(path.read_bytes().replace(b"DURATION", b"IGNORED_").replace(b"XURATION", b"DURATION"))
    with av.open(str(path)) as container:
        assert container.streams.video[0].metadata["DURATION"] == tag
    assert read_report(path).warnings == ()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_frames_hidden_by_a_cut_between_key_frames_are_not_missing(tmp_path: Path) -> None:
    """An edit list hides the frames between the key frame and the cut, which was intended."""
    source = write(tmp_path / "in.mp4", frames=150, options={"g": "50", "bf": "0"})
    command = ["ffmpeg", "-v", "error", "-ss", "2.2", "-i", str(source), "-c", "copy", str(tmp_path / "cut.mp4")]
    subprocess.run(command, check=True)
    with av.open(str(tmp_path / "cut.mp4")) as container:
        assert sum(packet.is_discard for packet in container.demux(video=0)) == 5
    assert read_report(tmp_path / "cut.mp4").warnings == ()


def test_gaps_count_only_next_to_damage() -> None:
    packets = np.array([*range(0, 400, 40), *range(1000, 1400, 40)])
    assert count_in_gaps(packets, np.array([], np.int64)) == 0
    assert count_in_gaps(packets, np.array([360])) == 15
    assert count_in_gaps(packets, np.array([1000 + 2 * 40])) == 15  # decoding order differs from display order
    assert count_in_gaps(packets, np.array([0])) == 0


def test_two_fields_make_one_frame() -> None:
    frames = np.arange(0, 100, 4)
    fields = frames + 2
    assert count_undecoded(fields, frames, interlaced=True) == 0
    assert count_undecoded(fields, frames, interlaced=False) == len(fields)
    decoded = np.delete(frames, [5, 6])
    assert count_undecoded(np.setdiff1d(np.union1d(frames, fields), decoded), decoded, interlaced=True) == 2
