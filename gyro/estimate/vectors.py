"""Products of many small vectors and matrices: numpy's own are made for few large ones, and SciPy's rotations compose
ten times slower than matrices do."""

from __future__ import annotations

import numpy as np

from gyro.log import Float


def dot(a: Float, b: Float) -> Float:
    """Scalar products (...) of vectors (..., k)."""
    return np.asarray(np.einsum("...i,...i->...", a, b))


def cross(a: Float, b: Float) -> Float:
    """Cross products (..., 3)."""
    out = np.empty(np.broadcast_shapes(a.shape, b.shape))
    for i, (j, k) in enumerate(((1, 2), (2, 0), (0, 1))):
        out[..., i] = a[..., j] * b[..., k] - a[..., k] * b[..., j]
    return out


def from_frame(R: Float, x: Float) -> Float:
    """R x, of matrices (..., 3, 3) and vectors (..., 3)."""
    return np.asarray(np.einsum("...ij,...j->...i", R, x))


def to_frame(R: Float, x: Float) -> Float:
    """R' x, of matrices (..., 3, 3) and vectors (..., 3)."""
    return np.asarray(np.einsum("...ij,...i->...j", R, x))
