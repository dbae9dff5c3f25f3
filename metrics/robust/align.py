"""Homography B from an input frame to its output frame: predicted from both motions, then measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.compat.sift import detect as sift_detect
from metrics.compat.sift import homography as sift_homography
from metrics.opencv import cv2
from metrics.robust.motion import Matrix, PairMotion, Points, between
from metrics.video import Gray

Positions = NDArray[np.float64]  # (N, 2) px
REWARP_MIN_PX = 1.0  # a prediction closer than this needs no second warp
MAX_SEARCH_PAUSE_FRAMES = 32  # full-frame searches are slow: each failure doubles the pause before the next


def predict(B_prev: Matrix, out_motion: PairMotion | None, in_motion: PairMotion | None) -> Matrix:
    """Return T_out B_prev T_in^-1. A failed motion counts as the identity: `refine` corrects the prediction."""
    T_out = out_motion.H_next_prev if out_motion else np.eye(3)
    T_in = in_motion.H_next_prev if in_motion else np.eye(3)
    B = T_out @ B_prev @ np.linalg.inv(T_in)
    return np.asarray(B / B[2, 2])


@dataclass(frozen=True)
class Alignment:
    """An input frame aligned with its output frame. Lengths in px at analysis size."""

    B_out_in: Matrix
    """Homography from input to output, (3, 3)."""
    warped_in: Gray
    """The input warped onto the output, to within a pixel."""
    tracks: tuple[Positions, Positions]
    """Matching points in the input and in the output that B was fitted to, (N, 2) each."""


def warp(ref: Gray, B: Matrix, shape: tuple[int, ...]) -> Gray:
    """Warp the input frame onto the output, (H, W) of `shape`. Bicubic, so sharpness is that of one good resampling."""
    warped: Gray = cv2.warpPerspective(ref, B, (shape[1], shape[0]), flags=cv2.INTER_CUBIC)
    return warped


def refine(out: Gray, ref: Gray, B: Matrix, out_points: Points) -> Alignment | None:
    """Correct B by the remaining motion between warped input and output; None if they do not match."""
    warped = warp(ref, B, out.shape)
    residual = between(out, warped, out_points, near=True)
    if residual is None:
        return None
    refined = np.linalg.inv(residual.H_next_prev) @ B
    refined = np.asarray(refined / refined[2, 2])
    far = np.abs(residual.following - residual.prev)[residual.inlier].max() > REWARP_MIN_PX
    in_px = cv2.perspectiveTransform(residual.following[residual.inlier].reshape(-1, 1, 2), np.linalg.inv(B)).reshape(
        -1, 2
    )
    tracks = (np.asarray(in_px, np.float64), residual.prev[residual.inlier].astype(np.float64))
    return Alignment(refined, warp(ref, refined, out.shape) if far else warped, tracks)


def search(out: Gray, ref: Gray) -> Matrix | None:
    """Estimate B without a prediction, from SIFT matches over the whole frame."""
    return sift_homography(sift_detect(ref), sift_detect(out))


@dataclass
class Aligner:
    """Tracks B over a video. Mutable: the last B (measured, or else predicted) and the pause between searches."""

    B: Matrix | None = None
    pause_frames: int = 1
    frames_since_search: int = 1

    def step(
        self, out: Gray, ref: Gray, out_points: Points, motions: tuple[PairMotion | None, PairMotion | None]
    ) -> Alignment | None:
        """Align one frame pair; None if that fails. `motions`: of output and input since the last pair."""
        predicted = predict(self.B, *motions) if self.B is not None else None
        alignment = refine(out, ref, predicted, out_points) if predicted is not None else None
        if alignment is None and self.frames_since_search >= self.pause_frames:
            B = search(out, ref)
            alignment = refine(out, ref, B, out_points) if B is not None else None
            self.frames_since_search, self.pause_frames = 0, min(2 * self.pause_frames, MAX_SEARCH_PAUSE_FRAMES)
        if alignment is not None:
            self.frames_since_search, self.pause_frames = 1, 1
            self.B = alignment.B_out_in
        else:
            self.frames_since_search += 1
            self.B = predicted
        return alignment
