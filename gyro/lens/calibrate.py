"""Lens calibration from views of a chessboard."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyro.errors import InputError, LensError, UsageError, file_errors
from gyro.lens.model import Lens
from gyro.log import Float
from localfiles import read_bytes

Gray = NDArray[np.uint8]
IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}
MAX_VIEWS = 40  # time grows with the square of the views, and more gain little
MIN_VIEWS = 4
MAX_PIXELS = 1 << 27
MAX_IMAGE_BYTES = 1 << 28
_BOARD_MOTION_MIN = 0.02  # mean motion of the corners since the last view, over the frame's width; less adds nothing


@dataclass(frozen=True, slots=True)
class Calibration:
    """A calibrated lens and its accuracy."""

    lens: Lens
    rms_px: float
    """Reprojection error over all corners."""
    standard_errors: dict[str, float]
    """Of fx, fy, cx, cy in pixels and of the coefficients under their OpenCV names."""
    views_used: int
    views_total: int
    """Images or sampled frames of the source."""


def calibrate(
    source: Path | str | Iterable[Path],
    pattern: tuple[int, int] = (9, 6),
    model: str = "polynomial",
) -> Calibration:
    """Calibrate a lens from chessboard views: image files, a folder of them, or a video.

    `pattern` counts inner corners, columns by rows. The size of the squares does not matter for a lens. `model` is
    `polynomial` (k1, k2, p1, p2, k3; Zhang 2000) or `opencv_fisheye` (Kannala & Brandt 2006). Raises LensError where
    fewer than four different views show the board or the views do not determine the lens, InputError where a file
    cannot be read, UsageError for another model or board size.
    """
    import cv2

    if model not in ("polynomial", "opencv_fisheye"):
        raise UsageError(f"no calibration for model {model!r}; give polynomial or opencv_fisheye")
    if min(pattern) < 3 or max(pattern) > 100:
        raise UsageError(
            f"a board of {pattern[0]} x {pattern[1]} inner corners is not supported; give 3 to 100 each way"
        )
    views: list[Float] = []
    total, detected, size = 0, 0, (0, 0)
    for gray in _gray_images(source):
        if total and gray.shape[::-1] != size:
            raise LensError(
                f"images of {size[0]} x {size[1]} and {gray.shape[1]} x {gray.shape[0]} pixels; give images of one size"
            )
        total, size = total + 1, (gray.shape[1], gray.shape[0])
        corners = _find_corners(gray, pattern)
        if corners is None:
            continue
        detected += 1
        if not views or np.mean(np.abs(corners - views[-1])) > _BOARD_MOTION_MIN * size[0]:
            views.append(corners)
    if len(views) < MIN_VIEWS:
        raise LensError(_too_few_views(len(views), detected, total, pattern))
    views = [
        views[i] for i in np.unique(np.linspace(0, len(views) - 1, min(len(views), MAX_VIEWS)).round().astype(int))
    ]
    try:
        fit = _fit_fisheye if model == "opencv_fisheye" else _fit_polynomial
        lens, rms, errors = fit(_board(pattern), views, size)
    except cv2.error as error:
        raise LensError(
            f"these {len(views)} views do not determine the lens; tilt the board more ({error.err})"
        ) from error
    return Calibration(lens, rms, errors, len(views), total)


def _too_few_views(views: int, detected: int, total: int, pattern: tuple[int, int]) -> str:
    """Return the message for fewer than MIN_VIEWS views."""
    board = f"{pattern[0]} x {pattern[1]} inner corners"
    message = f"{detected} of {total} images show {board}; {MIN_VIEWS} are needed"
    if detected == views:
        return message
    skipped = f"{detected - views} of these were skipped because the board had hardly moved since the view before"
    return f"{message}, and {skipped}; move and tilt the board between views"


def _gray_images(source: Path | str | Iterable[Path]) -> Iterator[Gray]:
    """Yield the gray images of a folder, a list of files, or a video."""
    files = source_files(source)
    if isinstance(source, str | Path) and files == [Path(source)] and files[0].suffix.lower() not in IMAGE_ENDINGS:
        yield from _video_frames(files[0])
        return
    for path in files:
        yield _read_image(path)


def source_files(source: Path | str | Iterable[Path]) -> list[Path]:
    """Return the files that `calibrate` reads for a source. Raises InputError for a folder that cannot be listed."""
    if not isinstance(source, str | Path):
        return list(source)
    path = Path(source)
    if not os.path.isdir(path):  # Path.is_dir() raises OSError where a name is too long
        return [path]
    try:
        return sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_ENDINGS)
    except OSError as error:
        raise InputError(f"{path}: cannot be listed ({error.strerror or error})") from error


def _read_image(path: Path) -> Gray:
    import cv2

    with file_errors():
        data = read_bytes(path, MAX_IMAGE_BYTES, "image of a chessboard")
    try:
        gray = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error as error:
        raise InputError(f"{path}: cannot be read as an image: {error.err}") from error
    if gray is None or gray.size > MAX_PIXELS:
        raise InputError(f"{path}: cannot be read as an image")
    return np.asarray(gray, np.uint8)


def _video_frames(path: Path) -> Iterator[Gray]:
    """Yield about four frames per second of a local video."""
    from gyro.video import video_container, video_stream

    with video_container(path) as container:
        stream = video_stream(container, path)
        stride = max(round(float(stream.average_rate or 30) / 4), 1)
        for index, frame in enumerate(container.decode(stream)):
            if index % stride == 0:
                yield np.asarray(frame.to_ndarray(format="gray"), np.uint8)


def _find_corners(gray: Gray, pattern: tuple[int, int]) -> Float | None:
    """Return the corners (n, 2), refined to a fraction of a pixel, or None."""
    import cv2

    detected_corners, corners = cv2.findChessboardCorners(
        gray, pattern, flags=cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
    )
    if not detected_corners:
        return None
    # A window wider than half a square would contain two corners.
    flat = corners.reshape(-1, 2)
    window = int(np.clip(np.min(np.linalg.norm(np.diff(flat[: pattern[0]], axis=0), axis=1)) / 3, 2, 11))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-3)
    return np.asarray(cv2.cornerSubPix(gray, corners, (window, window), (-1, -1), stop), float).reshape(-1, 2)


def _board(pattern: tuple[int, int]) -> Float:
    """Return the corners (n, 3) of the flat board with squares of length one."""
    columns, rows = np.meshgrid(np.arange(pattern[0]), np.arange(pattern[1]))
    return np.stack([columns.ravel(), rows.ravel(), np.zeros(columns.size)], axis=1).astype(float)


def _fit_polynomial(board: Float, views: list[Float], size: tuple[int, int]) -> tuple[Lens, float, dict[str, float]]:
    import cv2

    points = [board.astype(np.float32)] * len(views)
    images = [view.astype(np.float32).reshape(-1, 1, 2) for view in views]
    fit = cv2.calibrateCameraExtended(points, images, size, np.eye(3), np.zeros((5, 1)))
    rms, K, d, deviations = fit[0], np.asarray(fit[1], float), np.asarray(fit[2], float), np.asarray(fit[5], float)
    names = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3")
    errors = dict(zip(names, (float(s) for s in deviations.ravel()), strict=False))
    return Lens(*size, K, "polynomial", tuple(float(c) for c in d.ravel()[:5]), "calibrated"), float(rms), errors


def _fit_fisheye(board: Float, views: list[Float], size: tuple[int, int]) -> tuple[Lens, float, dict[str, float]]:
    import cv2

    flags = cv2.CALIB_RECOMPUTE_EXTRINSIC | cv2.CALIB_FIX_SKEW
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 200, 1e-9)
    points = [board.reshape(1, -1, 3)] * len(views)
    images = [v.reshape(1, -1, 2) for v in views]
    fit = cv2.fisheye.calibrate(points, images, size, np.eye(3), np.zeros((4, 1)), flags=flags, criteria=stop)
    rms, K, d = fit[0], np.asarray(fit[1], float), np.asarray(fit[2], float)
    lens = Lens(*size, K, "opencv_fisheye", tuple(float(c) for c in d.ravel()), "calibrated")
    return lens, float(rms), _fisheye_errors(board, views, lens, list(zip(fit[3], fit[4], strict=True)))


def _fisheye_errors(board: Float, views: list[Float], lens: Lens, poses: list[tuple[Any, Any]]) -> dict[str, float]:
    """Return the standard errors from the normal equations at the solution, the poses of the board eliminated (Schur
    complement)."""
    import cv2

    inner, squares = np.zeros((8, 8)), 0.0
    d = np.array(lens.coefficients).reshape(4, 1)
    for view, (rotation, shift) in zip(views, poses, strict=True):
        projected = cv2.fisheye.projectPoints(board.reshape(1, -1, 3), rotation, shift, lens.K, d)
        total, J = np.asarray(projected[0], float), np.asarray(projected[1], float)
        squares += float(np.sum((total.reshape(-1, 2) - view) ** 2))
        A, B = J[:, :8], J[:, 8:14]  # fx, fy, cx, cy, k1..k4; then the pose (and the skew, which is fixed)
        inner += A.T @ A - A.T @ B @ np.linalg.solve(B.T @ B, B.T @ A)
    values = 2 * len(board) * len(views)
    variance = squares / (values - 8 - 6 * len(views)) * np.diag(np.linalg.inv(inner))
    names = ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")
    return dict(zip(names, np.sqrt(np.maximum(variance, 0)).tolist(), strict=True))
