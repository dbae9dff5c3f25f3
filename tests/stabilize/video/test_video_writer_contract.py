"""Frames, times and sample values are kept for every pixel layout, codec and container."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from stabilize.settings import Codec, EncodeConfig
from stabilize.video.buffers import plane_views
from stabilize.video.codecs import ENCODERS
from stabilize.video.containers import CONTAINERS
from stabilize.video.frame import Frame
from stabilize.video.layouts import LAYOUTS
from stabilize.video.probe import MediaInfo, probe
from stabilize.video.reader import read_frames
from stabilize.video.writer import VideoWriter
from tests.stabilize.video import clipmaker
from tests.stabilize.video.clipmaker import number_of, write

FAST = {"hevc": "ultrafast", "av1": "10", "vp9": "8", "h264": "veryfast"}
SUFFIX_OF = {"prores": ".mov"}
FRAMES = 5
# Mean error of a plane, full scale = 1: from 12 bits truncated to 8, and codecs at their default quality.
TOLERANCE = 0.006


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> MediaInfo:
    return probe(write(tmp_path_factory.mktemp("plain") / "plain.mp4", frames=FRAMES))


def with_layout(info: MediaInfo, name: str) -> MediaInfo:
    """Return `info` as if the decoder returned frames in this layout (P010 comes only from hardware)."""
    full = 2 if "yuvj" in name else 1
    colour = replace(info.video.colour, range=full)
    return replace(info, video=replace(info.video, pix_fmt=name, layout=LAYOUTS[name], colour=colour))


def frames(name: str) -> list[Frame]:
    """Return frames, alternately with and without a buffer that the encoder can use without a copy."""
    result = []
    for number in range(FRAMES):
        buffer = clipmaker.picture(number, name)
        views = plane_views(buffer, LAYOUTS[name])
        result.append(Frame(512 * number, LAYOUTS[name], views, 512, buffer if number % 2 else None))
    return result


def components(frame: Frame, full_range: bool) -> list[np.ndarray]:
    """Return Y, Cb and Cr of a frame, with black at 0 and white at 1 in its range; only Y for gray."""
    layout, result = frame.layout, []
    scale = 1 << (layout.bits - 8)
    for plane in frame.planes:
        values = (plane >> layout.lsb_shift) / scale
        result += [values] if values.ndim == 2 else [values[..., 0], values[..., 1]]
    if layout.name == "nv21":
        result[1], result[2] = result[2], result[1]
    luma = result[0] / 255 if full_range else (result[0] - 16) / 219
    return [luma, *((values - 128) / (255 if full_range else 224) for values in result[1:])]


def check_round_trip(info: MediaInfo, name: str, target: Path, config: EncodeConfig) -> None:
    full = "yuvj" in name
    frames_in = frames(name)
    with VideoWriter(with_layout(info, name), target, config) as writer:
        for frame in frames_in:
            writer.write(frame)
    frames_out, written = list(read_frames(target)), probe(target).video
    assert len(frames_out) == FRAMES
    seconds = [float((frame.pts - frames_out[0].pts) * written.time_base) for frame in frames_out]
    assert_allclose(seconds, 0.04 * np.arange(FRAMES), atol=5.1e-4)
    assert full <= (written.colour.range == 2) or writer.plan.encoding.encoder.codec == "prores"
    keeps_depth = written.layout.bits >= LAYOUTS[name].bits
    assert keeps_depth or any(f"{name} frames are written as" in warning for warning in writer.warnings)
    for ours, theirs in zip(frames_in, frames_out, strict=True):
        before, after = components(ours, full), components(theirs, written.colour.range == 2)
        assert number_of(after[0]) == number_of(before[0])
        for a, b in zip(before, after, strict=False):
            if a.shape == b.shape:
                assert_allclose(a.mean(), b.mean(), atol=0.004)
                assert np.abs(a - b).mean() < TOLERANCE


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("codec", ENCODERS)
def test_every_layout_through_every_codec(tmp_path: Path, plain: MediaInfo, codec: Codec, name: str) -> None:
    config = EncodeConfig(codec=codec, preset=FAST.get(codec))
    check_round_trip(plain, name, tmp_path / f"x{SUFFIX_OF.get(codec, '.mkv')}", config)


@pytest.mark.parametrize("name", ["yuv420p", "yuvj420p", "nv12", "yuv422p10le", "p010le", "gray"])
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_every_layout_in_every_container(tmp_path: Path, plain: MediaInfo, suffix: str, name: str) -> None:
    check_round_trip(plain, name, tmp_path / f"x{suffix}", EncodeConfig())


@pytest.mark.parametrize(
    "suffix, codec", [(suffix, codec) for suffix, c in CONTAINERS.items() for codec in sorted(c.video)]
)
def test_every_codec_in_every_container(tmp_path: Path, plain: MediaInfo, suffix: str, codec: Codec) -> None:
    check_round_trip(plain, "yuv420p", tmp_path / f"x{suffix}", EncodeConfig(codec=codec, preset=FAST.get(codec)))


@pytest.mark.parametrize("name", [n for n in LAYOUTS if n.startswith(("yuv4", "yuva", "gray"))])
def test_ffv1_is_lossless(tmp_path: Path, plain: MediaInfo, name: str) -> None:
    with VideoWriter(with_layout(plain, name), tmp_path / "x.mkv", EncodeConfig(codec="ffv1")) as writer:
        for frame in frames(name):
            writer.write(frame)
    for ours, theirs in zip(frames(name), read_frames(tmp_path / "x.mkv"), strict=True):
        assert theirs.layout.name == name
        for a, b in zip(ours.planes, theirs.planes, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [(161, 91), (16, 16), (17, 33)])
@pytest.mark.parametrize("codec", ENCODERS)
def test_odd_and_tiny_sizes(tmp_path: Path, codec: Codec, size: tuple[int, int]) -> None:
    source = write(tmp_path / "s.mkv", frames=3, size=size, codec="ffv1", time_base=Fraction(1, 1000))
    target = tmp_path / f"x{SUFFIX_OF.get(codec, '.mkv')}"
    with VideoWriter(source, target, EncodeConfig(codec=codec, preset=FAST.get(codec))) as writer:
        for frame in read_frames(source):
            writer.write(frame)
    frames_out = list(read_frames(target))
    expected_size = (size[0] // 2 * 2, size[1] // 2 * 2) if codec in ("h264", "hevc") else size
    assert [frame.size for frame in frames_out] == [expected_size] * 3
    assert (expected_size == size) or any("even sizes" in warning for warning in writer.warnings)
    assert [number_of(frame.planes[0]) for frame in frames_out] == [number_of(f.planes[0]) for f in read_frames(source)]
