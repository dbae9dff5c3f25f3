"""WarpField -> pixels on native planes, each chroma plane at its own siting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from stabilize.core import RINGS, Float, Float32, WarpField
from stabilize.video.frame import Frame, PixelLayout, Plane
from stabilize.warp.sampling import SAMPLERS

Interpolation = Literal["bilinear", "bicubic", "lanczos"]
# Where the first chroma sample lies between the luma samples that it belongs to, (x, y): 0 on the first, 1 midway.
SITING = {"left": (0, 1), "center": (1, 1), "topleft": (0, 0), "top": (1, 0), "bottomleft": (0, 2), "bottom": (1, 2)}
DEFAULT_SITING = "left"


@dataclass(frozen=True, slots=True)
class WarpConfig:
    """How pixels between pixels are read."""

    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        if self.interpolation not in SAMPLERS:
            raise ValueError(f"interpolation must be one of {', '.join(SAMPLERS)}, not {self.interpolation!r}")


def warp(source: Frame, field: WarpField, out: Frame, siting: str, config: WarpConfig) -> None:
    """Fill the planes of `out` from `source`; `siting` is FFmpeg's name of the chroma location, by default left."""
    sample = SAMPLERS[config.interpolation]
    known: dict[tuple[int, int], Float32] = {}
    for layout, plane, target in zip(source.layout.planes, source.planes, out.planes, strict=True):
        shifts = (layout.width_shift, layout.height_shift)
        if shifts not in known:
            known[shifts] = plane_map(field, out.size, shifts, siting)
        sample(plane, known[shifts], target)
        _within_depth(target, source.layout)


def plane_map(field: WarpField, out_size: tuple[int, int], shifts: tuple[int, int], siting: str) -> Float32:
    """Source coordinates (h, w, 2) float32 for each sample of the output's plane, in samples of the source's.

    Both are subsampled by 2**`shifts`.
    """
    rows, cols = field.source_px.shape[:2]
    offset, factor = _offset(shifts, siting), np.array([1 << shifts[0], 1 << shifts[1]])
    cells = np.array([out_size[0] / (cols - 2 * RINGS), out_size[1] / (rows - 2 * RINGS)])
    middle = (factor - 1) / 2  # where the enlarged grid has its samples
    nodes = _shifted(field.source_px, (offset - middle) / cells)
    nodes = ((nodes - offset) / factor).astype(np.float32)
    scale = cells / factor
    # An image resize reads at exact coordinates; remap and warpAffine round theirs to 1/32 of a node for two channels.
    full = cv2.resize(nodes, None, fx=scale[0], fy=scale[1], interpolation=cv2.INTER_LINEAR)
    left, top = (2 * round(c) // f for c, f in zip(cells.tolist(), factor.tolist(), strict=True))
    width, height = (-(-s >> k) for s, k in zip(out_size, shifts, strict=True))
    return np.asarray(full[top : top + height, left : left + width])


def _shifted(nodes: Float32, by: Float) -> Float32:
    """Values of the map at nodes moved by less than a node (x, y), linear in between and beyond the last ones."""
    for axis, share in ((1, float(by[0])), (0, float(by[1]))):
        if share:
            slope = np.diff(nodes, axis=axis)
            ends = (slope.take([0], axis), slope) if share < 0 else (slope, slope.take([-1], axis))
            nodes = nodes + np.float32(share) * np.concatenate(ends, axis=axis)
    return nodes


def _offset(shifts: tuple[int, int], siting: str) -> Float:
    """Luma position of the first chroma sample (x, y)."""
    place = SITING.get(siting, SITING[DEFAULT_SITING])
    return np.array([place[k] * ((1 << shifts[k]) - 1) / 2 for k in (0, 1)])


def _within_depth(plane: Plane, layout: PixelLayout) -> None:
    """Cubic kernels overshoot: keep samples of 10 and 12 bits within their range, and P010's low bits empty."""
    if layout.bits <= 8 or layout.bits == 16:
        return
    if layout.lsb_shift:
        half, mask = 1 << layout.lsb_shift >> 1, ~((1 << layout.lsb_shift) - 1) & 0xFFFF
        np.minimum(plane, 0xFFFF - half, out=plane)
        np.add(plane, half, out=plane, casting="unsafe")
        np.bitwise_and(plane, mask, out=plane)
    else:
        np.minimum(plane, layout.max_value, out=plane)
