"""B_t, the homography from an input frame to its output frame: predicted from both motions, then measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.compat.sift import detect as sift_detect
from metrics.compat.sift import homography as sift_homography
from metrics.opencv import cv2
from metrics.robust.motion import Matrix, PairMotion, Points, between
from metrics.video import Gray

Places = NDArray[np.float64]  # (N, 2) px
REWARP_PX = 1.0  # a prediction better than this is good enough to compare pictures
MAX_PAUSE_FRAMES = 32  # a search over the whole picture is slow: each one in vain doubles the pause before the next


def predict(B_prev: Matrix, out_motion: PairMotion | None, in_motion: PairMotion | None) -> Matrix:
    """T_out B_prev T_in^-1; a motion that failed counts as none, for the measurement that follows corrects it."""
    T_out = out_motion.H_next_prev if out_motion else np.eye(3)
    T_in = in_motion.H_next_prev if in_motion else np.eye(3)
    B = T_out @ B_prev @ np.linalg.inv(T_in)
    return np.asarray(B / B[2, 2])


@dataclass(frozen=True)
class Alignment:
    """B_out_in (3, 3) in work px, the input in the output's place by it (to within a pixel), and what it was fitted to:
    places in the input and the same in the output, (N, 2) work px each."""

    B_out_in: Matrix
    warped_in: Gray
    tracks: tuple[Places, Places]


def warp(ref: Gray, B: Matrix, shape: tuple[int, ...]) -> Gray:
    """The input frame in the output's place, (H, W) of `shape`; cubic: its sharpness is that of one good resampling."""
    warped: Gray = cv2.warpPerspective(ref, B, (shape[1], shape[0]), flags=cv2.INTER_CUBIC)
    return warped


def refine(out: Gray, ref: Gray, B: Matrix, out_points: Points) -> Alignment | None:
    """B corrected by what still moves between the warped input and the output; None where they do not match."""
    warped = warp(ref, B, out.shape)
    rest = between(out, warped, out_points, near=True)
    if rest is None:
        return None
    refined = np.linalg.inv(rest.H_next_prev) @ B
    refined = np.asarray(refined / refined[2, 2])
    far = np.abs(rest.following - rest.prev)[rest.inlier].max() > REWARP_PX
    in_px = cv2.perspectiveTransform(rest.following[rest.inlier].reshape(-1, 1, 2), np.linalg.inv(B)).reshape(-1, 2)
    tracks = (np.asarray(in_px, np.float64), rest.prev[rest.inlier].astype(np.float64))
    return Alignment(refined, warp(ref, refined, out.shape) if far else warped, tracks)


def search(out: Gray, ref: Gray) -> Matrix | None:
    """B without any prediction, from SIFT matches over the whole picture."""
    return sift_homography(sift_detect(ref), sift_detect(out))


@dataclass
class Aligner:
    """Follows B over a video. Mutable: the last B (measured, or else predicted) and the pause between searches."""

    B: Matrix | None = None
    pause: int = 1
    waited: int = 1

    def step(
        self, out: Gray, ref: Gray, out_points: Points, motions: tuple[PairMotion | None, PairMotion | None]
    ) -> Alignment | None:
        """B of this frame pair, or None: a failure. `motions`: of output and of input since the last pair."""
        predicted = predict(self.B, *motions) if self.B is not None else None
        found = refine(out, ref, predicted, out_points) if predicted is not None else None
        if found is None and self.waited >= self.pause:
            B = search(out, ref)
            found = refine(out, ref, B, out_points) if B is not None else None
            self.waited, self.pause = 0, min(2 * self.pause, MAX_PAUSE_FRAMES)
        if found is not None:
            self.waited, self.pause = 1, 1
            self.B = found.B_out_in
        else:
            self.waited += 1
            self.B = predicted
        return found
