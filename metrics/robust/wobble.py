"""Local wobble: motion relative to the frame's homography, on a grid, in the band of vibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.robust.motion import PairMotion
from metrics.robust.path import TOP_HZ, WALK_HZ, integrate, windows
from metrics.video import Size

COLUMNS, ROWS = 8, 5
MIN_TRACKS_PER_CELL = 2
MAX_RESIDUAL_SHARE = 0.02  # of the long side per pair; more is a moving object or a wrong track
MIN_CELL_COVERAGE = 0.7  # share of the pairs in which a cell must have tracks


def residuals(motion: PairMotion, size: Size) -> NDArray[np.float32]:
    """Return the median residual of the tracks in each cell against the homography, (ROWS * COLUMNS, 2).

    In shares of the long side per pair; NaN in cells with fewer than two tracks.
    """
    long_side = max(size)
    p = motion.prev.astype(np.float64)
    moved = np.column_stack([p, np.ones(len(p))]) @ motion.H_next_prev.T
    residual = (motion.following - moved[:, :2] / moved[:, 2:]) / long_side
    cell = _cells(p, size)
    near = np.abs(residual).max(axis=1) < MAX_RESIDUAL_SHARE
    grid = np.full((ROWS * COLUMNS, 2), np.nan, np.float32)
    numbers, counts = np.unique(cell[near], return_counts=True)
    first = np.cumsum(counts) - counts
    for axis in (0, 1):
        value = residual[near, axis]
        value = value[np.lexsort((value, cell[near]))]  # by cell, then by value: the middle of each run is the median
        median = (value[first + (counts - 1) // 2] + value[first + counts // 2]) / 2
        grid[numbers, axis] = np.where(counts >= MIN_TRACKS_PER_CELL, median, np.nan)
    return grid


def _cells(points: NDArray[np.float64], size: Size) -> NDArray[np.int64]:
    column = np.clip((points[:, 0] * COLUMNS / size[0]).astype(int), 0, COLUMNS - 1)
    row = np.clip((points[:, 1] * ROWS / size[1]).astype(int), 0, ROWS - 1)
    return np.asarray(row * COLUMNS + column)


def wobble_map(t_s: NDArray[np.float64], grids: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the RMS (ROWS, COLUMNS) between 1 and 12 Hz of each cell's motion relative to the homography.

    In shares of the long side. `grids`: (N-1, ROWS * COLUMNS, 2). Cells with tracks in fewer than 70 % of the pairs are
    NaN.
    """
    result = np.full(ROWS * COLUMNS, np.nan)
    for number in range(ROWS * COLUMNS):
        step = grids[:, number].astype(np.float64)
        if not len(step) or np.isfinite(step[:, 0]).mean() < MIN_CELL_COVERAGE:
            continue
        spectra = windows(integrate(t_s, step))
        if spectra is not None:
            result[number] = np.sqrt(spectra.mean_square(WALK_HZ, TOP_HZ).sum(axis=1).mean())
    return result.reshape(ROWS, COLUMNS)
