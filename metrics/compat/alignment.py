"""One pass over two videos: the homographies B_t (input to output) and T_t (output to next output), and failures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from metrics.compat.sift import Features, Matrix, detect, homography
from metrics.opencv import cv2
from metrics.video import FramePairs, Gray

TILES = 6
TILES_SKIPPED_FRAMES = 10


@dataclass
class TileCorrelation:
    """Running sum and minimum of all entries of the 2x2 corrcoef matrices, as in DVS, which skips ten frames first."""

    frames: int = 0
    """Frames so far."""
    total: float = 0.0
    """Sum of the entries."""
    count: int = 0
    """Number of the entries."""
    lowest: float = np.inf
    """Smallest entry."""

    def add(self, warped_input: Gray, output: Gray) -> None:
        """Add the tiles of a tenth of each side over [.2, .8]. NaN (a flat tile) is left out, as by nanmean."""
        self.frames += 1
        if self.frames <= TILES_SKIPPED_FRAMES:
            return
        h, w = output.shape
        for i in range(TILES):
            rows = slice(int(h * (0.2 + 0.1 * i)), int(h * (0.3 + 0.1 * i)))
            for j in range(TILES):
                columns = slice(int(w * (0.2 + 0.1 * j)), int(w * (0.3 + 0.1 * j)))
                with np.errstate(invalid="ignore", divide="ignore"):
                    matrix = np.corrcoef(output[rows, columns].ravel(), warped_input[rows, columns].ravel())
                self._add_matrix(matrix[~np.isnan(matrix)])

    def _add_matrix(self, values: NDArray[np.float64]) -> None:
        if values.size:
            self.total += float(values.sum())
            self.count += values.size
            self.lowest = min(self.lowest, float(values.min()))


@dataclass
class Alignments:
    """Results of a pass."""

    B_out_in: list[Matrix] = field(default_factory=list)
    """Input to output, one per judged frame."""
    measured_B: list[Matrix] = field(default_factory=list)
    """Those of `B_out_in` that were matched, not reused."""
    T_next_prev: list[Matrix] = field(default_factory=list)
    """One per pair of output frames."""
    T_in: list[Matrix] = field(default_factory=list)
    """One per pair of input frames."""
    tiles: TileCorrelation = field(default_factory=TileCorrelation)
    """Correlation of aligned tiles (DVS)."""
    t_s: list[float] = field(default_factory=list)
    """Times of the judged frames."""
    frames: int = 0
    """Number of output frames."""
    failed_B: int = 0
    """Failed matches of input and output."""
    failed_T: int = 0
    """Failed matches of output frames."""
    failed_T_in: int = 0
    """Failed matches of input frames."""


def align(pairs: FramePairs, *, size: tuple[int, int] | None, reuse: bool, tiles: bool) -> Alignments:
    """Match every output frame with its input frame and with the next output frame.

    `size`: both are resized to it (DVS: 640x480). `reuse`: after a failed match the last matrix is used, whether B or T
    (DIFRINT, DVS); otherwise the frame or pair is left out (programs derived from FuSta). `tiles`: correlate tiles too.
    """
    sift = cv2.SIFT_create()
    result, last = Alignments(), None
    previous: tuple[Features, Features | None] | None = None
    pending: Features | None = None
    for out, ref in pairs:
        out_gray = _resized(out.gray, size)
        out_features = detect(out_gray, sift)
        ref_gray = _resized(ref.gray, size) if ref is not None else None
        ref_features = detect(ref_gray, sift) if ref_gray is not None else None
        if pending is not None:
            last = _add_output_pair(result, pending, out_features, last, reuse)
        if previous is not None:
            _add_input_pair(result, previous[1], ref_features, reuse)
        B = homography(ref_features, out_features) if ref_features is not None else None
        if B is not None and tiles and ref_gray is not None:
            result.tiles.add(cv2.warpPerspective(ref_gray, B, (out_gray.shape[1], out_gray.shape[0])), out_gray)
        last = _add_alignment(result, B, last, reuse, out.t_s)
        previous, pending = (out_features, ref_features), out_features
        result.frames += 1
    return result


def _resized(gray: Gray, size: tuple[int, int] | None) -> Gray:
    return gray if size is None else cv2.resize(gray, size, interpolation=cv2.INTER_LINEAR)


def _add_alignment(result: Alignments, B: Matrix | None, last: Matrix | None, reuse: bool, t_s: float) -> Matrix | None:
    if B is None:
        result.failed_B += 1
    else:
        result.measured_B.append(B)
    used = B if B is not None or not reuse else last
    if used is not None:
        result.B_out_in.append(used)
        result.t_s.append(t_s)
    return B if B is not None else last


def _add_output_pair(
    result: Alignments, prev: Features, next_: Features, last: Matrix | None, reuse: bool
) -> Matrix | None:
    T = homography(prev, next_)
    if T is None:
        result.failed_T += 1
    used = T if T is not None or not reuse else last
    if used is not None:
        result.T_next_prev.append(used)
    return T if T is not None else last


def _add_input_pair(result: Alignments, prev: Features | None, next_: Features | None, reuse: bool) -> None:
    """The input is judged against itself: B is the identity, which is reused after a failed match."""
    T = homography(prev, next_) if prev is not None and next_ is not None else None
    if T is None:
        result.failed_T_in += 1
        T = np.eye(3) if reuse else None
    if T is not None:
        result.T_in.append(T)
