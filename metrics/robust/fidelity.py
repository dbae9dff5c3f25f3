"""Figures of single pictures: PSNR of consecutive frames, and sharpness against the warped input."""

from __future__ import annotations

import numpy as np

from metrics.opencv import cv2
from metrics.robust.geometry import project
from metrics.robust.motion import Matrix
from metrics.video import Gray

QUANTISATION_MSE = 1 / 12  # of rounding to 8 bits: two equal frames are this far apart, so PSNR ends at 58.9 dB
DARK, LIT = 6, 24  # gray levels: an output pixel below DARK where the warped input is above LIT was blacked out
MIN_MASK_SHARE = 0.02


def psnr_db(mse: float) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit pictures; at most 58.9 (equal pictures)."""
    return float(10 * np.log10(255**2 / max(mse, QUANTISATION_MSE)))


def itf_db(prev: Gray, following: Gray) -> float:
    """PSNR of two consecutive frames as they are: the summand of ITF."""
    return psnr_db(cv2.norm(prev, following, cv2.NORM_L2SQR) / prev.size)


def aligned_itf_db(prev: Gray, following: Gray, H_next_prev: Matrix) -> float | None:
    """PSNR of two consecutive frames after the first was moved onto the second, where both have pixels."""
    h, w = following.shape
    moved = cv2.warpPerspective(prev, H_next_prev, (w, h))
    mask = frame_mask(prev.shape, H_next_prev, following.shape)
    count = cv2.countNonZero(mask)
    if count < MIN_MASK_SHARE * mask.size:
        return None
    return psnr_db(cv2.norm(moved, following, cv2.NORM_L2SQR, mask) / count)


def frame_mask(shape: tuple[int, ...], H: Matrix, target: tuple[int, ...]) -> Gray:
    """255 where the frame of `shape`, moved by H, fully covers a pixel of `target`; 0 elsewhere, and everywhere for an
    H that folds the frame."""
    h, w = shape
    inner = np.array([[2, 2], [w - 3, 2], [w - 3, h - 3], [2, h - 3]], float)
    mask = np.zeros(target, np.uint8)
    moved = project(H, inner)
    if moved is not None and np.abs(moved).max() < 1e5:
        cv2.fillConvexPoly(mask, moved.round().astype(np.int32), 255)
    return mask


def blacked_out(out: Gray, warped_in: Gray, mask: Gray) -> float:
    """Share of the covered pixels where the input has a picture and the output has none."""
    covered = cv2.countNonZero(mask)
    if not covered:
        return 0.0
    black = cv2.bitwise_and(cv2.inRange(out, 0, DARK), cv2.inRange(warped_in, LIT, 255))
    black = cv2.erode(cv2.bitwise_and(black, mask), np.ones((3, 3), np.uint8))
    return float(cv2.countNonZero(black) / covered)


def sharpness(out: Gray, warped_in: Gray, mask: Gray) -> float | None:
    """RMS gradient of the output over that of the warped input, where both have pixels: 1 is as sharp as that."""
    inner = cv2.erode(mask, np.ones((5, 5), np.uint8))
    if cv2.countNonZero(inner) < MIN_MASK_SHARE * mask.size:
        return None
    reference = _gradient_energy(warped_in, inner)
    return float(np.sqrt(_gradient_energy(out, inner) / reference)) if reference > 0 else None


def _gradient_energy(gray: Gray, mask: Gray) -> float:
    across = cv2.norm(gray[:, 1:], gray[:, :-1], cv2.NORM_L2SQR, mask[:, 1:])
    down = cv2.norm(gray[1:], gray[:-1], cv2.NORM_L2SQR, mask[1:])
    return float(across + down)
