"""The measures of issue 2, section 8, computed with OpenCV only: motion of a video, and how much of the frame is kept.

All lengths are pixels at a long side of 640. The *camera-centre path* is the cumulative displacement of the frame's
centre between consecutive frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Gray = NDArray[np.uint8]

VERSION = 4  # of the measures: cached measurements of another version are not used
LONG_SIDE_PX = 640
SMOOTH_SIGMA_S = 0.5
INLIERS_MIN = 15
INLIER_SHARE_MIN = 0.3  # of the tracks
FORWARD_BACKWARD_PX = 0.5
MAGSAC_PX = 1.5
CELL_PX = 40
CORNERS_PER_CELL = 4


class UnregisteredError(Exception):
    """An output frame could not be registered to its input frame."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Displacement of the centre in each pair of frames."""

    step_px: Float
    """(n-1, 2) displacement."""
    measured: Bool
    """(n-1,) whether the fit succeeded."""
    fps: float
    """Average frame rate."""


@dataclass(frozen=True, slots=True)
class Shake:
    """Shake of the camera-centre path."""

    accel_px: float
    """RMS second difference."""
    jitter_px: float
    """RMS distance from its Gaussian smooth, sigma 0.5 s."""
    judged: float
    """Share of the pairs that are used."""


def frames(path: Path) -> Iterator[Gray]:
    """Luma of every frame, rotated for display and scaled to a long side of 640."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            yield _scaled(_upright(_luma(frame), frame.rotation))


def _luma(frame: Any) -> Gray:
    """8-bit luma; unchanged if the video is 8 bit."""
    if frame.format.name not in {"yuv420p", "yuvj420p", "yuv422p", "yuv444p", "nv12", "gray"}:
        return np.asarray(frame.to_ndarray(format="gray"))
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].copy()


def _upright(image: Gray, rotation_deg: int) -> Gray:
    return np.ascontiguousarray(np.rot90(image, round(rotation_deg / 90) % 4))


def _scaled(image: Gray) -> Gray:
    height, width = image.shape
    scale = LONG_SIDE_PX / max(height, width)
    if scale == 1:
        return image
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def homography(prev: Gray, next_: Gray) -> Float | None:
    """H_next_prev in pixels, from corners tracked forward and backward, by MAGSAC; None with too few inliers."""
    corners = _spread_corners(prev)
    if len(corners) < INLIERS_MIN:
        return None
    forward, backward = _track(prev, next_, corners)
    tracked = np.hypot(*(backward - corners)[:, 0].T) < FORWARD_BACKWARD_PX
    if tracked.sum() < INLIERS_MIN:
        return None
    H, mask = cv2.findHomography(
        corners[tracked], forward[tracked], cv2.USAC_MAGSAC, MAGSAC_PX, maxIters=3000, confidence=0.999
    )
    if H is None or mask.sum() < max(INLIERS_MIN, INLIER_SHARE_MIN * tracked.sum()) or not _is_plausible(H, prev.shape):
        return None
    return np.asarray(H)


def _spread_corners(image: Gray) -> Any:
    """Corners (n, 1, 2), a limited number per cell: a small textured object must not outvote the rest of the frame."""
    corners = cv2.goodFeaturesToTrack(image, 6000, 0.0001, 5, blockSize=5)
    if corners is None:
        return np.zeros((0, 1, 2), np.float32)
    cell = (corners[:, 0] // CELL_PX).astype(int) @ np.array([1, 1000])
    order = np.argsort(cell, kind="stable")  # within a cell: best first
    first = np.searchsorted(cell[order], cell[order])
    return corners[order[np.arange(len(order)) - first < CORNERS_PER_CELL]]


def _track(prev: Gray, next_: Gray, corners: Any) -> tuple[Any, Any]:
    options: dict[str, Any] = {"winSize": (21, 21), "maxLevel": 4, "criteria": (3, 30, 0.01)}
    forward, ok, _ = cv2.calcOpticalFlowPyrLK(prev, next_, corners, np.empty_like(corners), **options)
    backward, ok_backward, _ = cv2.calcOpticalFlowPyrLK(next_, prev, forward, np.empty_like(forward), **options)
    backward[(ok == 0) | (ok_backward == 0)] = np.inf
    return forward, backward


def _is_plausible(H: Float, shape: tuple[int, ...]) -> bool:
    """Whether no side of the frame shrinks or grows by more than about a quarter."""
    height, width = shape
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], float)
    mapped = cv2.perspectiveTransform(corners, H)[0]
    sides = np.linalg.norm(np.roll(mapped, -1, 0) - mapped, axis=1) / np.array([width, height, width, height])
    return bool(np.all((sides > 0.75) & (sides < 1.3)))


def _map_point(H: Float, x: float, y: float) -> Float:
    mapped = H @ np.array([x, y, 1.0])
    return np.asarray(mapped[:2] / mapped[2])


def centre_steps(path: Path) -> Steps:
    """Measure the camera-centre path of a video."""
    steps, measured = [], []
    prev: Gray | None = None
    for image in frames(path):
        if prev is not None:
            H = homography(prev, image)
            height, width = image.shape
            centre = np.array([(width - 1) / 2, (height - 1) / 2])
            steps.append(np.zeros(2) if H is None else _map_point(H, *centre) - centre)
            measured.append(H is not None)
        prev = image
    return Steps(np.array(steps).reshape(-1, 2), np.array(measured, bool), _average_fps(path))


def _average_fps(path: Path) -> float:
    """The average rate; single time stamps of damaged or old files are not reliable."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return float(stream.average_rate or stream.guessed_rate or 30)


