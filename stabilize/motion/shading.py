"""Support of a motion in what has no corners: the soft shades of a plain wall, snow or sky.

No point of them can be followed, but over a cell of the grid even a faint gradient tells two motions apart that differ
by some pixels, and there are many such cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stabilize.core import Float, Float32
from stabilize.motion.background import Mask
from stabilize.motion.features import Corners
from stabilize.motion.sources import Picture
from stabilize.motion.sources.picture import coarse_motion

# Mean squared differences of a cell, gray levels^2: the worst of the motions must exceed the best one's by this factor
# and this much, or the cell tells nothing; what is as near to the best one's agrees.
TOLD_APART, TOLD_APART_LEVELS2 = 2.0, 0.05
AGREES, AGREES_LEVELS2 = 1.1, 0.02
DIFFERENCE_MAX_LEVELS = 20.0  # of a pixel, beyond which it is something else that shows


def shaded_cells(prev: Picture, next_: Picture, corners: Corners, motions: Sequence[Float]) -> Mask:
    """Which cells (m, rows * cols) of `prev` without a corner agree with each of m motions (3, 3) in pixels, of the
    cells that tell them apart at all.
    """
    level = float(np.median(next_.coarse - prev.coarse))  # exposure, and what the encoder does at a key frame
    target = next_.coarse - level
    differences = np.array([_differences(prev, target, H, corners.grid) for H in motions])
    differences[:, corners.cell] = np.nan
    with np.errstate(invalid="ignore"):
        best, worst = differences.min(axis=0), differences.max(axis=0)
        telling = worst > TOLD_APART * best + TOLD_APART_LEVELS2
        return np.asarray(telling & (differences <= AGREES * best + AGREES_LEVELS2))


def _differences(prev: Picture, target: Float32, H_px: Float, grid: tuple[int, int]) -> Float:
    """Mean squared difference (rows * cols,) of each cell from the next picture's coarse copy after a motion; NaN where
    it lies outside.

    Cells are those of the next picture: a motion between two frames moves less than a cell.
    """
    height, width = prev.coarse.shape
    moved = cv2.warpPerspective(
        prev.coarse, coarse_motion(H_px), (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=np.nan
    )
    squared = np.minimum((moved - target) ** 2, DIFFERENCE_MAX_LEVELS**2)
    return np.asarray(cv2.resize(squared, grid[::-1], interpolation=cv2.INTER_AREA), np.float64).ravel()
