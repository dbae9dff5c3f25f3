"""Gaussian smoothing of signals along time."""

from __future__ import annotations

import cv2
import numpy as np

from stabilize.core import Float

KERNEL_SIGMAS = 3.0  # standard deviations from the middle of the kernel to its end
SIGMA_FRAMES_MAX = 2000.0  # memory and time grow with it


def in_frames(seconds: float, interval_s: float) -> float:
    """A standard deviation in frames, bounded: with a damaged clock any number of frames may fit in a second."""
    return min(seconds / interval_s, SIGMA_FRAMES_MAX)


def gaussian_mean(signal: Float, sigma: float) -> Float:
    """Gaussian mean of `signal` (n, ...) along its first axis, `sigma` in samples; the end values are repeated."""
    if not signal.size:
        return signal
    flat = np.ascontiguousarray(signal, np.float64).reshape(len(signal), -1)
    length = 2 * round(KERNEL_SIGMAS * sigma) + 1
    mean = cv2.GaussianBlur(flat, (1, length), sigmaX=1, sigmaY=max(sigma, 1e-3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(mean, np.float64).reshape(signal.shape)
