"""Pyramidal Lucas-Kanade there and back (Bouguet 2000), started from the common shift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from stabilize.core import Float32, UInt8
from stabilize.motion.faint import from_reduced, reduced, to_reduced
from stabilize.motion.sources.contract import MotionSource, PicturePair, PointMatches
from stabilize.motion.sources.picture import COARSE, Picture, prepare

WINDOW_PX = (13, 13)
FAINT_WINDOW_PX = (31, 31)  # of the reduced picture
WIDE_WINDOW_PX = (31, 31)  # for blurred pictures
PYRAMID_LEVELS, WIDE_PYRAMID_LEVELS = 4, 5
ITERATIONS, STEP_MIN_PX = 8, 0.02  # where an iteration ends: the robust fit takes out far more than what is left
CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ITERATIONS, STEP_MIN_PX)
ROUND_TRIP_MAX_PX = 0.5  # forward-backward error (Kalal et al. 2010)
COMMON_SHIFT_MIN_PX = 8.0  # less, and the pyramid finds it by itself
COMMON_SHIFT_MIN_RESPONSE = 0.1  # of phase correlation: no shift stands out below
SAME_GAIN, SAME_LEVELS = (0.97, 1.03), 3.0  # change of contrast and of mean gray level that following does not notice
GAIN_LIMITS = (0.4, 2.5)  # of contrast: beyond, the picture is another one


def klt(pair: PicturePair) -> PointMatches:
    """Weight 1 where forward and backward agree, else 0. Faint pictures are followed on a quarter of their size."""
    if not len(pair.points):
        return PointMatches(pair.points, np.zeros(0, np.float32))
    if pair.prev.faint:
        small = prepare(reduced(pair.prev.gray)), prepare(reduced(pair.next.gray))
        matches = _lucas_kanade(*small, to_reduced(pair.points), FAINT_WINDOW_PX)
        return PointMatches(from_reduced(matches.points), matches.weight)
    return _lucas_kanade(pair.prev, pair.next, pair.points, WINDOW_PX)


def follow_wide(pair: PicturePair) -> PointMatches:
    """As `klt`, in wide windows and from one pyramid level higher: slower, and for what it does not find."""
    if not len(pair.points):
        return PointMatches(pair.points, np.zeros(0, np.float32))
    return _lucas_kanade(pair.prev, pair.next, pair.points, WIDE_WINDOW_PX, WIDE_PYRAMID_LEVELS)


def _lucas_kanade(
    prev: Picture, next_: Picture, points: Float32, window_px: tuple[int, int], levels: int = PYRAMID_LEVELS
) -> PointMatches:
    target = _same_exposure(prev, next_)
    guess = points + common_shift(prev, next_)
    flags = cv2.OPTFLOW_USE_INITIAL_FLOW
    options: dict[str, Any] = {"winSize": window_px, "maxLevel": levels - 1, "criteria": CRITERIA}
    there, found, _ = cv2.calcOpticalFlowPyrLK(prev.gray, target, points, guess.copy(), flags=flags, **options)
    # The way back starts at the origin, so a gross error cannot hide behind its own start.
    back, returned, _ = cv2.calcOpticalFlowPyrLK(
        target, prev.gray, there, (there - (guess - points)).astype(np.float32), flags=flags, **options
    )
    distance = np.linalg.norm(back.reshape(-1, 2) - points, axis=1)
    ok = (found.ravel() > 0) & (returned.ravel() > 0) & (distance < ROUND_TRIP_MAX_PX)
    return PointMatches(np.asarray(there.reshape(-1, 2), np.float32), ok.astype(np.float32))


def common_shift(prev: Picture, next_: Picture) -> Float32:
    """A large common shift in pixels (x, y) by phase correlation; zero where none stands out."""
    window = cv2.createHanningWindow((prev.coarse.shape[1], prev.coarse.shape[0]), cv2.CV_32F)
    (x, y), response = cv2.phaseCorrelate(prev.coarse - prev.mean, next_.coarse - next_.mean, window)
    shift = np.array([x, y], np.float32) * COARSE
    clear = response > COMMON_SHIFT_MIN_RESPONSE and np.hypot(*shift) > COMMON_SHIFT_MIN_PX
    return shift if clear else np.zeros(2, np.float32)


def _same_exposure(prev: Picture, next_: Picture) -> UInt8:
    """The next picture in the brightness of the previous frame: Lucas-Kanade compares gray levels as they stand."""
    gain = prev.deviation / max(next_.deviation, 1e-3)
    if SAME_GAIN[0] < gain < SAME_GAIN[1] and abs(prev.mean - next_.mean) < SAME_LEVELS:
        return next_.gray
    gain = float(np.clip(gain, *GAIN_LIMITS))
    levels = np.clip((np.arange(256) - next_.mean) * gain + prev.mean, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(next_.gray, levels))


def _follow(pairs: Sequence[PicturePair]) -> list[PointMatches]:
    return [klt(pair) for pair in pairs]


KLT = MotionSource(lambda _: _follow)
