"""Points to follow: the best corner of every cell of a grid, so that support can be counted as area."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilize.core import Float32, UInt8
from stabilize.motion.faint import REDUCED, from_reduced, is_faint, is_nothing, reduced

CELL_PX = 20
MARGIN_PX = 6  # half a window of Lucas-Kanade: nearer to the border it is cut off
# Smallest eigenvalue of the structure tensor (gray levels^2 per pixel) that can be told from sensor noise of about 2
# levels.
MIN_EIGENVALUE = 2.5e-5
BLOCK_PX = 5
BARE_SHARE_MAX = 0.5  # of the cells with a corner, up to which a picture is bare
REDUCED_FROM_PX = 160  # short side from which on a quarter of it still holds a picture


@dataclass(frozen=True, slots=True)
class Corners:
    """Points of one picture that can be followed, one in each cell at the most."""

    points: Float32
    """(k, 2) pixels."""
    cell: NDArray[np.intp]
    """(k,) ascending index into the cells, row by row."""
    strength: Float32
    """(k,) smallest eigenvalue of the structure tensor there."""
    grid: tuple[int, int]
    """Rows and columns of cells."""
    faint: bool = False
    """The picture had to be reduced, so that a pixel is known a quarter as well."""

    @property
    def coarseness(self) -> int:
        """By how much errors in pixels are larger than in a clear picture."""
        return REDUCED if self.faint else 1

    @property
    def bare(self) -> bool:
        """Whether most of the picture has no texture: then its shades have to be looked at as well."""
        return not self.faint and len(self.cell) <= BARE_SHARE_MAX * self.grid[0] * self.grid[1]


def cell_grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of cells for an image; at least 4x4, so that tiny pictures keep a grid."""
    return max(4, height // CELL_PX), max(4, width // CELL_PX)


def corners(gray: UInt8) -> Corners:
    """The strongest corner of each cell (Shi & Tomasi 1994), where there is one."""
    grid = cell_grid(*gray.shape)
    at, best = _strongest(gray, grid)
    if min(gray.shape) >= REDUCED_FROM_PX and is_faint(gray, best):
        small = reduced(gray)
        at, best = _strongest(small, grid)
        cell = np.flatnonzero((best > 0) & ~is_nothing(small))
        return Corners(from_reduced(at[cell]), cell, best[cell], grid, faint=True)
    cell = np.flatnonzero(best > MIN_EIGENVALUE)
    return Corners(at[cell], cell, best[cell], grid)


def _strongest(gray: UInt8, grid: tuple[int, int]) -> tuple[Float32, Float32]:
    """The pixel (cells, 2) of the best corner of each cell of the grid, and its strength (cells,)."""
    height, width = gray.shape
    strength = cv2.cornerMinEigenVal(gray, BLOCK_PX)
    margin = min(MARGIN_PX, height // 8, width // 8)
    if margin:
        strength[:margin] = strength[-margin:] = 0
        strength[:, :margin] = strength[:, -margin:] = 0
    ch, cw = height // grid[0], width // grid[1]
    tiles = strength[: ch * grid[0], : cw * grid[1]].reshape(grid[0], ch, grid[1], cw)
    blocks = tiles.transpose(0, 2, 1, 3).reshape(grid[0] * grid[1], ch * cw)
    best = blocks.argmax(axis=1)
    cell = np.arange(len(best))
    y = cell // grid[1] * ch + best // cw
    x = cell % grid[1] * cw + best % cw
    return np.stack([x, y], axis=1).astype(np.float32), blocks[cell, best]
