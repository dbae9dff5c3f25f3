"""Crop and distortion of B, the homography from an input frame to its output frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.opencv import cv2
from metrics.robust.motion import Matrix
from metrics.video import Size

EDGES = ("left", "right", "top", "bottom")
CORNER_SIGMA_SHARE = 0.25  # of the long side: Gaussian weight of tracks around a corner
FAR_TRACK_WEIGHT = 1e-3  # minimum weight of a track; without near tracks all of them count


@dataclass(frozen=True)
class Crop:
    """Crop of one frame pair, in shares."""

    visible: float
    """Of the input's area that the output shows."""
    empty: float
    """Of the output's area that shows no input."""
    margins: NDArray[np.float64]
    """(left, right, top, bottom): smallest distance from the output's edge to the input's edge, as a share of the
    input's width or height. Positive: cropped away. Negative: empty border."""


def to_native(B: Matrix, in_scale: tuple[float, float], out_scale: tuple[float, float]) -> Matrix:
    """Convert B from analysis size to native size. Scales are analysis px per native px; pixel centres are integers."""
    return np.linalg.inv(_scaling(out_scale)) @ B @ _scaling(in_scale)


def _scaling(scale: tuple[float, float]) -> Matrix:
    sx, sy = scale
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]], float)


def corners(size: Size) -> NDArray[np.float64]:
    """Return the outer corners of a frame, (4, 2): TL, TR, BR, BL, half a pixel outside the outermost pixel centres."""
    w, h = size
    return np.array([[-0.5, -0.5], [w - 0.5, -0.5], [w - 0.5, h - 0.5], [-0.5, h - 0.5]])


def project(H: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Map `points` (N, 2) through H; None if one of them lies on or behind the horizon line."""
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ H.T
    if (homogeneous[:, 2] * np.sign(H[2, 2]) <= 1e-6).any():
        return None
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:])


def crop(B_out_in: Matrix, in_size: Size, out_size: Size) -> Crop | None:
    """Return areas and margins by exact polygon intersection; None for a homography that folds the frame."""
    B_in_out: Matrix = np.asarray(np.linalg.inv(B_out_in), np.float64)
    window = project(B_in_out, corners(out_size))  # the output frame in input coordinates
    content = project(B_out_in, corners(in_size))  # the input frame in output coordinates
    if window is None or content is None:
        return None
    visible = _overlap(window, corners(in_size)) / (in_size[0] * in_size[1])
    covered = _overlap(content, corners(out_size)) / (out_size[0] * out_size[1])
    return Crop(min(visible, 1.0), max(1 - covered, 0.0), _margins(window, in_size))


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    area, _ = cv2.intersectConvexConvex(a.astype(np.float32), b.astype(np.float32))
    return float(area)


def _margins(window: NDArray[np.float64], size: Size) -> NDArray[np.float64]:
    (x_tl, y_tl), (x_tr, y_tr), (x_br, y_br), (x_bl, y_bl) = window + 0.5
    w, h = size
    left, right = min(x_tl, x_bl) / w, 1 - max(x_tr, x_br) / w
    top, bottom = min(y_tl, y_tr) / h, 1 - max(y_bl, y_br) / h
    return np.array([left, right, top, bottom])


def near_margins(
    tracks: tuple[NDArray[np.float64], NDArray[np.float64]], in_size: Size, out_size: Size
) -> NDArray[np.float64]:
    """Return margins as in `Crop`, each corner mapped by the affine fit of the tracks near it.

    Tracks: matching points in input and output, (N, 2) px each. At an edge that shows plain sky the global homography
    is an extrapolation, and a mesh warp can deviate from it. Moving least squares (Schaefer et al. 2006).
    """
    in_px, out_px = tracks
    sigma_px = CORNER_SIGMA_SHARE * max(out_size)
    window = []
    for corner in corners(out_size):
        distance_sq = ((out_px - corner) ** 2).sum(axis=1)
        root = np.sqrt(np.exp(-distance_sq / (2 * sigma_px**2)) + FAR_TRACK_WEIGHT)[:, None]
        to_in, *_ = np.linalg.lstsq(np.column_stack([out_px, np.ones(len(out_px))]) * root, in_px * root, rcond=None)
        window.append([*corner, 1] @ to_in)
    return _margins(np.array(window), in_size)


def anisotropy(B_out_in: Matrix, in_size: Size) -> float:
    """Return smaller over larger singular value of B's Jacobian at the input's centre; 1 preserves shapes."""
    x, y = (np.array(in_size) - 1) / 2
    u, v, w = B_out_in @ [x, y, 1]
    jacobian = (B_out_in[:2, :2] - np.outer([u / w, v / w], B_out_in[2, :2])) / w
    values = np.linalg.svd(jacobian, compute_uv=False)
    return float(values[1] / values[0])
