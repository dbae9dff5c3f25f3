"""Where the samples of a plane lie: in luma pixels, and between the nodes of a field."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stabilize.core import Float32, field_nodes

# Where the first chroma sample lies between the luma samples that it belongs to, (x, y): 0 on the first, 1 midway.
SITING = {"left": (0, 1), "center": (1, 1), "topleft": (0, 0), "top": (1, 0), "bottomleft": (0, 2), "bottom": (1, 2)}
DEFAULT_SITING = "left"
Index = NDArray[np.intp]


def siting_of(name: str) -> tuple[int, int]:
    """The place of FFmpeg's name of a chroma location; unknown ones are "left"."""
    return SITING.get(name, SITING[DEFAULT_SITING])


def first_sample(shift: int, place: int) -> float:
    """Luma position of a plane's first sample along one axis."""
    return place * ((1 << shift) - 1) / 2


@lru_cache(maxsize=16)
def between_nodes(nodes: int, length: int, shift: int, place: int) -> tuple[Index, Float32]:
    """For each sample along one side of a plane the node before it, and how far it is on the way to the next."""
    samples = -(-length >> shift)
    luma_px = np.arange(samples) * (1 << shift) + first_sample(shift, place)
    position = (luma_px - field_nodes(nodes, length)[0]) / length * (nodes - 1)
    before = np.clip(position.astype(np.intp), 0, nodes - 2)
    return before, (position - before).astype(np.float32)


def plane_nodes(field: Float32, shifts: tuple[int, int], place: tuple[int, int], axis: int) -> Float32:
    """One axis (0: x, 1: y) of a field's nodes (rows, cols, 2), in samples of a plane of the source."""
    offset = np.float32(first_sample(shifts[axis], place[axis]))
    return np.asarray((field[..., axis] - offset) / np.float32(1 << shifts[axis]))
