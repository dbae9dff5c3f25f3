"""Every native layout agrees with FFmpeg's description of the format, also at odd sizes."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.format import VideoFormat
from av.video.format import names as every_format  # type: ignore[attr-defined]
from numpy.testing import assert_array_equal

from stabilize.video.buffers import frame_layout, new_frame, plane_views
from stabilize.video.layouts import LAYOUTS, native_layout
from tests.stabilize.video import clipmaker


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_agrees_with_ffmpeg(name: str) -> None:
    layout, ffmpeg_format = LAYOUTS[name], VideoFormat(name, 33, 17)
    assert {c.bits for c in ffmpeg_format.components} == {layout.bits}
    assert len(layout.planes) == max(c.plane for c in ffmpeg_format.components) + 1
    for component in ffmpeg_format.components:
        assert layout.plane_shape(component.plane, 33, 17)[:2] == (component.height, component.width)
    channels = [sum(c.plane == i for c in ffmpeg_format.components) for i in range(len(layout.planes))]
    assert [plane.channels for plane in layout.planes] == channels
    alpha = [any(c.is_alpha for c in ffmpeg_format.components if c.plane == i) for i in range(len(layout.planes))]
    assert [plane.is_alpha for plane in layout.planes] == alpha and layout.has_alpha == alpha[-1]


@pytest.mark.parametrize("size", [(96, 64), (161, 91), (16, 16), (1, 1)])
@pytest.mark.parametrize("name", LAYOUTS)
def test_views_share_the_buffer(name: str, size: tuple[int, int]) -> None:
    layout = LAYOUTS[name]
    frame = new_frame(layout, *size, pts=7)
    for i, plane in enumerate(frame.planes):
        assert plane.shape == layout.plane_shape(i, *size)
        plane[...] = (i + 1) << layout.lsb_shift
    views = plane_views(frame.buffer, layout)
    for i, plane in enumerate(views):
        assert_array_equal(plane, (i + 1) << layout.lsb_shift)


def test_views_agree_with_arrays_of_pyav() -> None:
    for name in ("yuv420p", "yuv444p", "gray", "gray10le", "yuv422p10le", "nv12"):
        frame = clipmaker.picture(5, name, 96, 64)
        views = plane_views(frame, LAYOUTS[name])
        luma = frame.to_ndarray().reshape(-1)[: 96 * 64].reshape(64, 96)
        assert_array_equal(views[0], luma)


def test_views_keep_the_buffer_alive() -> None:
    planes = plane_views(clipmaker.picture(9), LAYOUTS["yuv420p"])
    others = [clipmaker.picture(i) for i in range(50)]  # would reuse freed memory
    assert clipmaker.number_of(planes[0]) == 9
    del others


def test_frames_with_negative_line_size_are_flipped() -> None:
    """FFmpeg's vertical flip only negates the line size."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=96, height=64, format=VideoFormat("yuv420p"), time_base=Fraction(1, 25))
    flip, sink = graph.add("vflip"), graph.add("buffersink")
    source.link_to(flip)
    flip.link_to(sink)
    graph.configure()
    upright = clipmaker.picture(3)
    upright.pts = 0
    graph.push(upright)
    flipped = graph.pull()
    assert isinstance(flipped, av.VideoFrame)
    assert flipped.planes[0].line_size < 0
    assert_array_equal(plane_views(flipped, LAYOUTS["yuv420p"])[1], plane_views(upright, LAYOUTS["yuv420p"])[1][::-1])


@pytest.mark.parametrize("name", sorted(every_format))
def test_every_format_of_ffmpeg_has_a_nearest_layout(name: str) -> None:
    ffmpeg_format = VideoFormat(name, 16, 16)
    bits = max((c.bits for c in ffmpeg_format.components), default=8)
    alpha = any(c.is_alpha for c in ffmpeg_format.components)
    layout = native_layout(name, bits, alpha)
    assert layout.bits >= min(bits, 12) or name.startswith("yuva420p")  # there is none with 12 bits
    assert layout.has_alpha == alpha
    if name in LAYOUTS:
        assert layout.name == name


@pytest.mark.parametrize(
    "name, nearest",
    [("yuva420p9le", "yuva420p10le"), ("yuva420p16le", "yuva420p10le"), ("ya8", "yuva444p"), ("bgra", "yuva444p"),
     ("rgba64le", "yuva444p12le"), ("yuv411p", "yuv422p"), ("gbrp10le", "yuv444p10le"), ("rgb24", "yuv444p"),
     ("gray16le", "gray12le"), ("uyvy422", "yuv422p"), ("yuv420p10be", "yuv420p10le"), ("p016le", "p012le")],
)  # fmt: skip
def test_nearest_layout_loses_least(name: str, nearest: str) -> None:
    assert frame_layout(av.VideoFrame(16, 16, name)).name == nearest


def test_p010_uses_the_upper_bits() -> None:
    luma = plane_views(clipmaker.picture(1, "p010le"), LAYOUTS["p010le"])[0]
    assert luma.dtype == np.uint16 and not np.any(luma & 63)
    assert luma.max() <= LAYOUTS["p010le"].max_value
