"""Values on a grid of nodes spread edge to edge over the frame, in the unit frame."""

from __future__ import annotations

import numpy as np

from stabilize.core import Float, Float16, Float32


def node_positions(rows: int, cols: int, half_extent: tuple[float, float]) -> Float:
    """Nodes (rows, cols, 2), units."""
    y, x = np.linspace(-1, 1, rows) * half_extent[1], np.linspace(-1, 1, cols) * half_extent[0]
    return np.stack(np.meshgrid(x, y), axis=-1)


def sample(values: Float | Float32 | Float16, points: Float, half_extent: tuple[float, float]) -> Float:
    """Bilinear values of grids (n, rows, cols, 2) at points (n, p, 2) in units; clamped at the edges."""
    n, rows, cols, _ = values.shape
    u = np.clip((points[..., 0] / half_extent[0] + 1) / 2 * (cols - 1), 0, cols - 1)
    v = np.clip((points[..., 1] / half_extent[1] + 1) / 2 * (rows - 1), 0, rows - 1)
    left, top = np.minimum(u.astype(np.intp), cols - 2), np.minimum(v.astype(np.intp), rows - 2)
    fu, fv = (u - left)[..., None], (v - top)[..., None]
    flat = values.astype(np.float64).reshape(n * rows * cols, 2)
    first = (np.arange(n)[:, None] * rows + top) * cols + left
    upper = flat[first] * (1 - fu) + flat[first + 1] * fu
    lower = flat[first + cols] * (1 - fu) + flat[first + cols + 1] * fu
    return np.asarray(upper * (1 - fv) + lower * fv)
