"""Shot cuts, told from fast pans, flashes and fades.

At a cut nothing of the picture before is found again: not by the point tracker, not by a search over shifts of a small
copy, not one or two frames later (as after a flash), nor, where there is doubt, in its tones.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import cv2
import numpy as np

from stabilize.core import Float32, PairStatus, UInt8
from stabilize.motion.mesh import Shape
from stabilize.motion.observation import Observation
from stabilize.motion.pair import failed

THUMBNAIL_PX = (64, 36)  # width, height
SAME_CORRELATION = 0.55  # from which two thumbnails show the same scene
OTHER_CORRELATION = 0.4  # below which they show two, whatever their tones
TONE_CHANGE_MIN = 0.25  # share of pixels that have to change their tone in between
TRACKED_MIN = 0.2  # share of points still found, from which on there was no cut
FLAT_LEVELS = 1.0  # deviation below which a picture is black or white
FLASH_FRAMES = 3


def thumbnail(gray: UInt8) -> UInt8:
    """A small copy, (36, 64)."""
    return np.asarray(cv2.resize(gray, THUMBNAIL_PX, interpolation=cv2.INTER_AREA))


def likeness(a: UInt8, b: UInt8) -> float:
    """Best normalised correlation of the middle of either thumbnail over all its shifts within the other."""
    h, w = a.shape
    best = -1.0
    for one, other in ((a, b), (b, a)):
        patch = one[h // 4 : h - h // 4, w // 4 : w - w // 4].astype(np.float32)
        if patch.std() < FLAT_LEVELS:
            return 1.0  # black or white: a fade, which is no cut
        best = max(best, float(cv2.matchTemplate(other.astype(np.float32), patch, cv2.TM_CCOEFF_NORMED).max()))
    return best


def tone_change(a: UInt8, b: UInt8) -> float:
    """Share of pixels in which the histograms (32 bins) differ, with equal means: 0 the same, 1 nothing in common."""
    return float(np.abs(_tones(a) - _tones(b)).sum() / 2)


def _tones(image: UInt8) -> Float32:
    histogram, _ = np.histogram(image.astype(np.float32) - image.mean(), bins=32, range=(-160, 160))
    return np.asarray(histogram / image.size, dtype=np.float32)


def is_cut(before: list[UInt8], after: list[UInt8], tracked: float) -> bool:
    """Whether a cut lies between the last of `before` and the first of `after`, up to FLASH_FRAMES thumbnails each."""
    if tracked >= TRACKED_MIN or not before or not after:
        return False
    alike = likeness(before[-1], after[0])
    if alike >= SAME_CORRELATION:
        return False
    if alike >= OTHER_CORRELATION and tone_change(before[-1], after[0]) < TONE_CHANGE_MIN:
        return False
    # After a flash the scene comes back; before the end of one, the scene before it is the scene after.
    return all(likeness(b, a) < SAME_CORRELATION for b in before for a in after)


class CutFilter:
    """Marks cuts. A pair is decided once the frames after it, as many as a flash may last, have been pushed."""

    look_ahead = FLASH_FRAMES - 1  # frames after the one that is decided

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._waiting: deque[Observation] = deque()
        self._thumbnails: deque[UInt8] = deque(maxlen=2 * FLASH_FRAMES)

    def push(self, observation: Observation) -> list[Observation]:
        """The observations that are decided now."""
        self._thumbnails.append(observation.thumbnail)
        if observation.frame.motion is None:
            return [observation]
        self._waiting.append(observation)
        return [self._decide()] if len(self._waiting) == FLASH_FRAMES else []

    def finish(self) -> list[Observation]:
        """The rest, at the end of the video."""
        return [self._decide() for _ in range(len(self._waiting))]

    def _decide(self) -> Observation:
        thumbnails, after = list(self._thumbnails), len(self._waiting)
        one = self._waiting.popleft()
        before = thumbnails[: len(thumbnails) - after][-FLASH_FRAMES:]
        if not is_cut(before, thumbnails[len(thumbnails) - after :], one.tracked):
            return one
        return replace(one, frame=replace(one.frame, motion=failed(PairStatus.CUT, self._shape)))
