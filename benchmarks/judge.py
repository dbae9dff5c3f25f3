"""The measures of issue 2, section 8, made with OpenCV alone: how a picture moves, and how much of it is left.

All lengths are pixels of a picture whose long side is 640. The *camera-centre path* is the running sum of where the
middle of the picture goes from frame to frame; roll and scale are running sums too, of the similarity that fits best.
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

VERSION = 5  # of the measures: cached measurements of another version are not used
LONG_SIDE = 640
SMOOTH_S, LONG_SMOOTH_S = 0.5, 2.0
SPEED_SMOOTH_S = 0.1  # of the scale, before its speed is taken: what is quicker is the measurement's own noise
MIN_INLIERS = 15
MIN_SHARE = 0.3  # of the tracks
FORWARD_BACKWARD_PX = 0.5
MAGSAC_PX = 1.5
CELL_PX = 40
PER_CELL = 4


class UnregisteredError(Exception):
    """Two pictures of the same moment could not be laid over each other."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How the picture moves in each pair of frames."""

    step_px: Float
    """(n-1, 2) where the centre goes."""
    roll_deg: Float
    """(n-1,) clockwise turn."""
    scale: Float
    """(n-1,) natural log of the change of size."""
    found: Bool
    """(n-1,) whether the fit succeeded; the rest is 0 where it did not."""
    fps: float
    """The usual rate."""


@dataclass(frozen=True, slots=True)
class Shake:
    """How a video moves, over the pairs of frames that could be judged; NaN where there are too few."""

    accel_px: float
    """RMS second difference of the centre path."""
    jitter_px: float
    """RMS of the centre path about its Gaussian smooth of 0.5 s."""
    roll_deg: float
    """RMS of the roll about its Gaussian smooth of 0.5 s."""
    breathing: float
    """RMS of the log scale about its Gaussian smooth of 0.5 s, %."""
    slow_breathing: float
    """RMS of the log scale about its Gaussian smooth of 2 s, %."""
    zoom_speed: float
    """Peak speed of the scale, % a second."""
    judged: float
    """Share of the pairs."""


