"""Local motion beyond the global model on a mesh: parallax and rolling-shutter wobble.

After Liu et al. 2013 and 2016, as one least-squares problem.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from stabilize.core import Float, Float16
from stabilize.fields.grid import node_positions
from stabilize.motion.models import robust_weight

Index = NDArray[np.intp]
Shape = tuple[int, int]
SHORT_SIDE_NODES, LONG_SIDE_NODES = 10, 17  # 9x16 cells, square in a picture of 16:9
STIFFNESS = 1.5  # data points that one unit of bending outweighs
PULL = 0.02  # draws what nothing supports to the global motion
OUTLIER_UNITS = 0.012  # 4 px of 640: further off is something that moves by itself
STRETCH_MIN = 0.3  # share of its area that a cell keeps at least, and its orientation


def mesh_shape(half_extent: tuple[float, float]) -> Shape:
    """Rows and columns of nodes: the longer side has the more."""
    portrait = half_extent[1] > half_extent[0]
    return (LONG_SIDE_NODES, SHORT_SIDE_NODES) if portrait else (SHORT_SIDE_NODES, LONG_SIDE_NODES)


def flat_mesh(shape: Shape) -> Float16:
    """No local motion."""
    return np.zeros((*shape, 2), np.float16)


@cache
def _bending(shape: Shape) -> Float:
    """Lower band (2 cols + 1, n) of the normal matrix of second differences along rows and columns: down a column, one
    reaches two rows far. First differences count too, weakly.
    """
    n = shape[0] * shape[1]
    normal = np.zeros((n, n))
    index = np.arange(n).reshape(shape)
    for grid in (index, index.T):
        for line in grid:
            for kernel in (np.array([1.0, -2.0, 1.0]), np.array([0.4, -0.4])):
                for k in range(len(line) - len(kernel) + 1):
                    nodes = line[k : k + len(kernel)]
                    normal[np.ix_(nodes, nodes)] += np.outer(kernel, kernel)
    normal = STIFFNESS * normal + PULL * np.eye(n)
    band = np.zeros((2 * shape[1] + 1, n))
    for k in range(len(band)):
        band[k, : n - k] = np.diagonal(normal, -k)
    return band


def _hat(points: Float, half_extent: tuple[float, float], shape: Shape) -> tuple[Index, Float]:
    """Nodes (k, 4) around each point and their bilinear weights (k, 4)."""
    rows, cols = shape
    u = np.clip((points[:, 0] / half_extent[0] + 1) / 2 * (cols - 1), 0, cols - 1 - 1e-9)
    v = np.clip((points[:, 1] / half_extent[1] + 1) / 2 * (rows - 1), 0, rows - 1 - 1e-9)
    left, top = u.astype(np.intp), v.astype(np.intp)
    fu, fv = u - left, v - top
    first = top * cols + left
    nodes = np.stack([first, first + 1, first + cols, first + cols + 1], axis=1)
    return nodes, np.stack([(1 - fu) * (1 - fv), fu * (1 - fv), (1 - fu) * fv, fu * fv], axis=1)


def local_motion(
    points: Float, residual: Float, trust: Float, half_extent: tuple[float, float], shape: Shape
) -> Float16:
    """Mesh (rows, cols, 2) that explains the residuals (k, 2) at points (k, 2), all in units; it never folds. `trust`
    (k,): weight of each point before its distance is known.
    """
    nodes, hat = _hat(points, half_extent, shape)
    weight = trust * robust_weight(np.linalg.norm(residual, axis=1), OUTLIER_UNITS)
    values = np.zeros((shape[0] * shape[1], 2))
    for _ in range(2):
        values = _solve(nodes, hat, weight, residual, shape)
        rest = residual - np.einsum("ki,kic->kc", hat, values[nodes])
        weight = trust * robust_weight(np.linalg.norm(rest, axis=1), OUTLIER_UNITS / 2)
    return unfold(values.reshape(*shape, 2), half_extent).astype(np.float16)


def _solve(nodes: Index, hat: Float, weight: Float, residual: Float, shape: Shape) -> Float:
    """Weighted least squares with bending, as a banded system: (n, 2)."""
    bending = _bending(shape)
    n = bending.shape[1]
    band = bending.ravel().copy()
    for i in range(4):
        for j in range(i + 1):  # nodes[:, i] >= nodes[:, j]
            at = (nodes[:, i] - nodes[:, j]) * n + nodes[:, j]
            band += np.bincount(at, weight * hat[:, i] * hat[:, j], minlength=band.size)
    right = np.zeros((n, 2))
    for i in range(4):
        for c in (0, 1):
            right[:, c] += np.bincount(nodes[:, i], weight * hat[:, i] * residual[:, c], minlength=n)
    normal = band.reshape(bending.shape)
    return np.asarray(solveh_banded(normal, right, lower=True, overwrite_ab=True, check_finite=False))


def least_stretch(mesh: Float, half_extent: tuple[float, float]) -> float:
    """Smallest signed area of a cell's corner triangle after the mesh (rows, cols, 2), against before; 0 is a fold."""
    rows, cols = mesh.shape[:2]
    before = node_positions(rows, cols, half_extent)
    at = before + mesh
    area = float((before[0, 1, 0] - before[0, 0, 0]) * (before[1, 0, 1] - before[0, 0, 1]))
    right, down = at[:, 1:] - at[:, :-1], at[1:] - at[:-1]
    corners = [(r, d) for r in (right[:-1], right[1:]) for d in (down[:, :-1], down[:, 1:])]
    return min(float((r[..., 0] * d[..., 1] - r[..., 1] * d[..., 0]).min()) for r, d in corners) / area


def unfold(mesh: Float, half_extent: tuple[float, float]) -> Float:
    """The mesh, weakened until no cell comes near folding."""
    while least_stretch(mesh, half_extent) < STRETCH_MIN:
        mesh = mesh * 0.7
    return mesh
