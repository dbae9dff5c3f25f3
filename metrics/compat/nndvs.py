"""The mode `nndvs`: the metric of "Minimum Latency Deep Online Video Stabilization" (Zhang et al., ICCV 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from metrics.compat import figures
from metrics.compat.programs import mean_and_min, share_score, stability_scores
from metrics.compat.sift import Matrix, detect, homography
from metrics.compat.signal import Stability, stability
from metrics.compat.walk import Walk
from metrics.model import Judgement, Score
from metrics.opencv import cv2
from metrics.video import FramePairs, Gray, GrayFrame, VideoInfo

SKIPPED = 31  # frames at the head of every list, the program's `start`
SAYS = (
    "nndvs: the metric of NNDVS; its B comes from the network's own flow, which a video does not carry: here B is the"
    " SIFT homography of the other programs, so cropping and distortion are close to it, not equal",
    "quirks kept: path from FAST + KLT without a check, RANSAC 3 px; the first 31 frames are not judged; cropping is"
    " blind to zoom; a step with fewer than 4 points is left out and the older frame kept",
)


@dataclass
class KltPath:
    """The program's own path: H = motion @ H in float32, starting with the identity."""

    previous: Gray | None = None
    H: Matrix = field(default_factory=lambda: np.eye(3))
    path: list[Matrix] = field(default_factory=lambda: [np.eye(3)])
    failed: int = 0

    def add(self, gray: Gray) -> None:
        """One more frame; a failed step keeps the previous frame, as the program does."""
        if self.previous is None:
            self.previous = gray
            return
        motion = klt_homography(self.previous, gray)
        if motion is None:
            self.failed += 1
            return
        self.H = (motion @ self.H).astype(np.float32).astype(np.float64)
        self.path.append(self.H)
        self.previous = gray

    @property
    def judged(self) -> Stability:
        """Stability without the first 31 entries; angle atan2(m10, m00)."""
        return stability(self.path[SKIPPED:], "roll")


def klt_homography(prev: Gray, following: Gray) -> Matrix | None:
    """H_next_prev from FAST corners and one-way Lucas-Kanade, or None for fewer than 4 points."""
    corners = np.array([k.pt for k in cv2.FastFeatureDetector_create().detect(prev, None)], np.float32)
    if len(corners) < 4:
        return None
    points = corners.reshape(-1, 1, 2)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.1)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        prev, following, points, None, winSize=(17, 17), maxLevel=4, criteria=criteria
    )
    kept = status.ravel() == 1
    if kept.sum() < 4:
        return None
    H, _ = cv2.findHomography(points[kept], moved[kept], cv2.RANSAC)
    return None if H is None else np.asarray(H, np.float64)


def _tracked(pairs: FramePairs, of_out: KltPath, of_in: KltPath) -> Iterator[tuple[GrayFrame, GrayFrame | None]]:
    for out, ref in pairs:
        of_out.add(out.gray)
        if ref is not None:
            of_in.add(ref.gray)
        yield out, ref


def judge_nndvs(pairs: FramePairs, out: VideoInfo, ref: VideoInfo) -> Judgement:
    """Scores of the mode `nndvs` over pairs of native gray frames."""
    of_out, of_in = KltPath(), KltPath()
    seen = _alignments(_tracked(pairs, of_out, of_in))
    crop = np.array([figures.inscribed_area(B, out.size) for B in seen.B_out_in])
    mean, low = mean_and_min(crop)
    _, distortion = mean_and_min(np.array([figures.singular_ratio(B) for B in seen.B_out_in]))
    scores = [
        share_score("cropping", mean, seen),
        share_score("cropping_min", low, seen),
        share_score("distortion", distortion, seen),
        *stability_scores(of_out.judged, of_in.judged, failures=of_out.failed, total=max(seen.frames - 1, 0)),
    ]
    if seen.frames <= SKIPPED:
        scores = [_too_short(score) for score in scores]
    return Judgement("nndvs", out, ref, tuple(scores), SAYS, {"t_s": np.array(seen.t_s), "cropping": crop})


def _alignments(pairs: FramePairs) -> Walk:
    """B of every frame after the first 31; a failed match is left out."""
    sift, seen = cv2.SIFT_create(), Walk()
    for out, ref in pairs:
        seen.frames += 1
        if seen.frames <= SKIPPED:
            continue
        B = homography(detect(ref.gray, sift), detect(out.gray, sift)) if ref is not None else None
        if B is None:
            seen.failed_B += 1
            continue
        seen.B_out_in.append(B)
        seen.t_s.append(out.t_s)
    return seen


def _too_short(score: Score) -> Score:
    why = f"the program skips {SKIPPED} frames and the video has no more"
    return Score(score.name, None, score.unit, score.better, score.input, score.failures, score.total, why)
