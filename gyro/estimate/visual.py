"""Rotation between two frames from matches alone, for the initial offset, axes and focal length."""

from __future__ import annotations

import numpy as np

from gyro.log import Float

from .model import undistort
from .tracks import Int
from .translation import sum_pairs

IRLS_ITERATIONS = 8


def pair_rotations(ray: Float, n: Float, pair: Int, pairs: int) -> Float:
    """Return the camera's rotation vectors (pairs, 3), a robust fit to the normals n = ray x ray_next of each pair.

    A camera that rotates by theta moves a static ray by -theta x ray, so n = -(1 - ray ray') theta. The loss is
    Cauchy's at twice the noise of the clip. Parallax biases the rotation.
    """
    projector = np.eye(3) - ray[:, :, None] * ray[:, None, :]
    weight = np.ones(len(n))
    theta = np.zeros((pairs, 3))
    for _ in range(IRLS_ITERATIONS):
        A = sum_pairs(weight[:, None, None] * projector, pair, pairs)
        b = sum_pairs(weight[:, None] * n, pair, pairs)
        A = A + (1e-6 * np.trace(A, axis1=1, axis2=2)[:, None, None] + 1e-12) * np.eye(3)
        theta = -np.linalg.solve(A, b[..., None])[..., 0]
        residual = np.linalg.norm(n + np.einsum("ijk,ik->ij", projector, theta[pair]), axis=1)
        weight = 1 / (1 + (residual / max(2 * 0.85 * float(np.median(residual)), 1e-9)) ** 2)
    return theta


def camera_rates(time_s: Float, pair: Int, flat: Float) -> tuple[Float, Float]:
    """Return the mean rate of the camera (k, 3), rad/s in camera axes, over each of the k pairs with matches, and the
    middle time of each (k,). `time_s` of all frames, `pair` (m,) and normalised points `flat`
    (2, m, 2) of the matches."""
    number, index = np.unique(pair, return_inverse=True)
    prev, next_ = undistort(flat, 0.0, 0.0)
    theta = pair_rotations(prev, np.cross(prev, next_), index, len(number))
    interval = time_s[number + 1] - time_s[number]
    return theta / interval[:, None], time_s[number] + interval / 2
