"""Small copies of the judged videos to embed (H.264 in MP4, bounded in length and size), and thumbnails."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.opencv import cv2
from metrics.video import Size, VideoInfo, read_rgb, working_size

MAX_EMBEDDED_S = 60.0  # per video
MAX_EMBEDDED_BYTES = 12_000_000  # per video
VIDEO_LONG_SIDE_PX = 480
THUMBNAIL_LONG_SIDE_PX = 240
CRF = "28"
MAX_RATE_KBIT = 1200
TIME_BASE = Fraction(1, 90000)


@dataclass(frozen=True)
class Embedded:
    """A small copy of a video."""

    mp4: bytes
    seconds: float
    """Length of the copy."""
    thumbs: tuple[bytes | None, ...]
    """A JPEG per requested time; None if there is no frame at that time."""


def embed(info: VideoInfo, times_s: tuple[float, ...] = ()) -> Embedded:
    """Re-encode the start of a video at low resolution, and take thumbnails at `times_s` (ascending, anywhere)."""
    size = _even(working_size(info.size, VIDEO_LONG_SIDE_PX))
    target = io.BytesIO()
    thumbs: list[bytes | None] = []
    with _writer(target) as container:
        stream = _stream(container, size)
        last, pts = 0.0, -1
        full = False
        for t_s, rgb in read_rgb(info.path, size):
            while len(thumbs) < len(times_s) and t_s >= times_s[len(thumbs)] - 1e-6:
                thumbs.append(_jpeg(rgb))
            full = full or t_s > MAX_EMBEDDED_S or target.tell() > MAX_EMBEDDED_BYTES
            if not full:
                pts = max(round(t_s / TIME_BASE), pts + 1)  # a damaged clock may be finer than this one
                container.mux(stream.encode(_frame(rgb, pts)))
                last = t_s
            elif len(thumbs) == len(times_s):
                break
        container.mux(stream.encode())
    thumbs += [None] * (len(times_s) - len(thumbs))
    return Embedded(target.getvalue(), last, tuple(thumbs))


def _even(size: Size) -> Size:
    return size[0] // 2 * 2, size[1] // 2 * 2


def _writer(target: io.BytesIO) -> Any:
    import av

    return av.open(target, "w", format="mp4")


def _stream(container: Any, size: Size) -> Any:
    stream = container.add_stream("libx264", rate=30)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = TIME_BASE
    # Two key frames per second, so that the page can seek.
    stream.options = {
        "crf": CRF,
        "preset": "veryfast",
        "g": "15",
        "bf": "0",
        "maxrate": f"{MAX_RATE_KBIT}k",
        "bufsize": f"{2 * MAX_RATE_KBIT}k",
    }
    return stream


def _frame(rgb: NDArray[np.uint8], pts: int) -> Any:
    import av

    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    frame.pts, frame.time_base = pts, TIME_BASE
    return frame


def _jpeg(rgb: NDArray[np.uint8]) -> bytes:
    size = working_size((rgb.shape[1], rgb.shape[0]), THUMBNAIL_LONG_SIDE_PX)
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert done
    return bytes(data)


def mime_data(kind: str, data: bytes) -> str:
    """Return a data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
