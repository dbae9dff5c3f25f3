"""Axis assignment: all 48 signed permutations of the sensor's axes, and the best free rotation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from scipy.spatial.transform import Rotation

from gyro.axis_letters import matrix_to_letters
from gyro.log import Float

# Below this share of the largest singular value the motion does not tell handedness.
SINGULAR_VALUE_RATIO_MIN = 0.05


@dataclass(frozen=True, slots=True)
class Axes:
    """One assignment of sensor axes to camera axes."""

    matrix: Float
    """(3, 3) signed permutation, camera from body."""
    name: str
    """The body's letters along the camera's x, y and z; lower case is negated."""
    improper: bool
    """Whether it is no rotation: the log is mirrored or negated."""
    share: float
    """Share of the correlated motion that it explains."""


def signed_permutations() -> list[Float]:
    """Return all 48 matrices: 24 rotations first, then their 24 mirror images."""
    matrices = [
        np.eye(3)[list(order)] * np.array(signs)[:, None]
        for order in permutations(range(3))
        for signs in product((1, -1), repeat=3)
    ]
    return sorted(matrices, key=lambda m: -np.linalg.det(m))


def rank_axes(covariance: Float) -> list[Axes]:
    """Return all 48 assignments, best first. `covariance` (3, 3) is the sum over time of camera rate times body rate
    transposed."""
    total = float(np.sum(np.linalg.svd(covariance, compute_uv=False)))
    assignments = [
        Axes(M, letters, bool(np.linalg.det(M) < 0), float(np.sum(covariance * M)) / max(total, 1e-300))
        for M in signed_permutations()
        if (letters := matrix_to_letters(M)) is not None
    ]
    return sorted(assignments, key=lambda axes: (-round(axes.share, 9), axes.improper))


def handedness(covariance: Float) -> tuple[bool, ...]:
    """Return whether the log is mirrored: (False,) or (True,) where all three axes move enough to distinguish a mirror
    image from a rotation, otherwise both, for the full fit to decide."""
    U, s, Vt = np.linalg.svd(covariance)
    if s[2] < SINGULAR_VALUE_RATIO_MIN * s[0]:
        return (False, True)
    return (bool(np.linalg.det(U @ Vt) < 0),)


def align(covariance: Float, improper: bool) -> Rotation:
    """Return the rotation from body to camera that explains most of the covariance (Kabsch 1976); of the negated log
    where `improper`."""
    U, _, Vt = np.linalg.svd(-covariance if improper else covariance)
    return Rotation.from_matrix(U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt)


def nearest_axes(R_cam_gyro: Rotation, improper: bool) -> str:
    """Return the name of the signed permutation nearest to a rotation; for an improper log, of its mirror image."""
    sign = -1 if improper else 1
    return rank_axes(sign * R_cam_gyro.as_matrix())[0].name
