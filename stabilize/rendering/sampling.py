"""Sub-pixel sampling of one plane; each way is a plain function in `SAMPLERS`.

OpenCV 5's remap uses exact coordinates for LINEAR and CUBIC, but rounds those of LANCZOS4 to 1/32 px. The lanczos
sampler therefore doubles the plane with the Lanczos kernel, at whose fixed quarter-pixel phases nothing is rounded, and
reads the result with the exact cubic one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import cv2
import numpy as np

from stabilize.core import Float32
from stabilize.video.frame import Plane


class Band(NamedTuple):
    """Some rows of an output plane, and where each of their samples (rows, width) is read in the source plane."""

    rows: slice
    x: Float32
    y: Float32


Sampler = Callable[[Plane, Iterable[Band], Plane], None]


def _remap(source: Plane, x: Float32, y: Float32, out: Plane, interpolation: int) -> None:
    done = cv2.remap(source, x, y, interpolation, dst=out, borderMode=cv2.BORDER_REPLICATE)
    if done is not out and not np.shares_memory(done, out):  # OpenCV declined the buffer, as it may
        np.copyto(out, done.reshape(out.shape))


def bilinear(source: Plane, bands: Iterable[Band], out: Plane) -> None:
    """Fast and soft. OpenCV's is exact for one channel, but not for the two of NV12: those are read apart."""
    channels = [np.ascontiguousarray(c) for c in np.moveaxis(source, 2, 0)] if source.ndim == 3 else []
    for rows, x, y in bands:
        if channels:
            out[rows] = np.dstack([_read(channel, x, y) for channel in channels])
        else:
            _remap(source, x, y, out[rows], cv2.INTER_LINEAR)


def _read(source: Plane, x: Float32, y: Float32) -> Plane:
    return np.asarray(cv2.remap(source, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def bicubic(source: Plane, bands: Iterable[Band], out: Plane) -> None:
    """Keys' kernel with a = -0.75."""
    for rows, x, y in bands:
        _remap(source, x, y, out[rows], cv2.INTER_CUBIC)


def lanczos(source: Plane, bands: Iterable[Band], out: Plane) -> None:
    """Sharpest, and about four times as slow as bicubic."""
    double = cv2.resize(source, (source.shape[1] * 2, source.shape[0] * 2), interpolation=cv2.INTER_LANCZOS4)
    for rows, x, y in bands:
        _remap(double, x * 2 + np.float32(0.5), y * 2 + np.float32(0.5), out[rows], cv2.INTER_CUBIC)


SAMPLERS: dict[str, Sampler] = {"bilinear": bilinear, "bicubic": bicubic, "lanczos": lanczos}
