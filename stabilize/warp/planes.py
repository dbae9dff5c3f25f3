"""WarpField -> pixels on native planes, each chroma plane at its own siting."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stabilize.core import Float32, WarpField, field_nodes
from stabilize.settings import RenderConfig
from stabilize.video.frame import Frame, PixelLayout, Plane
from stabilize.warp.sampling import SAMPLERS, Band

# Where the first chroma sample lies between the luma samples that it belongs to, (x, y): 0 on the first, 1 midway.
SITING = {"left": (0, 1), "center": (1, 1), "topleft": (0, 0), "top": (1, 0), "bottomleft": (0, 2), "bottom": (1, 2)}
DEFAULT_SITING = "left"
Index = NDArray[np.intp]
BAND_SAMPLES = 1 << 16  # the map of so many stays in a core's cache until it has been read, and BLAS starts no threads


def warp(source: Frame, field: WarpField, out: Frame, siting: str, config: RenderConfig) -> None:
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
    left, right_share = _between(cols, out_size[0], shifts[0], place[0])
    top, below_share = _between(rows, out_size[1], shifts[1], place[1])
    wide = []  # the nodes' rows over all columns, x and y
    for k in (0, 1):
        nodes = (field.source_px[..., k] - np.float32(_offset(shifts[k], place[k]))) / np.float32(1 << shifts[k])
        wide.append(nodes[:, left] + right_share * (nodes[:, left + 1] - nodes[:, left]))
    count = max(1, BAND_SAMPLES // len(left))
    buffer = np.empty((2, min(count, len(top)), len(left)), np.float32)
    for band in _bands(top, count):
        weights = np.stack([1 - below_share[band], below_share[band]], axis=1)
        around = slice(top[band.start], top[band.start] + 2)
        x, y = buffer[:, : len(weights)]
        np.matmul(weights, wide[0][around], out=x)
        np.matmul(weights, wide[1][around], out=y)
        yield Band(band, x, y)


def _bands(node: Index, most: int) -> Iterator[slice]:
    """Runs of at most so many rows with the same node above."""
    edges = [0, *(np.flatnonzero(np.diff(node)) + 1).tolist(), len(node)]
    for first, last in pairwise(edges):
        for start in range(first, last, most):
            yield slice(start, min(start + most, last))


@lru_cache(maxsize=16)
def _between(nodes: int, length: int, shift: int, place: int) -> tuple[Index, Float32]:
    """For each sample along one side of a plane the node before it, and how far it is on the way to the next."""
    samples = -(-length >> shift)
    luma_px = np.arange(samples) * (1 << shift) + _offset(shift, place)
    at = (luma_px - field_nodes(nodes, length)[0]) / length * (nodes - 1)
    before = np.clip(at.astype(np.intp), 0, nodes - 2)
    return before, (at - before).astype(np.float32)


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
