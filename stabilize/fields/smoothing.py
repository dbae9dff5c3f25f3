"""Signals along time."""

from __future__ import annotations

import cv2
import numpy as np

from stabilize.core import Float

TRUNCATE = 3.0  # standard deviations at which the kernel ends
MOST_FRAMES = 2000.0  # of a standard deviation: memory and time follow it


def in_frames(seconds: float, interval_s: float) -> float:
    """A standard deviation in frames; bounded, for a damaged clock may say that any number of them fit in a second."""
    return min(seconds / interval_s, MOST_FRAMES)


def gaussian_mean(signal: Float, sigma: float) -> Float:
    """Gaussian mean of `signal` (n, ...) along its first axis, `sigma` in samples; the ends are held."""
    if not signal.size:
        return signal
    flat = np.ascontiguousarray(signal, np.float64).reshape(len(signal), -1)
    length = 2 * round(TRUNCATE * sigma) + 1
    mean = cv2.GaussianBlur(flat, (1, length), sigmaX=1, sigmaY=max(sigma, 1e-3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(mean, np.float64).reshape(signal.shape)
