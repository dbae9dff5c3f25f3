"""Matches of points between neighbouring frames, which a motion keeps for synchronisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stabilize.checks import check_array, require

COORDINATE_UNITS_MAX = 16.0  # the corners of the frame are within sqrt(2) of its centre


@dataclass(frozen=True, slots=True)
class Matches:
    """The m points that were tracked into the next frame, to which the motion was fitted."""

    pair: NDArray[np.int64]
    """(m,) ascending: match i lies between frames pair[i] and pair[i] + 1."""
    prev_unit: NDArray[np.float32]
    """(m, 2) in the earlier frame, unit frame."""
    next_unit: NDArray[np.float32]
    """(m, 2) in the later frame, unit frame."""
    weight: NDArray[np.float32]
    """(m,) above 0, up to 1: the confidence of the motion source."""

    def __post_init__(self) -> None:
        m = len(self.pair)
        check_array(self.pair, "pair", np.int64, (m,))
        ascends = bool(np.all(self.pair[1:] >= self.pair[:-1])) and not (m and self.pair[0] < 0)
        require(ascends, "pair must ascend from 0")
        for name, most in (("prev_unit", COORDINATE_UNITS_MAX), ("next_unit", COORDINATE_UNITS_MAX), ("weight", 1.0)):
            values = getattr(self, name)
            check_array(values, name, np.float32, (m,) if name == "weight" else (m, 2))
            require(bool((np.abs(values) <= most).all()), f"{name} must be finite, and at most {most:g}")
        require(bool((self.weight > 0).all()), "weight must be above 0")

    def __len__(self) -> int:
        return len(self.pair)


def no_matches() -> Matches:
    """An empty set of matches."""
    none = np.zeros((0, 2), np.float32)
    return Matches(np.zeros(0, np.int64), none, none, none[:, 0])
