"""WarpField -> pixels on native planes, each chroma plane at its own siting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from stabilize.core import Float, Float32, WarpField, field_nodes
from stabilize.video.frame import Frame, PixelLayout, Plane
from stabilize.warp.sampling import SAMPLERS, Band

Interpolation = Literal["bilinear", "bicubic", "lanczos"]
# Where the first chroma sample lies between the luma samples that it belongs to, (x, y): 0 on the first, 1 midway.
SITING = {"left": (0, 1), "center": (1, 1), "topleft": (0, 0), "top": (1, 0), "bottomleft": (0, 2), "bottom": (1, 2)}
DEFAULT_SITING = "left"
BAND_SAMPLES = 1 << 17  # the map of so many is 1 MiB: it stays in a core's cache until it has been read


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
    for layout, plane, target in zip(source.layout.planes, source.planes, out.planes, strict=True):
        sample(plane, plane_map(field, out.size, (layout.width_shift, layout.height_shift), siting), target)
        _within_depth(target, source.layout)


def plane_map(field: WarpField, out_size: tuple[int, int], shifts: tuple[int, int], siting: str) -> Iterator[Band]:
    """Source coordinates for each sample of the output's plane, in samples of the source's, by bands of rows.

    Both are subsampled by 2**`shifts` (x, y). The arrays of a band are overwritten by the next.
    """
    rows, cols = field.source_px.shape[:2]
    place = SITING.get(siting, SITING[DEFAULT_SITING])
    across = _hat(cols, out_size[0], shifts[0], place[0])
    down = _hat(rows, out_size[1], shifts[1], place[1])
    x, y = (_in_samples(field.source_px[..., k], shifts[k], place[k]) @ across.T for k in (0, 1))
    count = min(max(1, BAND_SAMPLES // len(across)), len(down))
    buffer = np.empty((2, count, len(across)), np.float32)
    for start in range(0, len(down), count):
        weights = down[start : start + count]
        used = np.flatnonzero(weights.any(axis=0))
        nodes = slice(used[0], used[-1] + 1)
        x_band, y_band = buffer[:, : len(weights)]
        np.matmul(weights[:, nodes], x[nodes], out=x_band)
        np.matmul(weights[:, nodes], y[nodes], out=y_band)
        yield Band(slice(start, start + len(weights)), x_band, y_band)


def _in_samples(luma_px: Float32, shift: int, place: int) -> Float32:
    """Luma pixel coordinates as coordinates in a plane's samples."""
    return np.asarray((luma_px - np.float32(_offset(shift, place))) / np.float32(1 << shift))


@lru_cache(maxsize=16)
def _hat(nodes: int, length: int, shift: int, place: int) -> Float32:
    """Bilinear weights (samples, nodes) of a field's nodes along one side of a plane."""
    samples = -(-length >> shift)
    luma_px = np.arange(samples) * (1 << shift) + _offset(shift, place)
    at = (luma_px - field_nodes(nodes, length)[0]) / length * (nodes - 1)
    left = np.clip(at.astype(np.intp), 0, nodes - 2)
    weights: Float = np.zeros((samples, nodes))
    weights[np.arange(samples), left] = 1 - (at - left)
    weights[np.arange(samples), left + 1] = at - left
    return weights.astype(np.float32)


def _offset(shift: int, place: int) -> float:
    """Luma position of a plane's first sample along one axis."""
    return place * ((1 << shift) - 1) / 2


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
