"""B_t, the homography from an input frame to its output frame: predicted from both motions, then measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.compat.sift import detect as sift_detect
from metrics.compat.sift import homography as sift_homography
from metrics.opencv import cv2
from metrics.robust.motion import Matrix, PairMotion, Points, between
from metrics.video import Gray

RETRY_FRAMES = 15  # a search over the whole picture is slow; after one in vain, this many frames pass before the next


def predict(B_prev: Matrix, out_motion: PairMotion | None, in_motion: PairMotion | None) -> Matrix:
    """T_out B_prev T_in^-1; a motion that failed counts as none, for the measurement that follows corrects it."""
    T_out = out_motion.H_next_prev if out_motion else np.eye(3)
    T_in = in_motion.H_next_prev if in_motion else np.eye(3)
    B = T_out @ B_prev @ np.linalg.inv(T_in)
    return np.asarray(B / B[2, 2])


def warp(ref: Gray, B: Matrix, shape: tuple[int, ...], flags: int = cv2.INTER_LINEAR) -> Gray:
    """The input frame in the output's place, (H, W) of `shape`."""
    warped: Gray = cv2.warpPerspective(ref, B, (shape[1], shape[0]), flags=flags)
    return warped


def refine(out: Gray, ref: Gray, B: Matrix, out_points: Points) -> Matrix | None:
    """B corrected by what still moves between the warped input and the output; None where they do not match."""
    rest = between(out, warp(ref, B, out.shape), out_points, check=False)
    if rest is None:
        return None
    refined = np.linalg.inv(rest.H_next_prev) @ B
    return np.asarray(refined / refined[2, 2])


def search(out: Gray, ref: Gray) -> Matrix | None:
    """B without any prediction, from SIFT matches over the whole picture."""
    return sift_homography(sift_detect(ref), sift_detect(out))


@dataclass
class Aligner:
    """Follows B over a video. Mutable: the last B and how long a vain search lies back."""

    B: Matrix | None = None
    waited: int = RETRY_FRAMES

    def step(
        self, out: Gray, ref: Gray, out_points: Points, motions: tuple[PairMotion | None, PairMotion | None]
    ) -> Matrix | None:
        """B of this frame pair, or None: a failure. `motions`: of output and of input since the last pair."""
        B = refine(out, ref, predict(self.B, *motions), out_points) if self.B is not None else None
        if B is None and self.waited >= RETRY_FRAMES:
            found = search(out, ref)
            B = refine(out, ref, found, out_points) if found is not None else None
            self.waited = 0 if B is None else RETRY_FRAMES
        elif B is None:
            self.waited += 1
        self.B = B
        return B