def frames(path: Path) -> Iterator[Gray]:
    """Upright luma of every frame, scaled to a long side of 640."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            yield _scaled(_upright(_luma(frame), frame.rotation))


def _luma(frame: Any) -> Gray:
    """8-bit luma: the first plane as it is, where it is 8 bit."""
    if frame.format.name not in {"yuv420p", "yuvj420p", "yuv422p", "yuv444p", "nv12", "gray"}:
        return np.asarray(frame.to_ndarray(format="gray"))
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width].copy()


def _upright(picture: Gray, rotation_deg: int) -> Gray:
    return np.ascontiguousarray(np.rot90(picture, round(rotation_deg / 90) % 4))


def _scaled(picture: Gray) -> Gray:
    height, width = picture.shape
    scale = LONG_SIDE / max(height, width)
    if scale == 1:
        return picture
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


@dataclass(frozen=True, slots=True)
class Fit:
    """The motion between two pictures."""

    H: Float
    """Pixels of the previous picture to the next."""
    before_px: Float
    """(k, 2) the tracks that agree with it."""
    after_px: Float
    """(k, 2) where they went."""


def homography(previous: Gray, following: Gray) -> Float | None:
    """Pixels of the previous picture to the next; None where too few tracks agree."""
    fit = motion(previous, following)
    return None if fit is None else fit.H


def motion(previous: Gray, following: Gray) -> Fit | None:
    """Corners tracked there and back, MAGSAC; None where too few agree."""
    corners = _spread_corners(previous)
    if len(corners) < MIN_INLIERS:
        return None
    there, back = _track(previous, following, corners)
    kept = np.hypot(*(back - corners)[:, 0].T) < FORWARD_BACKWARD_PX
    if kept.sum() < MIN_INLIERS:
        return None
    H, mask = cv2.findHomography(
        corners[kept], there[kept], cv2.USAC_MAGSAC, MAGSAC_PX, maxIters=3000, confidence=0.999
    )
    if H is None or mask.sum() < max(MIN_INLIERS, MIN_SHARE * kept.sum()) or not _plausible(H, previous.shape):
        return None
    agree = mask.ravel().astype(bool)
    before, after = (points[kept][agree].reshape(-1, 2).astype(np.float64) for points in (corners, there))
    return Fit(np.asarray(H), before, after)


def _turn_and_scale(fit: Fit) -> complex:
    """Scale times exp(i roll) of the similarity that fits the tracks best: the homography's own, taken at one point,
    is as uncertain as its perspective.
    """
    p, q = ((points - points.mean(axis=0)) @ [1, 1j] for points in (fit.before_px, fit.after_px))
    return complex(np.vdot(p, q) / np.vdot(p, p))


def _spread_corners(picture: Gray) -> Any:
    """Corners (n, 1, 2), at most a few from each cell: agreement then counts area, and a textured thing does not
    outvote the world.
    """
    found = cv2.goodFeaturesToTrack(picture, 6000, 0.0001, 5, blockSize=5)
    if found is None:
        return np.zeros((0, 1, 2), np.float32)
    cell = (found[:, 0] // CELL_PX).astype(int) @ np.array([1, 1000])
    order = np.argsort(cell, kind="stable")  # within a cell: best first
    first = np.searchsorted(cell[order], cell[order])
    return found[order[np.arange(len(order)) - first < PER_CELL]]


def _track(previous: Gray, following: Gray, corners: Any) -> tuple[Any, Any]:
    options: dict[str, Any] = {"winSize": (21, 21), "maxLevel": 4, "criteria": (3, 30, 0.01)}
    there, ok, _ = cv2.calcOpticalFlowPyrLK(previous, following, corners, np.empty_like(corners), **options)
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(following, previous, there, np.empty_like(there), **options)
    back[(ok == 0) | (ok_back == 0)] = np.inf
    return there, back


def _plausible(H: Float, shape: tuple[int, ...]) -> bool:
    """A frame does not mirror, shrink or grow by more than a quarter from one picture to the next."""
    height, width = shape
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], float)
    moved = cv2.perspectiveTransform(corners, H)[0]
    sides = np.linalg.norm(np.roll(moved, -1, 0) - moved, axis=1) / np.array([width, height, width, height])
    return bool(np.all((sides > 0.75) & (sides < 1.3)))


def _moved(H: Float, x: float, y: float) -> Float:
    out = H @ np.array([x, y, 1.0])
    return np.asarray(out[:2] / out[2])


def steps_of(path: Path) -> Steps:
    """Measure a video."""
    rows: list[tuple[float, float, float, float, bool]] = []
    previous: Gray | None = None
    for picture in frames(path):
        if previous is not None:
            rows.append(_step(motion(previous, picture), picture.shape))
        previous = picture
    table = np.array(rows, float).reshape(-1, 5)
    return Steps(table[:, :2], table[:, 2], table[:, 3], table[:, 4].astype(bool), _rate(path))


def _step(fit: Fit | None, shape: tuple[int, ...]) -> tuple[float, float, float, float, bool]:
    """Shift of the centre, roll, log scale, and whether there was a fit."""
    if fit is None:
        return 0.0, 0.0, 0.0, 0.0, False
    centre = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    shift, turned = _moved(fit.H, *centre) - centre, _turn_and_scale(fit)
    return float(shift[0]), float(shift[1]), float(np.degrees(np.angle(turned))), float(np.log(abs(turned))), True


def _rate(path: Path) -> float:
    """Frames a second on average: time stamps of damaged or old files are no better than that."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return float(stream.average_rate or stream.guessed_rate or 30)


def shake(steps: Steps, judged: Bool) -> Shake:
    """Judge on the pairs (n-1,) that were found in every version of the clip: cuts and failures are bridged at constant
    speed.
    """
    if judged.sum() < 3:
        nan = float("nan")
        return Shake(nan, nan, nan, nan, nan, nan, 0.0)
    centre, roll, scale = (
        _path(step, judged) for step in (steps.step_px, steps.roll_deg[:, None], 100 * steps.scale[:, None])
    )

    def departure(path: Float, smooth_s: float) -> float:
        return _rms((path - smooth(path, smooth_s * steps.fps))[1:][judged])

    return Shake(
        _rms(np.diff(centre, 2, axis=0)[judged[1:] & judged[:-1]]),
        departure(centre, SMOOTH_S),
        departure(roll, SMOOTH_S),
        departure(scale, SMOOTH_S),
        departure(scale, LONG_SMOOTH_S),
        float(np.abs(np.diff(smooth(scale, SPEED_SMOOTH_S * steps.fps), axis=0)).max()) * steps.fps,
        float(judged.mean()),
    )


