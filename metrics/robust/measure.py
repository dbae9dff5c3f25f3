"""One pass over the frames that measures everything `robust` scores; stores a few hundred bytes per frame."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from metrics.robust.align import Aligner, Alignment
from metrics.robust.fidelity import aligned_itf_db, blacked_out, frame_mask, itf_db, sharpness
from metrics.robust.geometry import Crop, anisotropy, crop, near_margins, to_native
from metrics.robust.motion import PairMotion, Points, between, detect, similarity
from metrics.robust.wobble import COLUMNS, ROWS, residuals
from metrics.video import FramePairs, Gray, GrayFrame, Size, VideoInfo

FAILED_STEP = np.full(4, np.nan)
FAILED_GRID = np.full((ROWS * COLUMNS, 2), np.nan, np.float32)
FAILED_MARGINS = np.full(4, np.nan)


@dataclass
class Track:
    """Measurements of one video. Lists have one entry per frame pair, except `t_s`: one per frame."""

    t_s: list[float] = field(default_factory=list)
    step: list[NDArray[np.float64]] = field(default_factory=list)  # (dx, dy, roll, log scale), shares of the long side
    grid: list[NDArray[np.float32]] = field(default_factory=list)
    itf_db: list[float] = field(default_factory=list)
    aligned_itf_db: list[float] = field(default_factory=list)
    frame: GrayFrame | None = None
    points: Points = field(default_factory=lambda: np.empty((0, 2), np.float32))

    def add(self, frame: GrayFrame) -> PairMotion | None:
        """Measure the motion since the last frame; None for the first frame, a repeated one, or a failure."""
        prev, points = self.frame, self.points
        if prev is not None and frame.index == prev.index:
            return None
        self.frame, self.points = frame, detect(frame.gray)
        self.t_s.append(frame.t_s)
        if prev is None:
            return None
        motion = between(prev.gray, frame.gray, points)
        self._record(prev.gray, frame.gray, motion)
        return motion

    def _record(self, prev: Gray, gray: Gray, motion: PairMotion | None) -> None:
        size = (gray.shape[1], gray.shape[0])
        self.itf_db.append(itf_db(prev, gray))
        if motion is None:
            self.step.append(FAILED_STEP)
            self.grid.append(FAILED_GRID)
            self.aligned_itf_db.append(np.nan)
            return
        step = similarity(motion, size)
        step[:2] /= max(size)
        self.step.append(step)
        self.grid.append(residuals(motion, size))
        aligned = aligned_itf_db(prev, gray, motion.H_next_prev)
        self.aligned_itf_db.append(np.nan if aligned is None else aligned)

    @property
    def failures(self) -> int:
        """Number of pairs whose motion could not be measured."""
        return sum(1 for step in self.step if not np.isfinite(step).all())


@dataclass
class Overlap:
    """Output relative to input, one entry per output frame; NaN if they could not be aligned."""

    visible: list[float] = field(default_factory=list)
    empty: list[float] = field(default_factory=list)
    margins: list[NDArray[np.float64]] = field(default_factory=list)
    distortion: list[float] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    unmatched: int = 0  # output frames without an input frame near in time

    def add_failure(self) -> None:
        """Add a frame without input frame, or one that could not be aligned with it."""
        self.visible.append(np.nan)
        self.empty.append(np.nan)
        self.margins.append(FAILED_MARGINS)
        self.distortion.append(np.nan)
        self.sharpness.append(np.nan)

    @property
    def failures(self) -> int:
        """Number of frames without measurements."""
        return int(np.isnan(self.visible).sum())


@dataclass(frozen=True)
class Measured:
    """Result of one pass: tracks of output and input, and their overlap; the latter two are empty without input."""

    out: Track
    ref: Track
    overlap: Overlap


def measure(pairs: FramePairs, out: VideoInfo, ref: VideoInfo | None) -> Measured:
    """Measure all frames in one streaming pass. `pairs` are at analysis size; `out` and `ref` have the native sizes."""
    result, aligner = Measured(Track(), Track(), Overlap()), Aligner()
    with ThreadPoolExecutor(1) as worker:  # tracks the input in parallel: OpenCV releases the GIL
        for frame, source in pairs:
            following = worker.submit(result.ref.add, source) if ref and source else None
            motion = result.out.add(frame)
            if ref is None:
                continue
            if source is None or following is None:
                result.overlap.unmatched += 1
                result.overlap.add_failure()
                continue
            _overlap(result, aligner, (frame, source), (motion, following.result()), (ref.size, out.size))
    return result


def _overlap(
    result: Measured,
    aligner: Aligner,
    pair: tuple[GrayFrame, GrayFrame],
    motions: tuple[PairMotion | None, PairMotion | None],
    native: tuple[Size, Size],
) -> None:
    frame, source = pair
    alignment = aligner.step(frame.gray, source.gray, result.out.points, motions)
    if alignment is None:
        result.overlap.add_failure()
    else:
        _compare(result.overlap, frame.gray, source.gray, alignment, native)


def _compare(overlap: Overlap, out: Gray, ref: Gray, alignment: Alignment, native: tuple[Size, Size]) -> None:
    (in_size, out_size), B = native, alignment.B_out_in
    B_native = to_native(B, _scale(ref, in_size), _scale(out, out_size))
    cropped = crop(B_native, in_size, out_size)
    if cropped is None:
        overlap.add_failure()
        return
    margins = _confirmed_margins(cropped, alignment, ref, out)
    empty = cropped.empty if (margins < 0).any() else 0.0
    warped, mask = alignment.warped_in, frame_mask(ref.shape, B, out.shape)
    black = blacked_out(out, warped, mask)
    sharp = sharpness(out, warped, mask)
    overlap.visible.append(cropped.visible * (1 - black))
    overlap.empty.append(empty + (1 - empty) * black)
    overlap.margins.append(margins)
    overlap.distortion.append(anisotropy(B_native, in_size))
    overlap.sharpness.append(np.nan if sharp is None else sharp)


def _confirmed_margins(cropped: Crop, alignment: Alignment, ref: Gray, out: Gray) -> NDArray[np.float64]:
    """Return the margins; a negative one only as far as the tracks near its corners confirm it."""
    if (cropped.margins >= 0).all():
        return cropped.margins
    near = near_margins(alignment.tracks, ref.shape[::-1], out.shape[::-1])
    return np.where(cropped.margins < 0, np.clip(near, cropped.margins, 0), cropped.margins)


def _scale(gray: Gray, native: Size) -> tuple[float, float]:
    return gray.shape[1] / native[0], gray.shape[0] / native[1]
