"""What the picture says: features followed from each frame to the next, in full-size pixels with the frames' own
times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gyro.errors import SyncError
from gyro.log import Float
from gyro.video import opened, picture

UInt8 = NDArray[np.uint8]
Int = NDArray[np.int64]
Frame = tuple[float, UInt8]

LONG_SIDE_PX = 640
MOST_ASPECT = 16.0  # of a pixel: what is beyond is a damaged header
FEATURES = 240
GRID = (6, 8)  # rows, columns: every part of the picture keeps a share of the features
ROUND_TRIP_PX = 0.4
WINDOW_PX = (21, 21)
# A part of the picture is legible where its best corner is CLEAR times as strong as the best one of pure noise, which
# is NOISE_CORNER times its variance (measured for cells of this size). All is faint where few parts are LEGIBLE.
BLOCK, CELL_PX, NOISE_CORNER, CLEAR, LEGIBLE = 5, 20, 1.82e-5, 3.0, 0.15
LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
FAINT = 4  # reduction of faint pictures: it takes as much off the noise, and hardly anything off soft shades
STRETCHED = 50.0  # deviation in grey levels of a reduced picture
CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 0.003)


@dataclass(frozen=True, slots=True)
class Tracks:
    """Features of a clip: m matches between neighbouring ones of n frames.

    `time_s` (n,) frame times, the first 0, strictly increasing; `pair` (m,) ascending: match i lies between frames
    pair[i] and pair[i] + 1; `prev_px`, `next_px` (m, 2) x, y with integer pixel centres, square pixels.
    """

    time_s: Float
    width: int
    height: int
    pair: Int
    prev_px: Float
    next_px: Float

    def __post_init__(self) -> None:
        m = len(self.pair)
        if self.prev_px.shape != (m, 2) or self.next_px.shape != (m, 2):
            raise ValueError("prev_px and next_px must be (m, 2)")
        if np.any(np.diff(self.time_s) <= 0):
            raise ValueError("time_s must increase strictly")
        if m and (np.any(np.diff(self.pair) < 0) or self.pair[0] < 0 or self.pair[-1] > len(self.time_s) - 2):
            raise ValueError("pair must ascend and index frames that have a next one")

    @property
    def centre_px(self) -> Float:
        """Middle of the picture."""
        return np.array([(self.width - 1) / 2, (self.height - 1) / 2])

    @property
    def interval_s(self) -> float:
        """The usual (median) time between two frames."""
        return float(np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else 1 / 30


def track_video(path: str | Path, limit_s: float | None = None) -> Tracks:
    """Follow features through a local video. Raises InputError where it cannot be opened or decoded, SyncError where
    it has under two frames.

    Shi-Tomasi corners on a grid and pyramidal Lucas-Kanade, forward and backward; a match that does not come home
    within 0.4 px (of the 640 px picture) is dropped. `limit_s` stops early.
    """
    with opened(path) as container:
        stream = picture(container, path)
        aspect = float(stream.sample_aspect_ratio or 1)
        aspect = aspect if 1 / MOST_ASPECT <= aspect <= MOST_ASPECT else 1.0
        size = max(round(stream.width * aspect), 1), stream.height
        return track_frames(_luma(container, stream, size, limit_s), *size)


def _luma(container: Any, stream: Any, size: tuple[int, int], limit_s: float | None) -> Iterator[Frame]:
    """(time_s, small grey picture) of each frame, first time 0; frames without a later time than the last are left
    out."""
    small = _small_size(*size)
    time_base = stream.time_base or Fraction(1, 90000)
    first: int | None = None
    last = -1
    for frame in container.decode(stream):
        if frame.pts is None or (first is not None and frame.pts <= last):
            continue
        first, last = frame.pts if first is None else first, frame.pts
        time_s = float((last - first) * time_base)
        if limit_s is not None and time_s > limit_s:
            return
        grey = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
        if small != grey.shape[::-1]:
            grey = np.asarray(cv2.resize(grey, small, interpolation=cv2.INTER_AREA), np.uint8)
        yield time_s, grey


def _small_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, LONG_SIDE_PX / max(width, height))
    return max(round(width * scale), 1), max(round(height * scale), 1)


def track_frames(frames: Iterable[Frame], width: int, height: int) -> Tracks:
    """Tracks of (time_s, grey picture) pairs; the pictures may be smaller than `width` x `height`, the matches are
    scaled up. Faint pictures, in which corners do not stand out of the noise, are followed on a quarter of their
    size."""
    times: list[float] = []
    matches: list[tuple[Float, Float]] = []
    before: UInt8 | None = None
    for time_s, grey in frames:
        if before is not None:
            matches.append(_match_faint(before, grey) if is_faint(before) else _match(before, grey))
        before = grey
        times.append(time_s)
    if before is None or len(times) < 2:
        raise SyncError(f"{len(times)} readable frames; at least two are needed")
    scale = np.array([width / before.shape[1], height / before.shape[0]])
    sides = [[(pixels + 0.5) * scale - 0.5 for pixels in side] for side in zip(*matches, strict=True)]
    pair = np.repeat(np.arange(len(matches)), [len(prev) for prev, _ in matches])
    return Tracks(np.array(times), width, height, pair, np.concatenate(sides[0]), np.concatenate(sides[1]))


def is_faint(grey: UInt8) -> bool:
    """Whether hardly a part of a picture has a corner that stands out of the noise. Noise: Immerkaer (1996)."""
    height, width = grey.shape
    if min(height, width) < 2 * FAINT * GRID[0]:
        return False
    noise = float(cv2.norm(cv2.filter2D(grey, cv2.CV_16S, LAPLACIANS), cv2.NORM_L1)) / grey.size * 1.2533 / 6
    strength = np.asarray(cv2.cornerMinEigenVal(grey, BLOCK))
    rows, columns = height // CELL_PX, width // CELL_PX
    cells = strength[: rows * CELL_PX, : columns * CELL_PX].reshape(rows, CELL_PX, columns, CELL_PX).max(axis=(1, 3))
    return bool(np.mean(cells > CLEAR * NOISE_CORNER * noise**2) < LEGIBLE)


def _match_faint(prev: UInt8, next_: UInt8) -> tuple[Float, Float]:
    """As `_match`, on reduced pictures, each stretched by its own mean and deviation."""
    sides = _match(_reduced(prev), _reduced(next_))
    return (sides[0] + 0.5) * FAINT - 0.5, (sides[1] + 0.5) * FAINT - 0.5


def _reduced(grey: UInt8) -> UInt8:
    size = (grey.shape[1] // FAINT, grey.shape[0] // FAINT)
    small = cv2.resize(
        grey.astype(np.float32)[: size[1] * FAINT, : size[0] * FAINT], size, interpolation=cv2.INTER_AREA
    )
    spread = max(float(small.std()), 0.1)
    return np.asarray(np.clip((small - small.mean()) * (STRETCHED / spread) + 128, 0, 255), np.uint8)


def _match(prev: UInt8, next_: UInt8) -> tuple[Float, Float]:
    """Matched pixels (k, 2) of two pictures, k may be 0."""
    corners = _corners(prev)
    if len(corners) == 0:
        return np.zeros((0, 2)), np.zeros((0, 2))
    there, found = _follow(prev, next_, corners)
    home, back = _follow(next_, prev, there)
    good = found & back
    good &= np.hypot(*(home - corners).reshape(-1, 2).T) < ROUND_TRIP_PX
    height, width = next_.shape
    good &= np.all((there >= 0) & (there <= (width - 1, height - 1)), axis=-1).ravel()
    return corners.reshape(-1, 2)[good].astype(float), there.reshape(-1, 2)[good].astype(float)


def _follow(source: UInt8, target: UInt8, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where points (k, 1, 2) of one picture are in another, and which were found (k,)."""
    guess = points.copy()
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        source, target, points, guess, winSize=WINDOW_PX, maxLevel=4, criteria=CRITERIA
    )
    return np.asarray(there, np.float32), np.asarray(found).ravel() == 1


def _corners(grey: UInt8) -> NDArray[np.float32]:
    """(k, 1, 2) corners, at most an equal share of FEATURES from each cell of the grid."""
    share = -(-FEATURES // (GRID[0] * GRID[1]))
    found = cv2.goodFeaturesToTrack(grey, FEATURES * 6, 0.005, 7)
    if found is None:
        return np.zeros((0, 1, 2), np.float32)
    height, width = grey.shape
    cell = (found[:, 0, 1] * GRID[0] / height).astype(int) * GRID[1] + (found[:, 0, 0] * GRID[1] / width).astype(int)
    order = np.argsort(cell, kind="stable")  # strongest first within each cell
    rank = np.arange(len(order)) - np.searchsorted(cell[order], cell[order])
    return np.asarray(found[order[rank < share]], np.float32)
