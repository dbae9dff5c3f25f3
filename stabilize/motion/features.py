"""Points to follow: the best corner of every cell of a grid, so that support can be counted as area."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stabilize.core import Float32, UInt8

CELL_PX = 20
MARGIN_PX = 6
# Smallest eigenvalue of the structure tensor (gray levels^2 per pixel) that can be told from sensor noise of about 2
# levels.
MIN_EIGENVALUE = 2.5e-5
BLOCK = 5


@dataclass(frozen=True, slots=True)
class Corners:
    """`points` (k, 2) float32 pixels; `cell` (k,) index into the `grid` (rows, cols) of cells."""

    points: Float32
    cell: np.ndarray[tuple[int], np.dtype[np.intp]]
    grid: tuple[int, int]


def cell_grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of cells for an image; at least 4x4, so that tiny pictures keep a grid."""
    return max(4, height // CELL_PX), max(4, width // CELL_PX)


def corners(gray: UInt8) -> Corners:
    """The strongest corner of each cell (Shi & Tomasi 1994), where there is one."""
    height, width = gray.shape
    grid = cell_grid(height, width)
    strength = cv2.cornerMinEigenVal(gray, BLOCK)
    margin = min(MARGIN_PX, height // 8, width // 8)
    if margin:
        strength[:margin] = strength[-margin:] = 0
        strength[:, :margin] = strength[:, -margin:] = 0
    ch, cw = height // grid[0], width // grid[1]
    tiles = strength[: ch * grid[0], : cw * grid[1]].reshape(grid[0], ch, grid[1], cw)
    blocks = tiles.transpose(0, 2, 1, 3).reshape(grid[0] * grid[1], ch * cw)
    best = blocks.argmax(axis=1)
    cell = np.flatnonzero(blocks[np.arange(len(best)), best] > MIN_EIGENVALUE)
    y = cell // grid[1] * ch + best[cell] // cw
    x = cell % grid[1] * cw + best[cell] % cw
    return Corners(np.stack([x, y], axis=1).astype(np.float32), cell, grid)
