"""The matching of all published programs: SIFT, brute-force kNN, ratio test 0.7, homography by RANSAC at 5 px."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.opencv import cv2
from metrics.video import Gray

Matrix = NDArray[np.float64]

RATIO_MAX = 0.7
MATCHES_MIN = 10  # a homography needs more than this
RANSAC_PX = 5.0


@dataclass(frozen=True)
class Features:
    """SIFT features of an image."""

    points: NDArray[np.float32]
    """Key points (N, 2), px."""
    descriptors: NDArray[np.float32]
    """Descriptors (N, 128)."""


def detect(gray: Gray, sift: Any | None = None) -> Features:
    """SIFT features of a gray image, with OpenCV's default settings unless a detector is given."""
    key_points, descriptors = (sift or cv2.SIFT_create()).detectAndCompute(gray, None)
    if descriptors is None:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.float32))
    return Features(np.array([k.pt for k in key_points], np.float32).reshape(-1, 2), descriptors)


def homography(source: Features, target: Features) -> Matrix | None:
    """H_target_source (3, 3). None if ten or fewer matches pass the ratio test, or RANSAC fails."""
    if len(source.points) < 1 or len(target.points) < 2:
        return None
    pairs = cv2.BFMatcher().knnMatch(source.descriptors, target.descriptors, k=2)
    good = [m for m, n in pairs if m.distance < RATIO_MAX * n.distance]
    if len(good) <= MATCHES_MIN:
        return None
    p_source = source.points[[m.queryIdx for m in good]].reshape(-1, 1, 2)
    p_target = target.points[[m.trainIdx for m in good]].reshape(-1, 1, 2)
    H, _ = cv2.findHomography(p_source, p_target, method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX)
    return None if H is None else np.asarray(H, np.float64)