def shake(steps: Steps, judged: Bool) -> Shake:
    """Shake over the pairs (n-1,) that are measured in all versions of the clip; others are interpolated."""
    index = np.arange(len(judged))
    if judged.sum() < 3:
        return Shake(float("nan"), float("nan"), 0.0)
    step = np.stack([np.interp(index, index[judged], axis[judged]) for axis in steps.step_px.T], axis=1)
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(step, axis=0)])
    second = np.diff(step, axis=0)[judged[1:] & judged[:-1]]
    jitter = (path - smooth(path, SMOOTH_SIGMA_S * steps.fps))[1:][judged]
    return Shake(_rms(second), _rms(jitter), float(judged.mean()))


def smooth(path: Float, sigma: float) -> Float:
    """Gaussian over time, with odd reflection at the ends, so that a straight path does not change."""
    pad = min(len(path) - 1, int(4 * sigma) + 1)
    padded = np.pad(path, ((pad, pad), (0, 0)), mode="reflect", reflect_type="odd")
    return np.asarray(gaussian_filter1d(padded, sigma, axis=0, mode="nearest")[pad : len(padded) - pad])


def _rms(vectors: Float) -> float:
    return float(np.sqrt(np.mean(np.sum(vectors**2, axis=1)))) if len(vectors) else float("nan")


def placements(before: Path, after: Path, every: int = 10) -> list[Float]:
    """H_in_out of every k-th frame, between frames of unit size; frames that cannot be registered are left out."""
    homographies = []
    for index, (ref, out) in enumerate(zip_longest(frames(before), frames(after))):
        if ref is None or out is None:
            break
        if index % every == 0:
            try:
                homographies.append(_normalised(register(out, ref), out.shape, ref.shape))
            except UnregisteredError:
                continue
    return homographies


def _normalised(H: Float, shape_out: tuple[int, int], shape_in: tuple[int, int]) -> Float:
    """The same homography between frames of unit size, from (0, 0) at the outer corner to (1, 1)."""

    def to_px(shape: tuple[int, int]) -> Float:
        return np.array([[shape[1], 0, -0.5], [0, shape[0], -0.5], [0, 0, 1.0]])

    return np.asarray(np.linalg.inv(to_px(shape_in)) @ H @ to_px(shape_out))


def register(out: Gray, ref: Gray) -> Float:
    """H_ref_out in pixels: SIFT, refined by tracked corners. Raises UnregisteredError."""
    coarse = _match_features(out, ref)
    height, width = ref.shape
    aligned = cv2.warpPerspective(out, coarse, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    fine = homography(np.asarray(aligned, np.uint8), ref)
    return coarse if fine is None else np.asarray(fine @ coarse)


def _match_features(out: Gray, ref: Gray) -> Float:
    detector = cv2.SIFT.create(1200, contrastThreshold=0.02)
    keys, descriptors = detector.detectAndCompute(out, None)
    keys_ref, descriptors_ref = detector.detectAndCompute(ref, None)
    if descriptors is None or descriptors_ref is None or min(len(descriptors), len(descriptors_ref)) < INLIERS_MIN:
        raise UnregisteredError("too few features")
    pairs = [p for p in cv2.BFMatcher().knnMatch(descriptors, descriptors_ref, k=2) if len(p) == 2]
    good = [first for first, second in pairs if first.distance < 0.75 * second.distance]
    if len(good) < INLIERS_MIN:
        raise UnregisteredError("too few matches")
    out_px = np.array([keys[m.queryIdx].pt for m in good])
    ref_px = np.array([keys_ref[m.trainIdx].pt for m in good])
    H, mask = cv2.findHomography(out_px, ref_px, cv2.USAC_MAGSAC, 2.0, maxIters=5000, confidence=0.999)
    if H is None or mask.sum() < INLIERS_MIN:
        raise UnregisteredError("too few inliers")
    return np.asarray(H)


def visible_share(H_in_out: Float) -> float:
    """Share of the input's area that is visible in the output; H_in_out between frames of unit size."""
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    window = cv2.perspectiveTransform(unit[None].astype(float), H_in_out)[0].astype(np.float32)
    area, _ = cv2.intersectConvexConvex(unit, window)
    return float(area)


def centre_wander_px(H_in_out: list[Float], aspect: float) -> float:
    """RMS motion of the output's centre over the input frame, about its mean: on a tripod clip the output path."""
    centres = np.array([_map_point(H, 0.5, 0.5) for H in H_in_out]) * LONG_SIDE_PX * np.array([1, 1 / aspect])
    return _rms(centres - centres.mean(axis=0)) if len(centres) else float("nan")
