"""The CPU backend: WarpField -> pixels on native planes, each chroma plane at its own siting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from stabilize.core import WarpField
from stabilize.rendering.sampling import SAMPLERS, Band
from stabilize.rendering.siting import Index, between_nodes, plane_nodes, siting_of
from stabilize.settings import RenderConfig
from stabilize.video.frame import Frame, PixelLayout, Plane

BAND_SAMPLES = 1 << 16  # the map of so many stays in a core's cache until it has been read, and BLAS starts no threads


class CpuWarp:
    """OpenCV's remap, band by band. See `backends.Warp`."""

    def __init__(self, config: RenderConfig, siting: str) -> None:
        self._sample = SAMPLERS[config.interpolation]
        self._siting = siting

    def __call__(self, source: Frame, field: WarpField, out: Frame) -> None:
        for layout, plane, target in zip(source.layout.planes, source.planes, out.planes, strict=True):
            bands = plane_map(field, out.size, (layout.width_shift, layout.height_shift), self._siting)
            self._sample(plane, bands, target)
            _within_depth(target, source.layout)


def plane_map(field: WarpField, out_size: tuple[int, int], shifts: tuple[int, int], siting: str) -> Iterator[Band]:
    """Source coordinates for each sample of the output's plane, in samples of the source's, by bands of rows.

    Both are subsampled by 2**`shifts` (x, y). The arrays of a band are overwritten by the next.
    """
    rows, cols = field.source_px.shape[:2]
    place = siting_of(siting)
    left, right_share = between_nodes(cols, out_size[0], shifts[0], place[0])
    top, below_share = between_nodes(rows, out_size[1], shifts[1], place[1])
    wide = []  # the nodes' rows over all columns, x and y
    for axis in (0, 1):
        nodes = plane_nodes(field.source_px, shifts, place, axis)
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
