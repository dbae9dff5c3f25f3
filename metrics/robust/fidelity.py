"""Image fidelity: PSNR of consecutive frames, and sharpness relative to the warped input."""

from __future__ import annotations

import numpy as np

from metrics.opencv import cv2
from metrics.robust.geometry import project
from metrics.robust.motion import Matrix
from metrics.video import Gray

QUANTISATION_MSE = 1 / 12  # rounding error of 8 bits; limits PSNR to 58.9 dB
BLACK_MAX, LIT_MIN = (
    6,
    24,
)  # gray levels: output at most BLACK_MAX where the warped input is at least LIT_MIN was blacked out
MIN_MASK_SHARE = 0.02  # of the frame; comparisons over less overlap have no value


def psnr_db(mse: float) -> float:
    """Return the peak signal-to-noise ratio of 8-bit images in dB; at most 58.9, for equal images."""
    return float(10 * np.log10(255**2 / max(mse, QUANTISATION_MSE)))


def itf_db(prev: Gray, following: Gray) -> float:
    """Return the PSNR of two consecutive frames, whose mean is the inter-frame fidelity (ITF)."""
    return psnr_db(cv2.norm(prev, following, cv2.NORM_L2SQR) / prev.size)


def aligned_itf_db(prev: Gray, following: Gray, H_next_prev: Matrix) -> float | None:
    """Return the PSNR of two consecutive frames after warping the first onto the second, where they overlap."""
    h, w = following.shape
    moved = cv2.warpPerspective(prev, H_next_prev, (w, h))
    mask = frame_mask(prev.shape, H_next_prev, following.shape)
    count = cv2.countNonZero(mask)
    if count < MIN_MASK_SHARE * mask.size:
        return None
    return psnr_db(cv2.norm(moved, following, cv2.NORM_L2SQR, mask) / count)


def frame_mask(shape: tuple[int, ...], H: Matrix, target: tuple[int, ...]) -> Gray:
    """Return 255 where the frame of `shape`, warped by H, fully covers a pixel of `target`, else 0.

    All 0 for an H that folds the frame.
    """
    h, w = shape
    inner = np.array([[2, 2], [w - 3, 2], [w - 3, h - 3], [2, h - 3]], float)
    mask = np.zeros(target, np.uint8)
    moved = project(H, inner)
    if moved is not None and np.abs(moved).max() < 1e5:
        cv2.fillConvexPoly(mask, moved.round().astype(np.int32), 255)
    return mask


def blacked_out(out: Gray, warped_in: Gray, mask: Gray) -> float:
    """Return the share of covered pixels that are black in the output but not in the input."""
    covered = cv2.countNonZero(mask)
    if not covered:
        return 0.0
    black = cv2.bitwise_and(cv2.inRange(out, 0, BLACK_MAX), cv2.inRange(warped_in, LIT_MIN, 255))
    black = cv2.erode(cv2.bitwise_and(black, mask), np.ones((3, 3), np.uint8))
    return float(cv2.countNonZero(black) / covered)


def sharpness(out: Gray, warped_in: Gray, mask: Gray) -> float | None:
    """Return the RMS gradient of the output relative to the warped input, where both have pixels; 1: equally sharp."""
    inner = cv2.erode(mask, np.ones((5, 5), np.uint8))
    if cv2.countNonZero(inner) < MIN_MASK_SHARE * mask.size:
        return None
    reference = _gradient_energy(warped_in, inner)
    return float(np.sqrt(_gradient_energy(out, inner) / reference)) if reference > 0 else None


def _gradient_energy(gray: Gray, mask: Gray) -> float:
    across = cv2.norm(gray[:, 1:], gray[:, :-1], cv2.NORM_L2SQR, mask[:, 1:])
    down = cv2.norm(gray[1:], gray[:-1], cv2.NORM_L2SQR, mask[1:])
    return float(across + down)
