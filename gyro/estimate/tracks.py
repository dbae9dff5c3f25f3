"""What the picture says: points found again in the next frame, in full-size pixels with the frames' own times. Whoever
has the video finds them; nothing is decoded here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gyro.log import Float

Int = NDArray[np.int64]


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
