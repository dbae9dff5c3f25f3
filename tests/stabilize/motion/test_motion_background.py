"""Whose motion is taken where something large moves before the scene: made-up pictures of which the truth is known."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from stabilize.core import FrameGeometry, Motion
from stabilize.motion.estimate import estimate_motion
from stabilize.motion.features import corners
from stabilize.motion.shading import shaded_cells
from stabilize.motion.sources.picture import prepare
from stabilize.settings import MotionConfig

WIDTH, HEIGHT = 480, 360
HALF_PX = WIDTH / 2


def textured(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Shades and hard-edged boxes."""
    picture = 120 + 14 * cv2.GaussianBlur(rng.normal(0, 8, (height, width)), (0, 0), 4)
    for x, y, w, h, level in rng.integers((0, 0, 8, 8, 30), (width, height, 50, 50, 226), (height * width // 3000, 5)):
        picture[y : y + h, x : x + w] = level
    return picture


def wall(x_px: float = 0.0, y_px: float = 0.0) -> np.ndarray:
    """A plain wall under a lamp, seen by a camera that has moved so far."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    return np.asarray(175 + 25 * np.cos((x + x_px) / 150) * np.cos((y + y_px - 60) / 170))


def measure(pictures: list[np.ndarray]) -> Motion:
    rng = np.random.default_rng(9)
    noisy = [np.clip(p + rng.normal(0, 1, p.shape), 0, 255).astype(np.uint8) for p in pictures]
    return estimate_motion(enumerate(noisy), FrameGeometry(WIDTH, HEIGHT), Fraction(1, 30), MotionConfig())


def shifts_px(motion: Motion) -> np.ndarray:
    """Of the picture's middle, (pairs, 2)."""
    return motion.H_next_prev[:, :2, 2] * HALF_PX


def test_a_plain_wall_holds_the_camera_still_behind_something_that_is_turned_about() -> None:
    rng = np.random.default_rng(4)
    thing = textured(rng, 220, 130)
    marks = [(20, 300), (60, 330), (150, 320), (300, 335), (420, 310), (440, 60), (30, 40)]
    pictures = []
    for i in range(60):
        picture = wall()
        for x, y in marks:  # the little on it that can be followed
            picture[y : y + 8, x : x + 12] -= 30
        x = 150 + round(60 * np.sin(2 * np.pi * max(i - 15, 0) / 45))
        picture[60:280, x : x + 130] = thing
        pictures.append(picture)
    path = np.cumsum(shifts_px(measure(pictures)), axis=0)
    assert np.abs(path).max() < 0.5


def test_shades_tell_a_still_wall_from_one_that_moves() -> None:
    shift = np.eye(3)
    shift[:2, 2] = (5, 3)
    for moved, right in ((np.zeros(2), 0), (shift[:2, 2], 1)):
        a, b = wall(), wall(*-moved)
        prev, next_ = (prepare(np.clip(p, 0, 255).round().astype(np.uint8)) for p in (a, b))
        agree = shaded_cells(prev, next_, corners(prev.gray), [np.eye(3), shift]).sum(axis=1)
        assert agree[right] > 100
        assert agree[1 - right] < 0.1 * agree[right]


def test_shades_do_not_take_a_change_of_exposure_for_motion() -> None:
    shift = np.eye(3)
    shift[:2, 2] = (5, 3)
    prev, next_ = (prepare((wall() + level).round().astype(np.uint8)) for level in (0, 4))
    agree = shaded_cells(prev, next_, corners(prev.gray), [np.eye(3), shift]).sum(axis=1)
    assert agree[0] > 100
    assert agree[1] < 0.1 * agree[0]


@pytest.mark.parametrize("seed", range(3))
def test_a_group_that_comes_in_and_covers_half_the_picture_does_not_take_the_camera_along(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene, group = textured(rng, HEIGHT + 60, WIDTH + 60), textured(rng, HEIGHT, WIDTH // 2)
    camera = np.cumsum(rng.integers(-1, 2, (70, 2)), axis=0).clip(-28, 28) + 30
    pictures = []
    for i, (cx, cy) in enumerate(camera):
        picture = scene[cy : cy + HEIGHT, cx : cx + WIDTH].copy()
        x = round(-240 + 16 * max(i - 10, 0)) if i < 32 else 112 + round(40 * np.sin((i - 32) / 5))
        left, right = max(x, 0), max(x + WIDTH // 2, 0)
        picture[:, left:right] = group[:, left - x : right - x]
        pictures.append(picture)
    wrong = np.linalg.norm(shifts_px(measure(pictures)) + np.diff(camera, axis=0), axis=1) > 0.5
    assert wrong.mean() < 0.1
