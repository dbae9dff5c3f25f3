"""Figures of the published programs, computed from B, the homography from an input frame to its output frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.compat.sift import Matrix


def crop_v0(B: Matrix) -> float:
    """sqrt(m00 m11), the scale of the first DIFRINT program; NaN where the product is negative (it crashes there)."""
    product = B[0, 0] * B[1, 1]
    return float(np.sqrt(product)) if product >= 0 else float("nan")


def crop_scale(B: Matrix) -> float:
    """1/sqrt(m00^2 + m01^2): the current DIFRINT and FuSta."""
    return float(1 / np.hypot(B[0, 0], B[0, 1]))


def eigen_ratio(B: Matrix) -> complex:
    """l2/l1 of the 2x2 part, sorted as numpy sorts complex numbers: by real part, then by imaginary part."""
    values = np.sort(np.linalg.eigvals(B[:2, :2]))[::-1]
    return complex(values[1] / values[0])


def singular_ratio(B: Matrix) -> float:
    """Smaller over larger singular value of the 2x2 part: NNDVS."""
    values = np.linalg.svd(B[:2, :2], compute_uv=False)
    return float(values[1] / values[0])


def field_of_view(B: Matrix, size: tuple[int, int]) -> tuple[float, float]:
    """Shares of width and height that are kept (DVS), from the corners TL, BL, TR, BR warped by B. Blind to zoom."""
    w, h = size
    corners = np.array([[0, 0, 1], [0, h, 1], [w, 0, 1], [w, h, 1]], float) @ B.T
    x, y = corners[:, 0] / corners[:, 2], corners[:, 1] / corners[:, 2]
    lost_w = max(x[0], x[1], w - x[2], w - x[3], 0)
    lost_h = max(y[0], y[2], h - y[1], h - y[3], 0)
    return float(1 - lost_w / w), float(1 - lost_h / h)


def without_lowest(values: list[float]) -> NDArray[np.float64]:
    """Outlier rule of DVS: keep >= 0.5, sort, drop the five smallest."""
    kept = np.array(values, float)
    return np.sort(kept[kept >= 0.5])[5:]


def inscribed_area(B: Matrix, size: tuple[int, int]) -> float:
    """Share of the frame in the upright rectangle between the warped corners, cropped to the frame's aspect (NNDVS)."""
    w, h = size
    corners = np.array([[0, 0, 1], [w, 0, 1], [0, h, 1], [w, h, 1]], float) @ B.T
    x, y = corners[:, 0] / corners[:, 2], corners[:, 1] / corners[:, 2]
    left, right = max(x[0], x[2], 0), min(x[1], x[3], w)
    top, bottom = max(y[0], y[1], 0), min(y[2], y[3], h)
    width, height = right - left, bottom - top
    if width > height * w / h:
        width = height * w / h
    else:
        height = width * h / w
    return float(width * height / (w * h))
