"""Pictures too faint to be followed as they are: in the dark or before a plain wall noise makes corners of its own.

Lucas-Kanade follows those as if they stood still. On a quarter of the size noise is a quarter as strong, and the soft
shades that are left of the scene hardly less.
"""

from __future__ import annotations

import cv2
import numpy as np

from stabilize.core import Float32, UInt8

REDUCED = 4
CLEAR = 3.0  # a cell is legible where its best corner is so many times as strong as the best one of pure noise,
NOISE_CORNER = 1.82e-5  # which is the noise's variance times this (measured on cells of 20 px, blocks of 5)
LEGIBLE = 0.15  # share of legible cells below which a picture is faint; ordinary clips have a half or more
MOST_NOISE = 0.35  # of the contrast of a reduced picture; noise alone is all of it
STRETCHED = 50.0  # deviation of a reduced picture, gray levels
_LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def is_faint(gray: UInt8, best: Float32) -> bool:
    """Whether the `best` corners of the cells are, nearly all, what noise would make."""
    return bool(np.mean(best > CLEAR * NOISE_CORNER * _noise(gray) ** 2) < LEGIBLE)


def is_nothing(small: UInt8) -> bool:
    """Whether even a reduced picture is mostly noise."""
    return _noise(small) > MOST_NOISE * STRETCHED


def _noise(gray: UInt8) -> float:
    """Deviation of the noise, gray levels (Immerkaer 1996)."""
    laplacian = cv2.filter2D(gray, cv2.CV_16S, _LAPLACIANS)
    return float(np.sqrt(np.pi / 2) / 6 * cv2.norm(laplacian, cv2.NORM_L1) / gray.size)


def reduced(gray: UInt8) -> UInt8:
    """A quarter of the size, stretched about its mean to a common contrast."""
    size = gray.shape[1] // REDUCED, gray.shape[0] // REDUCED
    whole = gray[: size[1] * REDUCED, : size[0] * REDUCED].astype(np.float32)
    small = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA))
    spread = max(float(small.std()), 0.1)
    return np.asarray(np.clip((small - small.mean()) * (STRETCHED / spread) + 128, 0, 255), np.uint8)


def to_reduced(points: Float32) -> Float32:
    """Pixels (k, 2) of the picture to those of the reduced one."""
    return ((points + 0.5) / REDUCED - 0.5).astype(np.float32)


def from_reduced(points: Float32) -> Float32:
    """Pixels (k, 2) of the reduced picture to those of the picture."""
    return ((points + 0.5) * REDUCED - 0.5).astype(np.float32)
