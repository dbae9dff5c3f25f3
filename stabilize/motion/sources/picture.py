"""A frame prepared for following: what is computed once for the pair before it and the pair after it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stabilize.core import Float, Float32, UInt8

COARSE = 4  # factor of the picture on which a large common shift is looked for
COARSE_MIN_PX = 8  # side of that picture


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame in analysis size."""

    gray: UInt8
    """(h, w)."""
    coarse: Float32
    """`gray` on a quarter of the size."""
    mean: float
    """Mean gray level."""
    deviation: float
    """Standard deviation of the gray levels of `coarse`."""
    faint: bool = False
    """Whether its corners are those of a reduced copy, on which it has to be followed."""
    rgb: UInt8 | None = None
    """(h, w, 3), where the source asks for colour."""


def prepare(gray: UInt8, faint: bool = False, rgb: UInt8 | None = None) -> Picture:
    """The picture with everything that following needs of it."""
    size = (max(gray.shape[1] // COARSE, COARSE_MIN_PX), max(gray.shape[0] // COARSE, COARSE_MIN_PX))
    coarse = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype("float32")
    mean, deviation = cv2.meanStdDev(coarse)
    return Picture(gray, coarse, float(mean.item()), float(deviation.item()), faint, rgb)


def coarse_motion(H_px: Float) -> Float:
    """A motion (3, 3) in pixels of a picture as one in pixels of its `coarse` copy."""
    T = np.array([[1 / COARSE, 0, 0.5 / COARSE - 0.5], [0, 1 / COARSE, 0.5 / COARSE - 0.5], [0, 0, 1]])
    return np.asarray(T @ H_px @ np.linalg.inv(T))
