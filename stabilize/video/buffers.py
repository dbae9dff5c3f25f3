"""Between numpy and PyAV: the planes of an av.VideoFrame as arrays, and pixel format conversion."""

from __future__ import annotations

from typing import Any

import av
import numpy as np

from stabilize.video.frame import Frame, PixelLayout, Plane
from stabilize.video.layouts import LAYOUTS, native_layout

BT709 = 1  # AVColorSpace


def frame_layout(frame: Any) -> PixelLayout:
    """Return the layout in which an av.VideoFrame is processed: its own if supported, else the nearest."""
    components = frame.format.components
    bits, alpha = max((c.bits for c in components), default=8), any(c.is_alpha for c in components)
    return native_layout(frame.format.name, bits, alpha)


def plane_views(frame: Any, layout: PixelLayout) -> tuple[Plane, ...]:
    """Return the planes of an av.VideoFrame as writable views. They keep its memory alive; rows may be padded."""
    shapes = (layout.plane_shape(i, frame.width, frame.height) for i in range(len(layout.planes)))
    return tuple(_plane_view(plane, layout, shape) for plane, shape in zip(frame.planes, shapes, strict=True))


def _plane_view(plane: Any, layout: PixelLayout, shape: tuple[int, ...]) -> Plane:
    rows = np.frombuffer(plane, layout.dtype).reshape(shape[0], -1)
    if plane.line_size < 0:
        rows = rows[::-1]
    return rows[:, : int(np.prod(shape[1:]))].reshape(shape)


def new_frame(layout: PixelLayout, width: int, height: int, pts: int, duration: int = 0) -> Frame:
    """Return an empty frame with writable planes. The encoder reads the same memory, so nothing is copied."""
    buffer = av.VideoFrame(width, height, layout.name)
    return Frame(pts, layout, plane_views(buffer, layout), duration, buffer)


def convert_decoded(frame: Any, width: int, height: int, layout: PixelLayout) -> Any:
    """Convert a decoded av.VideoFrame to a size and layout. RGB becomes BT.709 YUV of limited range."""
    from_rgb = frame.format.is_rgb
    target = {"dst_colorspace": "ITU709", "dst_color_range": "MPEG"} if from_rgb else {}
    converted = frame.reformat(width, height, layout.name, interpolation="BICUBIC", threads=1, **target)
    if from_rgb:
        converted.colorspace = BT709
    return converted


def crop_frame(frame: Frame, size: tuple[int, int]) -> Frame:
    """Return the top left part of a frame, `size` is (width, height)."""
    if frame.size == size:
        return frame
    shapes = (frame.layout.plane_shape(i, *size) for i in range(len(frame.planes)))
    planes = tuple(plane[: rows[0], : rows[1]] for plane, rows in zip(frame.planes, shapes, strict=True))
    return Frame(frame.pts, frame.layout, planes, frame.duration)


def convert_for_encoder(frame: Frame, pix_fmt: str, full_range: bool, target_full_range: bool) -> Any:
    """Return the frame as an av.VideoFrame in `pix_fmt`, without a copy if its own buffer can be used."""
    layout = LAYOUTS[pix_fmt]
    same_range = full_range == target_full_range
    if frame.layout == layout and same_range:
        return _reusable_buffer(frame) or _new_buffer(frame.planes, layout, frame.size)
    if len(frame.planes) == 1:
        return _with_neutral_chroma(frame, layout, full_range, target_full_range)
    if frame.layout.name.replace("yuvj", "yuv") == pix_fmt and same_range:
        return _new_buffer(frame.planes, layout, frame.size)
    ranges = ["JPEG" if full else "MPEG" for full in (full_range, target_full_range)]
    source = _reusable_buffer(frame) or _new_buffer(frame.planes, frame.layout, frame.size)
    return source.reformat(
        format=pix_fmt, interpolation="BICUBIC", threads=1, src_color_range=ranges[0], dst_color_range=ranges[1]
    )


def _with_neutral_chroma(frame: Frame, layout: PixelLayout, full_range: bool, target_full_range: bool) -> Any:
    """Add neutral chroma to a gray frame. Done here because swscale always treats gray as full range."""
    bits = frame.layout.bits
    luma = frame.planes[0]
    if full_range != target_full_range:
        (black, white), (to_black, to_white) = (
            _black_and_white(bits, full_range),
            _black_and_white(bits, target_full_range),
        )
        scaled = (luma.astype(np.float32) - black) * ((to_white - to_black) / (white - black)) + to_black
        luma = np.clip(np.rint(scaled), 0, (1 << bits) - 1).astype(luma.dtype)
    shift = layout.bits - bits
    luma = luma.astype(layout.dtype) << shift if shift >= 0 else luma >> -shift
    neutral = np.array(1 << (layout.bits - 1), layout.dtype)
    return _new_buffer([luma, *(neutral for _ in layout.planes[1:])], layout, frame.size)


def _black_and_white(bits: int, full_range: bool) -> tuple[int, int]:
    return (0, (1 << bits) - 1) if full_range else (16 << bits - 8, 235 << bits - 8)


def _reusable_buffer(frame: Frame) -> Any:
    """Return the av.VideoFrame behind a frame if the frame's planes are views of it, else None."""
    buffer = frame.buffer
    if buffer is None or buffer.format.name != frame.layout.name or (buffer.width, buffer.height) != frame.size:
        return None
    pairs = zip(frame.planes, plane_views(buffer, frame.layout), strict=True)
    return buffer if all(a.ctypes.data == b.ctypes.data for a, b in pairs) else None


def _new_buffer(planes: Any, layout: PixelLayout, size: tuple[int, int]) -> Any:
    copy = new_frame(layout, *size, 0)
    for target, plane in zip(copy.planes, planes, strict=True):
        np.copyto(target, plane, casting="unsafe")
    return copy.buffer
