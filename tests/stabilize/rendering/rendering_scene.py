"""A still world that is a formula, a camera that moves over it, and a path that is not the solver's: what every output
frame should show is known at every pixel.

The path is a second client of `StablePath`: shifts alone, without poses, wobble or numpy arrays behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from stabilize.core import FrameGeometry, Timeline, WarpField, field_nodes
from stabilize.rendering.matching import SourceFrame
from stabilize.video.frame import Frame, PixelLayout
from stabilize.video.layouts import LAYOUTS

WIDTH, HEIGHT = 96, 64
TICKS = 10  # between two frames
BASE = Fraction(1, 300)
YUV = LAYOUTS["yuv420p"]


def world(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Brightness of the world, 0.2 to 0.8, at places in pixels."""
    return 0.5 + 0.15 * np.sin(x / 7) + 0.15 * np.cos(y / 6)


def picture(shift: tuple[float, float], pts: int = 0, layout: PixelLayout = YUV) -> Frame:
    """What a camera at a place sees; chroma lies as "left" says."""
    planes = []
    for index, plane in enumerate(layout.planes):
        rows, cols = layout.plane_shape(index, WIDTH, HEIGHT)[:2]
        across, down = 1 << plane.width_shift, 1 << plane.height_shift
        x, y = np.meshgrid(np.arange(cols) * across, np.arange(rows) * down + (down - 1) / 2)
        planes.append(np.rint(world(x + shift[0], y + shift[1]) * layout.max_value).astype(layout.dtype))
    return Frame(pts, layout, tuple(planes), TICKS)


@dataclass(frozen=True)
class ShiftPath:
    """A camera that has moved by `camera` (n, 2) pixels, and an output that moves by `wanted` (n, 2), linearly between
    the frames: output pixel p shows world point p + wanted.
    """

    camera: np.ndarray
    wanted: np.ndarray
    shots: tuple[slice, ...]

    @property
    def geometry(self) -> FrameGeometry:
        return FrameGeometry(WIDTH, HEIGHT)

    @property
    def timeline(self) -> Timeline:
        return Timeline(np.arange(len(self.camera), dtype=np.int64) * TICKS, BASE)

    def place(self, time_s: float) -> tuple[float, float]:
        x, y = (np.interp(time_s, self.timeline.time_s, self.wanted[:, k]) for k in (0, 1))
        return float(x), float(y)

    def field(self, source: int, time_s: float) -> WarpField:
        x, y = np.meshgrid(field_nodes(4, WIDTH), field_nodes(3, HEIGHT))
        offset = np.array(self.place(time_s)) - self.camera[source]
        return WarpField((np.stack([x, y], axis=-1) + offset).astype(np.float32))


def shaky(frames: int = 6, shots: tuple[slice, ...] = (), seed: int = 0) -> ShiftPath:
    rng = np.random.default_rng(seed)
    wanted = np.stack([np.arange(frames) * 0.8, np.arange(frames) * -0.5], axis=1)
    return ShiftPath(wanted + rng.uniform(-3, 3, (frames, 2)), wanted, shots or (slice(0, frames),))


def filmed(path: ShiftPath) -> list[SourceFrame]:
    """The frames that the camera of a path takes."""
    pictures = [picture(tuple(shift), i * TICKS) for i, shift in enumerate(path.camera.tolist())]
    return [SourceFrame(i, path.timeline.time_at(i), frame) for i, frame in enumerate(pictures)]
