"""Ways to follow points from one frame to the next; each is a plain function in `FLOWS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilize.core import Float32, UInt8
from stabilize.motion.faint import REDUCED, from_reduced, reduced, to_reduced

WINDOW = (13, 13)
FAINT_WINDOW = (31, 31)  # of the reduced picture
LEVELS = 4
# Forward and backward must agree to this distance (Kalal et al. 2010).
ROUND_TRIP_PX = 0.5
CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 8, 0.02)
COARSE = 4  # factor of the picture on which a large common shift is looked for
GUESS_FROM_PX = 8.0


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame prepared for following: `gray`, a small `coarse` copy, and its brightness statistics.

    `faint`: its corners are those of its reduced copy, on which it has to be followed.
    """

    gray: UInt8
    coarse: Float32
    mean: float
    deviation: float
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Tracks:
    """`points` (k, 2) in the next frame; `round_trip` (k,) distance after the way back, px; `ok` (k,)."""

    points: Float32
    round_trip: Float32
    ok: NDArray[np.bool_]


Flow = Callable[[Picture, Picture, Float32], Tracks]


def prepare(gray: UInt8, faint: bool = False) -> Picture:
    """Everything that is computed once for a frame and used for the pair before and the pair after it."""
    size = (max(gray.shape[1] // COARSE, 8), max(gray.shape[0] // COARSE, 8))
    coarse = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    mean, deviation = cv2.meanStdDev(coarse)
    return Picture(gray, coarse, float(mean.item()), float(deviation.item()), faint)


def coarse_shift(prev: Picture, next_: Picture) -> Float32:
    """A large common shift in pixels (x, y) by phase correlation; zero where none stands out."""
    window = cv2.createHanningWindow((prev.coarse.shape[1], prev.coarse.shape[0]), cv2.CV_32F)
    (x, y), response = cv2.phaseCorrelate(prev.coarse - prev.mean, next_.coarse - next_.mean, window)
    shift = np.array([x, y], np.float32) * COARSE
    return shift if response > 0.1 and np.hypot(*shift) > GUESS_FROM_PX else np.zeros(2, np.float32)


def _same_exposure(prev: Picture, next_: Picture) -> UInt8:
    """The next picture in the brightness of the previous frame: LK compares gray levels as they stand."""
    gain = prev.deviation / max(next_.deviation, 1e-3)
    if 0.97 < gain < 1.03 and abs(prev.mean - next_.mean) < 3:
        return next_.gray
    gain = float(np.clip(gain, 0.4, 2.5))
    levels = np.clip((np.arange(256) - next_.mean) * gain + prev.mean, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(next_.gray, levels))


def klt(prev: Picture, next_: Picture, points: Float32) -> Tracks:
    """Pyramidal Lucas-Kanade there and back (Bouguet 2000), started from the common shift."""
    if not len(points):
        return Tracks(points, np.zeros(0, np.float32), np.zeros(0, bool))
    if prev.faint:
        found = _lucas_kanade(
            prepare(reduced(prev.gray)), prepare(reduced(next_.gray)), to_reduced(points), FAINT_WINDOW
        )
        return Tracks(from_reduced(found.points), found.round_trip * REDUCED, found.ok)
    return _lucas_kanade(prev, next_, points, WINDOW)


def _lucas_kanade(prev: Picture, next_: Picture, points: Float32, window: tuple[int, int]) -> Tracks:
    target = _same_exposure(prev, next_)
    guess = points + coarse_shift(prev, next_)
    flags = cv2.OPTFLOW_USE_INITIAL_FLOW
    options: dict[str, Any] = {"winSize": window, "maxLevel": LEVELS - 1, "criteria": CRITERIA}
    there, found, _ = cv2.calcOpticalFlowPyrLK(prev.gray, target, points, guess.copy(), flags=flags, **options)
    # The way back starts at the origin, so a gross error cannot hide behind its own start.
    back, returned, _ = cv2.calcOpticalFlowPyrLK(
        target, prev.gray, there, (there - (guess - points)).astype(np.float32), flags=flags, **options
    )
    distance = np.linalg.norm(back.reshape(-1, 2) - points, axis=1)
    ok = (found.ravel() > 0) & (returned.ravel() > 0) & (distance < ROUND_TRIP_PX)
    return Tracks(np.asarray(there.reshape(-1, 2), np.float32), distance.astype(np.float32), ok)


def dis(prev: Picture, next_: Picture, points: Float32) -> Tracks:
    """Dense inverse search (Kroeger et al. 2016) there and back, read at the points."""
    if not len(points):
        return Tracks(points, np.zeros(0, np.float32), np.zeros(0, bool))
    if prev.faint or min(prev.gray.shape) < 32:  # DIS has a coarsest level of its own that needs some picture
        return klt(prev, next_, points)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    forward = search.calc(prev.gray, next_.gray, None)  # type: ignore[call-overload]
    backward = search.calc(next_.gray, prev.gray, None)  # type: ignore[call-overload]
    there = points + _read(forward, points)
    distance = np.linalg.norm(there + _read(backward, there) - points, axis=1).astype(np.float32)
    height, width = prev.gray.shape
    inside = ((there >= 0) & (there <= (width - 1, height - 1))).all(axis=1)
    return Tracks(there, distance, inside & (distance < 2 * ROUND_TRIP_PX))


def _read(flow: Float32, points: Float32) -> Float32:
    """Flow (h, w, 2) at points (k, 2), bilinear."""
    at = points.reshape(-1, 1, 2)
    found = cv2.remap(flow, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(found).reshape(-1, 2)


FLOWS: dict[str, Flow] = {"klt": klt, "dis": dis}
