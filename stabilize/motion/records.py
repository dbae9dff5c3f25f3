"""The pairs of a whole video in arrays that grow as they come: an hour of single objects would fill a gigabyte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stabilize import spool
from stabilize.core import Float16, PairMotion
from stabilize.motion.mesh import COLS, ROWS

PAIR = np.dtype(
    [
        ("status", np.uint8),
        ("model", np.uint8),
        ("coverage", np.float32),
        ("residual", np.float32),
        ("H_next_prev", np.float64, (3, 3)),
    ]
)


@dataclass(frozen=True, slots=True)
class Records:
    """`pairs` (m,) of `PAIR`; `mesh` (m, rows, cols, 2), nine tenths of it all, spooled."""

    pairs: NDArray[np.void]
    mesh: Float16


def collect(pairs: Iterable[PairMotion]) -> Records:
    """All pairs."""
    records, count = np.zeros(spool.CHUNK, PAIR), 0
    mesh = spool.zeros((spool.CHUNK, ROWS, COLS, 2), np.float16)
    for pair in pairs:
        if count == len(records):
            records.resize(2 * count, refcheck=False)  # in place: memory that is not yet used costs nothing
            mesh = spool.resized(mesh, 2 * count)
        records[count] = (pair.status, pair.model, pair.coverage, pair.residual, pair.H_next_prev)
        mesh[count] = pair.mesh
        count += 1
        if count % spool.CHUNK == 0:
            spool.release(mesh)
    records.resize(count, refcheck=False)
    return Records(records, mesh[:count])
