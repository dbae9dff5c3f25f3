"""Frame times, their order and durations are the same in the output."""

from __future__ import annotations

import itertools
from fractions import Fraction
from operator import sub
from pathlib import Path
from typing import Any

import av
import pytest

from stabilize.video.probe import probe
from tests.stabilize.video import hostile
from tests.stabilize.video.clipmaker import decoded, demuxed, write
from tests.stabilize.video.transcoding import exact_times, transcode


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".nut"])
@pytest.mark.parametrize("builder", [hostile.variable_rate, hostile.one_frame, hostile.late_start])
def test_frame_times_are_kept(tmp_path: Path, suffix: str, builder: Any) -> None:
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
def test_variable_frame_times_are_kept_by_every_encoder(tmp_path: Path, codec: str) -> None:
    source = write(tmp_path / "in.mov", frames=40, pts=[200 * i * i + 512 * i for i in range(40)])
    target = tmp_path / {"ffv1": "out.mkv", "prores": "out.mov"}.get(codec, "out.mp4")
    transcode(source, target, codec=codec)
    before, after = exact_times(source), exact_times(target)
    assert before == after if codec != "ffv1" else max(map(abs, map(sub, before, after))) < Fraction(1, 1000)
    assert [number for _, number in decoded(target)] == list(range(40))


@pytest.mark.parametrize("base", [Fraction(1, 600), Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 10**6)])
def test_unusual_time_bases_are_kept(tmp_path: Path, base: Fraction) -> None:
    source = write(tmp_path / "in.mov", rate=Fraction(30000, 1001), time_base=base)
    transcode(source, tmp_path / "out.mov")
    assert exact_times(source) == exact_times(tmp_path / "out.mov")
    assert probe(source).video.time_base == probe(tmp_path / "out.mov").video.time_base


def test_avi_and_mpegts_keep_frame_times(tmp_path: Path) -> None:
    avi = write(
        tmp_path / "in.avi", codec="ffv1", time_base=Fraction(1, 25), pts=[0, 1, 2, 5, 6, 7, 10, 11, 12, 13, 14, 15]
    )
    transcode(avi, tmp_path / "out.avi", codec="h264")
    assert [dts for _, dts, _ in demuxed(tmp_path / "out.avi")] == [0, 1, 2, 5, 6, 7, 10, 11, 12, 13, 14, 15]
    stream = write(tmp_path / "in.ts", time_base=Fraction(1, 90000), pts=[900000 + 3600 * i for i in range(12)])
    transcode(stream, tmp_path / "out.ts")
    assert exact_times(stream) == exact_times(tmp_path / "out.ts")


def test_duration_of_the_last_frame_is_kept(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", rate=Fraction(5), options={"bf": "2"})
    transcode(source, tmp_path / "out.mp4")
    with av.open(str(source)) as a, av.open(str(tmp_path / "out.mp4")) as b:
        assert a.streams.video[0].duration == b.streams.video[0].duration
        assert a.duration == b.duration


def test_audio_that_starts_before_zero_stays_in_sync(tmp_path: Path) -> None:
    """AAC priming lies before zero. Matroska has no negative times, and must not delay the video instead."""
    source = write(tmp_path / "in.mp4", audio=[{}], time_base=Fraction(1, 1000))
    assert demuxed(source, "audio")[0][0] < 0
    transcode(source, tmp_path / "out.mkv")
    assert exact_times(source) == exact_times(tmp_path / "out.mkv")
    with av.open(str(source)) as a, av.open(str(tmp_path / "out.mkv")) as b:
        first = next(bytes(p) for p in a.demux(audio=0) if p.size and p.pts is not None and p.pts >= 0)
        assert next((p.pts, bytes(p)) for p in b.demux(audio=0)) == (0, first)


def test_packets_are_interleaved_within_one_second(tmp_path: Path) -> None:
    """Consecutive packets in the file are at most one second apart, so that players need not seek."""
    source = write(tmp_path / "in.mp4", frames=250, audio=[{}])
    transcode(source, tmp_path / "out.mkv", preset="ultrafast")
    with av.open(str(tmp_path / "out.mkv")) as container:
        times = []
        for p in container.demux():
            if p.size:
                assert p.pts is not None and p.time_base is not None
                times.append(float(p.pts * p.time_base))
    assert max(abs(a - b) for a, b in itertools.pairwise(times)) < 1


def test_order_of_frames_is_kept_with_b_frames(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mp4", frames=40, options={"bf": "3"})
    transcode(source, tmp_path / "out.mp4", preset="slow")
    assert decoded(tmp_path / "out.mp4") == decoded(source)
