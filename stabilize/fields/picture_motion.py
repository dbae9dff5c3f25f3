"""The motion of pairs of frames as a field, and pairs without a measurement bridged by those around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stabilize.core import Float, Motion


def picture_motion(motion: Motion, part: slice, nodes: Float) -> Float:
    """Where the nodes (k, 2) of some pairs are in the next frame, by the picture's motion: (m, k, 2)."""
    image = np.column_stack([nodes, np.ones(len(nodes))]) @ motion.H_next_prev[part].transpose(0, 2, 1)
    return np.asarray(image[..., :2] / image[..., 2:] + motion.mesh[part].reshape(-1, len(nodes), 2))


def bridge_gaps(values: Float, known: NDArray[np.bool_]) -> None:
    """Interpolate, in place, the unknown values (n, c) of one shot over its pairs; where none is known, they stay."""
    if known.all() or not known.any():
        return
    index = np.arange(len(values))
    for column in range(values.shape[1]):
        values[~known, column] = np.interp(index[~known], index[known], values[known, column])
