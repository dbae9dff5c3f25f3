"""Sub-pixel sampling of one plane; each way is a plain function in `SAMPLERS`.

OpenCV 5's remap uses exact coordinates for LINEAR and CUBIC, but rounds those of LANCZOS4 to 1/32 px. The lanczos
sampler therefore doubles the plane with the Lanczos kernel, at whose fixed quarter-pixel phases nothing is rounded, and
reads the result with the exact cubic one.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from stabilize.core import Float32
from stabilize.video.frame import Plane

Sampler = Callable[[Plane, Float32, Plane], None]


def _remap(source: Plane, at: Float32, out: Plane, interpolation: int) -> None:
    done = cv2.remap(  # type: ignore[call-overload]
        source, at, None, interpolation, dst=out, borderMode=cv2.BORDER_REPLICATE
    )
    if done is not out and not np.shares_memory(done, out):  # OpenCV declined the buffer, as it may
        np.copyto(out, done.reshape(out.shape))


def bilinear(source: Plane, at: Float32, out: Plane) -> None:
    """Fast and soft. OpenCV's is exact for one channel, but not for the two of NV12."""
    if source.ndim == 3:
        for channel in range(source.shape[2]):
            out[..., channel] = _read(np.ascontiguousarray(source[..., channel]), at)
    else:
        _remap(source, at, out, cv2.INTER_LINEAR)


def _read(source: Plane, at: Float32) -> Plane:
    done = cv2.remap(source, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(done)


def bicubic(source: Plane, at: Float32, out: Plane) -> None:
    """Keys' kernel with a = -0.75."""
    _remap(source, at, out, cv2.INTER_CUBIC)


def lanczos(source: Plane, at: Float32, out: Plane) -> None:
    """Sharpest, and about four times as slow as bicubic."""
    double = cv2.resize(source, (source.shape[1] * 2, source.shape[0] * 2), interpolation=cv2.INTER_LANCZOS4)
    _remap(double, at * 2 + np.float32(0.5), out, cv2.INTER_CUBIC)


SAMPLERS: dict[str, Sampler] = {"bilinear": bilinear, "bicubic": bicubic, "lanczos": lanczos}