def _path(step: Float, judged: Bool) -> Float:
    """The running sum (n, k) of steps (n-1, k), those that are not judged between their neighbours."""
    index = np.arange(len(judged))
    bridged = np.stack([np.interp(index, index[judged], axis[judged]) for axis in step.T], axis=1)
    return np.concatenate([np.zeros((1, step.shape[1])), np.cumsum(bridged, axis=0)])


def smooth(path: Float, sigma: float) -> Float:
    """Gaussian along time; the ends are mirrored through their last point, so that a straight path stays as it is."""
    pad = min(len(path) - 1, int(4 * sigma) + 1)
    longer = np.pad(path, ((pad, pad), (0, 0)), mode="reflect", reflect_type="odd")
    return np.asarray(gaussian_filter1d(longer, sigma, axis=0, mode="nearest")[pad : len(longer) - pad])


def _rms(vectors: Float) -> float:
    return float(np.sqrt(np.mean(np.sum(vectors**2, axis=1)))) if len(vectors) else float("nan")


def placements(before: Path, after: Path, every: int = 10) -> list[Float]:
    """For every k-th frame: the homography that takes pixels of the output picture to the input's, both with a long
    side of 640.
    """
    found = []
    for index, (first, second) in enumerate(zip_longest(frames(before), frames(after))):
        if first is None or second is None:
            break
        if index % every == 0:
            try:
                found.append((registered(second, first), second.shape, first.shape))
            except UnregisteredError:
                continue
    return [_normalised(*item) for item in found]


def _normalised(H: Float, shape_out: tuple[int, int], shape_in: tuple[int, int]) -> Float:
    """The same map between frames of unit size, from (0, 0) at the outer corner to (1, 1)."""

    def to_px(shape: tuple[int, int]) -> Float:
        return np.array([[shape[1], 0, -0.5], [0, shape[0], -0.5], [0, 0, 1.0]])

    return np.asarray(np.linalg.inv(to_px(shape_in)) @ H @ to_px(shape_out))


def registered(picture: Gray, reference: Gray) -> Float:
    """Lay an output frame over its input frame: SIFT, then corners tracked from there. Raises UnregisteredError."""
    rough = _by_features(picture, reference)
    height, width = reference.shape
    aligned = cv2.warpPerspective(
        picture, rough, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    fine = homography(np.asarray(aligned, np.uint8), reference)
    return rough if fine is None else np.asarray(fine @ rough)


def _by_features(picture: Gray, reference: Gray) -> Float:
    detector = cv2.SIFT.create(1200, contrastThreshold=0.02)
    keys, words = detector.detectAndCompute(picture, None)
    keys_ref, words_ref = detector.detectAndCompute(reference, None)
    if words is None or words_ref is None or min(len(words), len(words_ref)) < MIN_INLIERS:
        raise UnregisteredError("too few features")
    pairs = [p for p in cv2.BFMatcher().knnMatch(words, words_ref, k=2) if len(p) == 2]
    good = [first for first, second in pairs if first.distance < 0.75 * second.distance]
    if len(good) < MIN_INLIERS:
        raise UnregisteredError("too few matches")
    from_px = np.array([keys[m.queryIdx].pt for m in good])
    to_px = np.array([keys_ref[m.trainIdx].pt for m in good])
    H, mask = cv2.findHomography(from_px, to_px, cv2.USAC_MAGSAC, 2.0, maxIters=5000, confidence=0.999)
    if H is None or mask.sum() < MIN_INLIERS:
        raise UnregisteredError("no agreement")
    return np.asarray(H)


def visible_share(H_in_out: Float) -> float:
    """Share of the input's area that the output shows, from a map between frames of unit size."""
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    shown = cv2.perspectiveTransform(unit[None].astype(float), H_in_out)[0].astype(np.float32)
    area, _ = cv2.intersectConvexConvex(unit, shown)
    return float(area)


def centre_wander_px(H_in_out: list[Float], aspect: float) -> float:
    """How much the output's middle wanders over the input's picture, RMS about its mean: the output path on a tripod
    clip.
    """
    centres = np.array([_moved(H, 0.5, 0.5) for H in H_in_out]) * LONG_SIDE * np.array([1, 1 / aspect])
    return _rms(centres - centres.mean(axis=0)) if len(centres) else float("nan")
