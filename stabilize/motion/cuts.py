"""Shot cuts, told from fast pans, flashes and fades.

At a cut nothing of the picture before is found again: not by the point tracker, not by a search over shifts of a small
copy, not one or two frames later (as after a flash), nor, where there is doubt, in its tones.
"""

from __future__ import annotations

import cv2
import numpy as np

from stabilize.core import Float32, UInt8

THUMB = (64, 36)  # width, height
SAME = 0.55  # normalised correlation from which two thumbnails show the same scene
OTHER = 0.4  # below which they show two, whatever their tones
TONES = 0.25  # share of pixels that have to change their tone in between
TRACKED = 0.2  # share of points still found, from which on there was no cut
FLASH_FRAMES = 3


def thumbnail(gray: UInt8) -> UInt8:
    """A small copy, (36, 64)."""
    return np.asarray(cv2.resize(gray, THUMB, interpolation=cv2.INTER_AREA))


def likeness(a: UInt8, b: UInt8) -> float:
    """Best normalised correlation of the middle of either thumbnail over all its shifts within the other."""
    h, w = a.shape
    best = -1.0
    for one, other in ((a, b), (b, a)):
        patch = one[h // 4 : h - h // 4, w // 4 : w - w // 4].astype(np.float32)
        if patch.std() < 1.0:
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
    if tracked >= TRACKED or not before or not after:
        return False
    alike = likeness(before[-1], after[0])
    if alike >= SAME or (alike >= OTHER and tone_change(before[-1], after[0]) < TONES):
        return False
    # After a flash the scene comes back; before the end of one, the scene before it is the scene after.
    return all(likeness(b, a) < SAME for b in before for a in after)
