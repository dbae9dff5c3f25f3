"""The mode `nndvs`: the metric of "Minimum Latency Deep Online Video Stabilization" (Zhang et al., ICCV 2023)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from metrics.compat import figures
from metrics.compat.alignment import Alignments
from metrics.compat.programs import mean_and_min, share_score, stability_scores
from metrics.compat.sift import Matrix, detect, homography
from metrics.compat.signal import Stability, stability
from metrics.model import Judgement, Score
from metrics.opencv import cv2
from metrics.video import FramePairs, Gray, VideoInfo

SKIPPED_FRAMES = 31  # at the start of every list; `start` in the program
NOTES = (
    "nndvs: the metric of NNDVS; its B comes from the network's flow, which is not in a video: here B is the"
    " SIFT homography of the other programs, so cropping and distortion are similar, not equal",
    "quirks kept: path from FAST + KLT without a check, RANSAC 3 px; the first 31 frames are not judged; cropping is"
    " blind to zoom; a step with fewer than 4 points is left out and the older frame kept",
)


@dataclass
class KltPath:
    """The program's path of a video: H = motion @ H in float32, starting with the identity."""

    previous: Gray | None = None
    """Last frame that was matched."""
    H: Matrix = field(default_factory=lambda: np.eye(3))
    """Last entry of the path."""
    path: list[Matrix] = field(default_factory=lambda: [np.eye(3)])
    """Accumulated homographies."""
    failed: int = 0
    """Failed matches."""

    def add(self, gray: Gray) -> None:
        """Add a frame. After a failed match the previous frame is kept, as in the program."""
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
    def stability(self) -> Stability:
        """Stability without the first 31 entries; angle atan2(m10, m00)."""
        return stability(self.path[SKIPPED_FRAMES:], "roll")


def klt_homography(prev: Gray, next_: Gray) -> Matrix | None:
    """H_next_prev from FAST corners and one-way Lucas-Kanade, or None for fewer than 4 points."""
    corners = np.array([k.pt for k in cv2.FastFeatureDetector_create().detect(prev, None)], np.float32)
    if len(corners) < 4:
        return None
    points = corners.reshape(-1, 1, 2)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.1)
    next_points, status, _ = cv2.calcOpticalFlowPyrLK(
        prev, next_, points, None, winSize=(17, 17), maxLevel=4, criteria=criteria
    )
    tracked = status.ravel() == 1
    if tracked.sum() < 4:
        return None
    H, _ = cv2.findHomography(points[tracked], next_points[tracked], cv2.RANSAC)
    return None if H is None else np.asarray(H, np.float64)


def _add_to_paths(pairs: FramePairs, out_path: KltPath, ref_path: KltPath) -> FramePairs:
    for out, ref in pairs:
        out_path.add(out.gray)
        if ref is not None:
            ref_path.add(ref.gray)
        yield out, ref


def judge_nndvs(pairs: FramePairs, out: VideoInfo, ref: VideoInfo) -> Judgement:
    """Scores of the mode `nndvs` over pairs of gray frames at their own size."""
    out_path, ref_path = KltPath(), KltPath()
    alignments = _align(_add_to_paths(pairs, out_path, ref_path))
    crop = np.array([figures.inscribed_area(B, out.size) for B in alignments.B_out_in])
    mean, low = mean_and_min(crop)
    _, distortion = mean_and_min(np.array([figures.singular_ratio(B) for B in alignments.B_out_in]))
    scores = [
        share_score("cropping", mean, alignments),
        share_score("cropping_min", low, alignments),
        share_score("distortion", distortion, alignments),
        *stability_scores(
            out_path.stability, ref_path.stability, failures=out_path.failed, total=max(alignments.frames - 1, 0)
        ),
    ]
    if alignments.frames <= SKIPPED_FRAMES:
        scores = [_without_value(score) for score in scores]
    return Judgement("nndvs", out, ref, tuple(scores), NOTES, {"t_s": np.array(alignments.t_s), "cropping": crop})


def _align(pairs: FramePairs) -> Alignments:
    """B of all frames after the first 31; failed matches are left out."""
    sift, alignments = cv2.SIFT_create(), Alignments()
    for out, ref in pairs:
        alignments.frames += 1
        if alignments.frames <= SKIPPED_FRAMES:
            continue
        B = homography(detect(ref.gray, sift), detect(out.gray, sift)) if ref is not None else None
        if B is None:
            alignments.failed_B += 1
            continue
        alignments.B_out_in.append(B)
        alignments.t_s.append(out.t_s)
    return alignments


def _without_value(score: Score) -> Score:
    note = f"the program skips {SKIPPED_FRAMES} frames and the video has no more"
    return Score(score.name, None, score.unit, score.better, score.input, score.failures, score.total, note)
