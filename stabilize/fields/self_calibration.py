"""The focal length of a camera from its own motion: homographies of pairs of frames -> FocalEstimate.

A camera that only rotates moves the picture by H = K R K^-1 (Hartley, Self-calibration of stationary cameras, IJCV
1997). With K = diag(f, f, 1) and the bottom right element at 1, the shift (third column) and the perspective (third
row) have the same length but for a factor f^2, and opposite directions but for the roll. So 1 / f^2 is the slope of a
line through the origin, fitted over all pairs: in closed form, and 0 where the picture shows no perspective.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stabilize.core import Float

FOCAL_TYPICAL_UNITS = 2.0  # angle of view 53 degrees: the median of 11 clips that show theirs, see benchmarks/README.md
FOCAL_LONG_UNITS = 16.0  # angle of view 7 degrees: with longer lenses the perspective of a turn cannot be measured
FOCAL_SHORT_UNITS = 0.5  # angle of view 127 degrees
FOCAL_ERROR_MAX = 0.1  # standard error of an estimate that is used, relative
CORRELATION_MIN = 0.6  # of shift and perspective: below it too much of the perspective is parallax or noise
LONG_FROM_UNITS = 4.0  # no perspective is seen where the focal length is longer than this by two standard errors
PAIRS_MIN = 20  # with enough rotation
SHIFT_UNITS_MIN = 0.002  # of the middle between two frames: a pixel of 1000 tells nothing
PERSPECTIVE_NOISE = 3e-4  # of a homography's third row at best: a tenth of a pixel of 640 at the corners
OUTLIER_MEDIANS = 2.0  # median distances at which a pair starts to count less
ROUNDS = 20  # of reweighting
BLOCKS = 20  # of time, each left out once for the standard error: neighbouring pairs err alike


@dataclass(frozen=True, slots=True)
class FocalEstimate:
    """A focal length, and how it was come by."""

    focal: float
    """Half long sides."""
    error: float
    """Standard error of `focal`; 0 where it is assumed."""
    basis: Literal["measured", "no perspective", "unknown"]
    """Whether the picture shows it, shows that it is long, or shows nothing."""


def estimate_focal(H_next_prev: Float, weight: Float) -> FocalEstimate:
    """The focal length of the camera that made homographies (m, 3, 3), previous to next in the unit frame.

    `weight` (m,) is the trust in each, 0 to 1. The lens is taken to be free of distortion, the pixels to be square, the
    principal point to be the middle of the frame. The turn may be about any axis, the zoom may change a little. Random
    translation shows up as error; a translation that keeps its direction, oblique to a wall, does not.
    """
    shift, perspective = _shift_and_perspective(H_next_prev)
    used = (np.abs(shift) > SHIFT_UNITS_MIN) & (weight > 0)
    if np.count_nonzero(used) < PAIRS_MIN:
        return FocalEstimate(FOCAL_TYPICAL_UNITS, 0.0, "unknown")
    slope, error, correlation = _slope(shift[used], perspective[used], weight[used])
    if slope + 2 * error < 1 / LONG_FROM_UNITS**2:
        return FocalEstimate(FOCAL_LONG_UNITS, 0.0, "no perspective")
    focal = 1 / np.sqrt(max(slope, 1e-9))
    focal_error = focal**3 * error / 2
    certain = focal_error < FOCAL_ERROR_MAX * focal and correlation > CORRELATION_MIN
    if not (certain and FOCAL_SHORT_UNITS < focal < FOCAL_LONG_UNITS):
        return FocalEstimate(FOCAL_TYPICAL_UNITS, 0.0, "unknown")
    return FocalEstimate(float(focal), float(focal_error), "measured")


def _shift_and_perspective(H: Float) -> tuple[Float, Float]:
    """Complex (m,) each: third column, and third row turned by the roll and negated, which is the column over f^2."""
    H = H / H[:, 2:, 2:]
    roll = np.arctan2(H[:, 1, 0] - H[:, 0, 1], H[:, 0, 0] + H[:, 1, 1])
    return H[:, 0, 2] + 1j * H[:, 1, 2], -(H[:, 2, 0] + 1j * H[:, 2, 1]) * np.exp(1j * roll)


def _slope(shift: Float, perspective: Float, weight: Float) -> tuple[float, float, float]:
    """Slope of perspective over shift (m,), robustly, its standard error by jackknife, and the correlation."""
    slope, share = 0.0, weight
    for _ in range(ROUNDS):
        distance = np.abs(perspective - slope * shift)
        scale = OUTLIER_MEDIANS * max(float(np.median(distance)), PERSPECTIVE_NOISE)
        share = weight / (1 + (distance / scale) ** 2)
        product, square = share * (perspective * shift.conj()).real, share * np.abs(shift) ** 2
        slope = float(product.sum() / square.sum())
    blocks = np.arange(len(shift)) * BLOCKS // len(shift)
    products, squares = (np.bincount(blocks, values, BLOCKS) for values in (product, square))
    without = (products.sum() - products) / (squares.sum() - squares)
    error = np.sqrt((BLOCKS - 1) / BLOCKS * np.sum((without - without.mean()) ** 2))
    floor = PERSPECTIVE_NOISE * np.sqrt(weight.max() / square.sum())
    spread = np.sqrt(square.sum() * np.sum(share * np.abs(perspective) ** 2))
    return slope, float(np.hypot(error, floor)), float(product.sum() / max(spread, 1e-30))
