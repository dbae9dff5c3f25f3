"""The group of similarities of the plane, in complex numbers.

A similarity (a, b, x, y), p -> [[a, -b], [b, a]] p + (x, y), is a pair of complex numbers z = a + ib and w = x + iy,
acting on a point p as z p + w.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stabilize.core import Float

Complex = NDArray[np.complex128]


def to_complex(poses: Float) -> Complex:
    """(n, 4) real (a, b, x, y) to (n, 2) complex (z, w)."""
    return np.ascontiguousarray(poses, dtype=np.float64).view(np.complex128)


def to_real(poses: Complex) -> Float:
    """(n, 2) complex (z, w) to (n, 4) real (a, b, x, y)."""
    return np.ascontiguousarray(poses).view(np.float64)


def inverse(poses: Complex) -> Complex:
    """Inverse similarities of (..., 2)."""
    z = 1 / poses[..., 0]
    return np.stack([z, -z * poses[..., 1]], axis=-1)


def compose(outer: Complex, inner: Complex) -> Complex:
    """outer after inner, both (..., 2)."""
    return np.stack([outer[..., 0] * inner[..., 0], outer[..., 0] * inner[..., 1] + outer[..., 1]], axis=-1)
