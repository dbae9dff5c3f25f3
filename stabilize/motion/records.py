"""The pairs of a whole video in one array that grows as they come: an hour of single objects would fill a gigabyte."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from stabilize.core import PairMotion
from stabilize.motion.mesh import COLS, ROWS

PAIR = np.dtype(
    [
        ("status", np.uint8),
        ("model", np.uint8),
        ("coverage", np.float32),
        ("residual", np.float32),
        ("H_next_prev", np.float64, (3, 3)),
        ("mesh", np.float16, (ROWS, COLS, 2)),
    ]
)
Records = NDArray[np.void]  # of dtype PAIR
FIRST = 1024


def collect(pairs: Iterable[PairMotion]) -> Records:
    """All pairs as one array (m,) of `PAIR`."""
    records, count = np.zeros(FIRST, PAIR), 0
    for pair in pairs:
        if count == len(records):
            records.resize(2 * count, refcheck=False)  # in place: memory that is not yet used costs nothing
        records[count] = (pair.status, pair.model, pair.coverage, pair.residual, pair.H_next_prev, pair.mesh)
        count += 1
    records.resize(count, refcheck=False)
    return records
