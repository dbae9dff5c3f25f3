"""Second tries at a pair whose corners agreed on no motion: blurred, shaken line by line, or moved far.

Blur leaves coarse structure only, and vibration bends the picture by some pixels, so points are searched in wider
windows, or as features without any prior, agree within some pixels, and carry no more than an affine motion. What two
pictures are said to share must then show in their gray levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from stabilize.core import Float, Float32, UInt8
from stabilize.motion.background import Found, found_of
from stabilize.motion.features import Corners
from stabilize.motion.sources import Picture, PicturePair
from stabilize.motion.sources.klt import follow_wide
from stabilize.motion.sources.picture import coarse_motion

COARSENESS = 6  # by how much matches of blurred pictures miss more than those of clear ones
LIKENESS_MIN = 0.85  # normalised correlation of the two pictures after the motion,
LIKENESS_LOSS_MAX = 0.02  # and by how much it may be below that without any: foreground may have stood still
OVERLAP_MIN = 0.3  # share of the picture that both show
FEATURES_MAX = 1000
FEATURE_CONTRAST_MIN = 0.01  # of SIFT: a quarter of the usual one, for blurred pictures
NEAREST_RATIO_MAX = 0.8  # of the distances to the best and the second best match (Lowe 2004)
HALF = 2  # features are looked for on half the size: finer ones do not survive blur
Search = Callable[[Picture, Picture, Corners], Found]


def wide_windows(prev: Picture, next_: Picture, corners: Corners) -> Found:
    """The corners of `prev`, followed by Lucas-Kanade in wide windows from one pyramid level higher."""
    found = found_of(corners, follow_wide(PicturePair(prev, next_, corners.points)))
    return replace(found, coarseness=COARSENESS, blurred=True)


def features(prev: Picture, next_: Picture, corners: Corners) -> Found:
    """SIFT features of both pictures (Lowe 2004), the clearest match of every cell; `corners` says which cells."""
    sift = cv2.SIFT.create(nfeatures=FEATURES_MAX, contrastThreshold=FEATURE_CONTRAST_MIN)
    (a, of_a), (b, of_b) = (_described(sift, picture.gray) for picture in (prev, next_))
    if len(b) < 2 or not len(a):
        none = np.zeros((0, 2), np.float32)
        return Found(none, none, none[:, 0], np.zeros(0, np.intp), COARSENESS, blurred=True)
    best, second = zip(*cv2.BFMatcher(cv2.NORM_L2).knnMatch(of_a, of_b, k=2), strict=True)
    ratio = np.array([one.distance / max(two.distance, 1e-6) for one, two in zip(best, second, strict=True)])
    index = np.array([one.trainIdx for one in best], np.intp)
    height, width = prev.gray.shape
    rows, cols = corners.grid
    cell = (a[:, 1] * rows / height).astype(np.intp) * cols + (a[:, 0] * cols / width).astype(np.intp)
    order = np.argsort(ratio)
    order = order[ratio[order] < NEAREST_RATIO_MAX]
    _, first = np.unique(cell[order], return_index=True)
    chosen = order[first]
    return Found(a[chosen], b[index[chosen]], np.ones(len(chosen), np.float32), cell[chosen], COARSENESS, blurred=True)


def _described(sift: cv2.SIFT, gray: UInt8) -> tuple[Float32, Float32]:
    """Features of half the picture: where in the whole one, pixels (k, 2), and descriptors (k, 128)."""
    height, width = gray.shape
    small = cv2.resize(gray, (max(width // HALF, 1), max(height // HALF, 1)), interpolation=cv2.INTER_AREA)
    points, descriptors = sift.detectAndCompute(small, None)
    if descriptors is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    at = (np.array([point.pt for point in points], np.float32) + 0.5) * HALF - 0.5
    return at.clip(0, (width - 1, height - 1)).astype(np.float32), np.asarray(descriptors, np.float32)


SEARCHES: tuple[Search, ...] = (wide_windows, features)


def is_shown(prev: Picture, next_: Picture, H_px: Float) -> bool:
    """Whether the gray levels of the pictures agree with a motion (3, 3) in pixels, previous to next."""
    after = likeness_after(prev, next_, H_px)
    return after > LIKENESS_MIN and after > likeness_after(prev, next_, np.eye(3)) - LIKENESS_LOSS_MAX


def likeness_after(prev: Picture, next_: Picture, H_px: Float) -> float:
    """Normalised correlation of the pictures' quarter-size copies where both show the scene; -1 where too little is."""
    height, width = prev.coarse.shape
    H = coarse_motion(H_px)
    whole = np.full((height, width), 255, np.uint8)
    both = cv2.warpPerspective(whole, H, (width, height)) == 255
    if both.mean() < OVERLAP_MIN:
        return -1.0
    a, b = cv2.warpPerspective(prev.coarse, H, (width, height))[both], next_.coarse[both]
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / max(float(np.sqrt((a @ a) * (b @ b))), 1e-6))
