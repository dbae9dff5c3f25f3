"""What B, the homography from an input frame to its output frame, keeps of the picture and how it bends it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.opencv import cv2
from metrics.robust.motion import Matrix
from metrics.video import Size

EDGES = ("left", "right", "top", "bottom")
NEAR_SHARE = 0.25  # of the output's long side: how far the tracks reach that say where a corner lies
FAR_WEIGHT = 1e-3  # of a track far from the corner, against one beside it: where nothing is near, all of them count


@dataclass(frozen=True)
class Crop:
    """Shares of one frame pair. `visible`: of the input's area that the output shows. `empty`: of the output's area
    that shows no input. `margins`: (left, right, top, bottom), the least distance from the output's edge to the input's
    edge as a share of the input's width or height; positive is cropped away, negative is an empty border."""

    visible: float
    empty: float
    margins: NDArray[np.float64]


def to_native(B: Matrix, in_scale: tuple[float, float], out_scale: tuple[float, float]) -> Matrix:
    """B between native frames from B between scaled ones; scales are work px per native px, pixel centres integer."""
    return np.linalg.inv(_scaling(out_scale)) @ B @ _scaling(in_scale)


def _scaling(scale: tuple[float, float]) -> Matrix:
    sx, sy = scale
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]], float)


def corners(size: Size) -> NDArray[np.float64]:
    """Outer corners of a frame, (4, 2): TL, TR, BR, BL; the picture begins half a pixel outside the first centre."""
    w, h = size
    return np.array([[-0.5, -0.5], [w - 0.5, -0.5], [w - 0.5, h - 0.5], [-0.5, h - 0.5]])


def project(H: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """`points` (N, 2) through H; None where one of them lies on or behind the horizon."""
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ H.T
    if (homogeneous[:, 2] * np.sign(H[2, 2]) <= 1e-6).any():
        return None
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:])


def crop(B_out_in: Matrix, in_size: Size, out_size: Size) -> Crop | None:
    """Areas and margins by exact polygon intersection; None for a homography that folds the frame."""
    B_in_out: Matrix = np.asarray(np.linalg.inv(B_out_in), np.float64)
    window = project(B_in_out, corners(out_size))  # the output frame seen in the input
    picture = project(B_out_in, corners(in_size))  # the input frame seen in the output
    if window is None or picture is None:
        return None
    visible = _overlap(window, corners(in_size)) / (in_size[0] * in_size[1])
    covered = _overlap(picture, corners(out_size)) / (out_size[0] * out_size[1])
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
    """Margins as in `Crop`, each corner placed by the affine map of the tracks that are near it.

    Tracks: places in the input and the same in the output, (N, 2) px each. A homography is extrapolated where an edge
    shows plain sky, and a picture that was warped on a mesh bends away from it there. Moving least squares (Schaefer et
    al. 2006).
    """
    in_px, out_px = tracks
    reach = NEAR_SHARE * max(out_size)
    window = []
    for corner in corners(out_size):
        away = ((out_px - corner) ** 2).sum(axis=1)
        root = np.sqrt(np.exp(-away / (2 * reach**2)) + FAR_WEIGHT)[:, None]
        to_in, *_ = np.linalg.lstsq(np.column_stack([out_px, np.ones(len(out_px))]) * root, in_px * root, rcond=None)
        window.append([*corner, 1] @ to_in)
    return _margins(np.array(window), in_size)


def anisotropy(B_out_in: Matrix, in_size: Size) -> float:
    """Smaller over larger singular value of B's Jacobian at the input's centre: 1 where shapes keep their form."""
    x, y = (np.array(in_size) - 1) / 2
    u, v, w = B_out_in @ [x, y, 1]
    jacobian = (B_out_in[:2, :2] - np.outer([u / w, v / w], B_out_in[2, :2])) / w
    values = np.linalg.svd(jacobian, compute_uv=False)
    return float(values[1] / values[0])
