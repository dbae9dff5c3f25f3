"""Which sensor axis is which: all 48 signed permutations against the picture, and the free rotation where the sensor
sits askew."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from scipy.spatial.transform import Rotation

from gyro.axis_letters import matrix_to_letters
from gyro.log import Float

SINGULAR_VALUE_RATIO_MIN = (
    0.05  # of the largest singular value: below it a direction of motion says nothing about handedness
)


@dataclass(frozen=True, slots=True)
class Axes:
    """`matrix` (3, 3) signed permutation, camera from body; `name` reads the camera's x, y, z off the body's letters,
    lower case negated; `improper` where no rotation does it (a mirrored or negated log); `share` of the correlated
    motion that it explains."""

    matrix: Float
    name: str
    improper: bool
    share: float


def signed_permutations() -> list[Float]:
    """All 48: 24 rotations first, then their 24 mirror images."""
    matrices = [
        np.eye(3)[list(order)] * np.array(signs)[:, None]
        for order in permutations(range(3))
        for signs in product((1, -1), repeat=3)
    ]
    return sorted(matrices, key=lambda m: -np.linalg.det(m))


def rank_axes(covariance: Float) -> list[Axes]:
    """All 48 assignments, best first. `covariance` (3, 3) is the sum over time of camera rate times body rate
    transposed."""
    total = float(np.sum(np.linalg.svd(covariance, compute_uv=False)))
    found = [
        Axes(M, letters, bool(np.linalg.det(M) < 0), float(np.sum(covariance * M)) / max(total, 1e-300))
        for M in signed_permutations()
        if (letters := matrix_to_letters(M)) is not None
    ]
    return sorted(found, key=lambda axes: (-round(axes.share, 9), axes.improper))


def handedness(covariance: Float) -> tuple[bool, ...]:
    """Whether the log is mirrored: (False,) or (True,) where all three axes move enough to tell a mirror image from a
    turn, otherwise both, for the full fit to decide."""
    U, s, Vt = np.linalg.svd(covariance)
    if s[2] < SINGULAR_VALUE_RATIO_MIN * s[0]:
        return (False, True)
    return (bool(np.linalg.det(U @ Vt) < 0),)


def align(covariance: Float, improper: bool) -> Rotation:
    """Rotation from body to camera that explains most of the covariance (Kabsch 1976); of the negated log where
    `improper`."""
    U, _, Vt = np.linalg.svd(-covariance if improper else covariance)
    return Rotation.from_matrix(U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt)


def nearest_axes(R_cam_gyro: Rotation, improper: bool) -> str:
    """Name of the signed permutation nearest to a mount; that of an improper log is a mirror image."""
    sign = -1 if improper else 1
    return rank_axes(sign * R_cam_gyro.as_matrix())[0].name
