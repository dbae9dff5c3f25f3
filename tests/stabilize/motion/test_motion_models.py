"""The model ladder on points with a known motion."""

from __future__ import annotations

import numpy as np
import pytest

from stabilize.core import MotionModel
from stabilize.motion.models import LADDER, choose, errors, transfer

TRUE = {
    MotionModel.STILL: np.eye(3),
    MotionModel.TRANSLATION: np.array([[1, 0, 0.02], [0, 1, -0.01], [0, 0, 1.0]]),
    MotionModel.SIMILARITY: np.array([[1.01, -0.02, 0.02], [0.02, 1.01, -0.01], [0, 0, 1.0]]),
    MotionModel.AFFINE: np.array([[1.02, -0.02, 0.02], [0.05, 0.99, -0.01], [0, 0, 1.0]]),
    MotionModel.HOMOGRAPHY: np.array([[1.02, -0.02, 0.02], [0.05, 0.99, -0.01], [0.02, -0.03, 1.0]]),
}
NOISE = 3e-4  # 0.1 px of 640


def _points(model: MotionModel, count: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    prev = rng.uniform(-1, 1, (count, 2)) * [1, 0.56]
    image = np.column_stack([prev, np.ones(count)]) @ TRUE[model].T
    return prev, image[:, :2] / image[:, 2:] + rng.normal(0, NOISE, prev.shape)


@pytest.mark.parametrize("model", LADDER)
def test_the_evidence_chooses_the_true_rung(model: MotionModel) -> None:
    chosen, H = choose(*_points(model), np.ones(300), scale=0.0025, floor=1e-4, half_extent=(1.0, 0.5625))
    assert chosen == model
    np.testing.assert_allclose(H, TRUE[model], atol=5e-4)


@pytest.mark.parametrize("model", LADDER)
def test_every_rung_is_exact_on_its_own_motion(model: MotionModel) -> None:
    prev = np.random.default_rng(1).uniform(-1, 1, (40, 2))
    image = np.column_stack([prev, np.ones(40)]) @ TRUE[model].T
    H = LADDER[model][0](prev, image[:, :2] / image[:, 2:], np.ones(40))
    np.testing.assert_allclose(H / H[2, 2], TRUE[model], atol=1e-6)


def test_outliers_do_not_move_the_fit() -> None:
    prev, next_ = _points(MotionModel.HOMOGRAPHY)
    next_[:60] += 0.05
    _, H = choose(prev, next_, np.ones(300), scale=0.0025, floor=1e-4, half_extent=(1.0, 0.5625))
    assert np.median(errors(H, prev[60:], next_[60:])) < 2 * NOISE


def test_transfer_composes() -> None:
    points = np.random.default_rng(2).uniform(-1, 1, (10, 2))
    A, B = TRUE[MotionModel.HOMOGRAPHY], TRUE[MotionModel.AFFINE]
    np.testing.assert_allclose(transfer(A, transfer(B, points)), transfer(A @ B, points), atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_a_tenth_of_the_frame_does_not_say_how_the_rest_moves(seed: int) -> None:
    """Points on a tilted thing in a corner: what they say of perspective is not extrapolated over the frame."""
    rng = np.random.default_rng(seed)
    prev = rng.uniform([0.6, 0.2], [0.95, 0.55], (120, 2))
    image = np.column_stack([prev, np.ones(120)]) @ np.array([[1, 0, 0.02], [0, 1, -0.01], [0.15, -0.1, 1.0]]).T
    next_ = image[:, :2] / image[:, 2:] + rng.normal(0, NOISE, prev.shape)
    _, H = choose(prev, next_, np.ones(120), scale=0.0025, floor=1e-4, half_extent=(1.0, 0.5625))
    similarity = LADDER[MotionModel.SIMILARITY][0](prev, next_, np.ones(120))
    corners = np.array([[-1, -0.5625], [-1, 0.5625], [0, 0.0]])
    assert np.abs(transfer(H, corners) - transfer(similarity, corners)).max() < 0.1
    assert np.median(errors(H, prev, next_)) < 0.006
