"""Every pixel layout through every codec and container: the same frames, times and sample values come out."""

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
HOME = {"prores": ".mov"}
FRAMES = 5
# Mean error of a plane, full scale = 1: 12-bit pictures cut to 8 bits, and codecs at their default quality.
TOLERANCE = 0.006


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> MediaInfo:
    return probe(write(tmp_path_factory.mktemp("plain") / "plain.mp4", frames=FRAMES))


def as_if(info: MediaInfo, name: str) -> MediaInfo:
    """The same file, as if its decoder gave pictures in this layout (P010 comes only from hardware)."""
    full = 2 if "yuvj" in name else 1
    colour = replace(info.video.colour, range=full)
    return replace(info, video=replace(info.video, pix_fmt=name, layout=LAYOUTS[name], colour=colour))


def frames(name: str) -> list[Frame]:
    """By turns with and without a buffer that the encoder could take as it is."""
    made = []
    for number in range(FRAMES):
        picture = clipmaker.picture(number, name)
        views = plane_views(picture, LAYOUTS[name])
        made.append(Frame(512 * number, LAYOUTS[name], views, 512, picture if number % 2 else None))
    return made


def components(frame: Frame, full_range: bool) -> list[np.ndarray]:
    """Y, Cb and Cr, 0 and 1 being black and white of the range; gray has no colour."""
    layout, result = frame.layout, []
    scale = 1 << (layout.bits - 8)
    for plane in frame.planes:
        values = (plane >> layout.lsb_shift) / scale
        result += [values] if values.ndim == 2 else [values[..., 0], values[..., 1]]
    if layout.name == "nv21":
        result[1], result[2] = result[2], result[1]
    luma = result[0] / 255 if full_range else (result[0] - 16) / 219
    return [luma, *((values - 128) / (255 if full_range else 224) for values in result[1:])]


def check(info: MediaInfo, name: str, target: Path, config: EncodeConfig) -> None:
    full = "yuvj" in name
    sent = frames(name)
    with VideoWriter(as_if(info, name), target, config) as writer:
        for frame in sent:
            writer.write(frame)
    got, written = list(read_frames(target)), probe(target).video
    assert len(got) == FRAMES
    seconds = [float((frame.pts - got[0].pts) * written.time_base) for frame in got]
    assert_allclose(seconds, 0.04 * np.arange(FRAMES), atol=5.1e-4)
    assert full <= (written.colour.range == 2) or writer.plan.encoding.encoder.codec == "prores"
    kept = written.layout.bits >= LAYOUTS[name].bits
    assert kept or any(f"{name} frames are written as" in warning for warning in writer.warnings)
    for ours, theirs in zip(sent, got, strict=True):
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
    check(plain, name, tmp_path / f"x{HOME.get(codec, '.mkv')}", config)


@pytest.mark.parametrize("name", ["yuv420p", "yuvj420p", "nv12", "yuv422p10le", "p010le", "gray"])
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_every_layout_in_every_container(tmp_path: Path, plain: MediaInfo, suffix: str, name: str) -> None:
    check(plain, name, tmp_path / f"x{suffix}", EncodeConfig())


@pytest.mark.parametrize(
    "suffix, codec", [(suffix, codec) for suffix, c in CONTAINERS.items() for codec in sorted(c.video)]
)
def test_every_codec_that_a_container_claims(tmp_path: Path, plain: MediaInfo, suffix: str, codec: Codec) -> None:
    check(plain, "yuv420p", tmp_path / f"x{suffix}", EncodeConfig(codec=codec, preset=FAST.get(codec)))


@pytest.mark.parametrize("name", [n for n in LAYOUTS if n.startswith(("yuv4", "yuva", "gray"))])
def test_ffv1_is_lossless(tmp_path: Path, plain: MediaInfo, name: str) -> None:
    with VideoWriter(as_if(plain, name), tmp_path / "x.mkv", EncodeConfig(codec="ffv1")) as writer:
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
    target = tmp_path / f"x{HOME.get(codec, '.mkv')}"
    with VideoWriter(source, target, EncodeConfig(codec=codec, preset=FAST.get(codec))) as writer:
        for frame in read_frames(source):
            writer.write(frame)
    got = list(read_frames(target))
    kept = (size[0] // 2 * 2, size[1] // 2 * 2) if codec in ("h264", "hevc") else size
    assert [frame.size for frame in got] == [kept] * 3
    assert (kept == size) or any("even sizes" in warning for warning in writer.warnings)
    assert [number_of(frame.planes[0]) for frame in got] == [number_of(f.planes[0]) for f in read_frames(source)]
