"""Local wobble: what the picture does beside the frame's homography, on a grid, in the band of shake."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.robust.motion import PairMotion
from metrics.robust.path import TOP_HZ, WALK_HZ, integrate, windows
from metrics.video import Size

COLUMNS, ROWS = 8, 5
MIN_POINTS = 2  # per cell and pair
MAX_RESIDUAL = 0.02  # of the long side per pair: beyond is a moving object or a wrong track, not wobble
MIN_COVERAGE = 0.7  # of the pairs in which a cell must have been seen


def residuals(motion: PairMotion, size: Size) -> NDArray[np.float32]:
    """Median residual of the tracks in each cell against the homography, (ROWS * COLUMNS, 2) in shares of the long
    side per pair; NaN in cells with fewer than two tracks."""
    long_side = max(size)
    p = motion.prev.astype(np.float64)
    moved = np.column_stack([p, np.ones(len(p))]) @ motion.H_next_prev.T
    rest = (motion.following - moved[:, :2] / moved[:, 2:]) / long_side
    cell = _cells(p, size)
    near = np.abs(rest).max(axis=1) < MAX_RESIDUAL
    grid = np.full((ROWS * COLUMNS, 2), np.nan, np.float32)
    numbers, counts = np.unique(cell[near], return_counts=True)
    first = np.cumsum(counts) - counts
    for axis in (0, 1):
        value = rest[near, axis]
        value = value[np.lexsort((value, cell[near]))]  # by cell, then by size: the middle of each run is its median
        median = (value[first + (counts - 1) // 2] + value[first + counts // 2]) / 2
        grid[numbers, axis] = np.where(counts >= MIN_POINTS, median, np.nan)
    return grid


def _cells(points: NDArray[np.float64], size: Size) -> NDArray[np.int64]:
    column = np.clip((points[:, 0] * COLUMNS / size[0]).astype(int), 0, COLUMNS - 1)
    row = np.clip((points[:, 1] * ROWS / size[1]).astype(int), 0, ROWS - 1)
    return np.asarray(row * COLUMNS + column)


def wobble_map(t_s: NDArray[np.float64], grids: NDArray[np.float32]) -> NDArray[np.float64]:
    """RMS (ROWS, COLUMNS) of each cell's path beside the homography between 1 and 12 Hz, in shares of the long side.

    `grids`: (N-1, ROWS * COLUMNS, 2). Cells seen in fewer than 70 % of the pairs are NaN.
    """
    result = np.full(ROWS * COLUMNS, np.nan)
    for number in range(ROWS * COLUMNS):
        step = grids[:, number].astype(np.float64)
        if not len(step) or np.isfinite(step[:, 0]).mean() < MIN_COVERAGE:
            continue
        found = windows(integrate(t_s, step))
        if found is not None:
            result[number] = np.sqrt(found.mean_square(WALK_HZ, TOP_HZ).sum(axis=1).mean())
    return result.reshape(ROWS, COLUMNS)
