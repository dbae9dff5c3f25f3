"""Pairs on which the usual tracker agrees on nothing: shaken blurred pictures, of which the true motion is known."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest

from stabilize.core import FrameGeometry, Motion, MotionModel, PairStatus
from stabilize.motion import pair
from stabilize.motion.estimate import estimate_motion
from stabilize.motion.observation import FrameMotion
from stabilize.motion.retry import SEARCHES, Search, is_shown
from stabilize.motion.sources.picture import prepare
from stabilize.motion.stream import MotionStream, prepare_view
from stabilize.settings import MotionConfig

WIDTH, HEIGHT = 640, 360
GEOMETRY, TIME_BASE = FrameGeometry(WIDTH, HEIGHT), Fraction(1, 30)
BLUR_PX = 22.0


@cache
def scene(seed: int) -> np.ndarray:
    """Soft blobs of all sizes with hard-edged boxes, 1000 x 720."""
    rng = np.random.default_rng(seed)
    picture = np.full((720, 1000), 120.0)
    for sigma in (4, 12, 40):
        noise = cv2.GaussianBlur(rng.normal(0, 1, picture.shape), (0, 0), sigma)
        picture += 16 * noise / noise.std()
    for x, y, w, h, level in rng.integers((0, 0, 10, 10, 30), (960, 680, 60, 60, 226), (90, 5)):
        picture[y : y + h, x : x + w] = level
    return picture


def shaken(seed: int, frames: int = 14) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pictures, and where each is in the scene (x, y): shaken by 25 px a frame, and blurred, each along its own way."""
    rng = np.random.default_rng(seed)
    at = np.array([180.0, 180.0]) + rng.uniform(-25, 25, (frames, 2))
    pictures = []
    for i, (x, y) in enumerate(at):
        angle, length = rng.uniform(0, np.pi), BLUR_PX * rng.uniform(0.6, 1)
        ways = np.linspace(-0.5, 0.5, 23)[:, None] * length * np.array([np.cos(angle), np.sin(angle)])
        crops = [
            cv2.getRectSubPix(scene(seed).astype(np.float32), (WIDTH, HEIGHT), centre_of(x, y, way)) for way in ways
        ]
        noise = np.random.default_rng(1000 * seed + i).normal(0, 1.5, (HEIGHT, WIDTH))
        pictures.append(np.clip(np.mean(crops, axis=0) + noise, 0, 255).astype(np.uint8))
    return pictures, [b - a for a, b in pairwise(at)]


def centre_of(x: float, y: float, way: np.ndarray) -> tuple[float, float]:
    return float(x + way[0] + (WIDTH - 1) / 2), float(y + way[1] + (HEIGHT - 1) / 2)


def measure(pictures: list[np.ndarray]) -> Motion:
    return estimate_motion(enumerate(pictures), GEOMETRY, TIME_BASE, MotionConfig())


def corner_errors_px(motion: Motion, moved: list[np.ndarray]) -> np.ndarray:
    """Mean over the four corners, of each pair: the scene moves against the camera."""
    T = GEOMETRY.T_px_unit
    corners = np.array([[0, 0, 1], [WIDTH - 1, 0, 1], [0, HEIGHT - 1, 1], [WIDTH - 1, HEIGHT - 1, 1.0]]).T
    errors = []
    for H, way in zip(motion.H_next_prev, moved, strict=True):
        image = T @ H @ np.linalg.inv(T) @ corners
        errors.append(np.linalg.norm(image[:2] / image[2] - corners[:2] + way[:, None], axis=0).mean())
    return np.array(errors)


def test_shaken_and_blurred_pictures_are_measured_at_a_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    failures, found = 0, 0
    for seed in range(3):
        pictures, moved = shaken(seed)
        motion = measure(pictures)
        retried = motion.status == PairStatus.FAINT
        assert motion.measured.mean() > 0.9
        assert np.median(corner_errors_px(motion, moved)[retried]) < 0.3
        assert corner_errors_px(motion, moved)[motion.measured].max() < 3
        found += int(retried.sum())
        with monkeypatch.context() as patch:
            patch.setattr(pair, "SEARCHES", ())
            failures += int((~measure(pictures).measured).sum())
    assert found >= 10
    assert failures >= found


@pytest.mark.parametrize("search", SEARCHES)
def test_each_search_finds_a_jump_that_the_tracker_does_not(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair, "SEARCHES", (search,))
    pictures, moved = shaken(5, frames=8)
    motion = measure(pictures)
    assert motion.measured.mean() > 0.7
    assert np.median(corner_errors_px(motion, moved)[motion.measured]) < 0.7


def test_unlike_pictures_share_no_motion() -> None:
    """Two scenes in turns: whatever a search agrees on, the gray levels do not show it."""
    pictures = [part for both in zip(shaken(0, 4)[0], shaken(1, 4)[0], strict=True) for part in both]
    assert not measure(pictures).measured.any()


def test_a_motion_is_shown_by_gray_levels_and_a_wrong_one_is_not() -> None:
    pictures, moved = shaken(2, 2)
    prev, next_ = map(prepare, pictures)
    H = np.eye(3)
    H[:2, 2] = -moved[0]
    assert is_shown(prev, next_, H)
    for wrong in (np.eye(3), np.linalg.inv(H), np.diag([1.0, 1.3, 1.0]) @ H):
        assert not is_shown(prev, next_, np.asarray(wrong, np.float64))


def test_pairs_that_are_clear_are_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a second search on a pair that was measured")

    monkeypatch.setattr(pair, "SEARCHES", (never,))
    pictures = [
        np.ascontiguousarray(scene(3)[10 + 2 * i :, 3 * i :][:HEIGHT, :WIDTH].astype(np.uint8)) for i in range(4)
    ]
    motion = measure(pictures)
    assert (motion.status == PairStatus.OK).all()
    assert (motion.model != MotionModel.NONE).all()


def test_a_stream_retries_as_the_whole_does() -> None:
    pictures, _ = shaken(1, 8)
    stream = MotionStream(GEOMETRY, TIME_BASE, MotionConfig())
    frames: list[FrameMotion] = []
    for shown in enumerate(pictures):
        frames += stream.push(prepare_view(shown))
    frames += stream.finish()
    motion = measure(pictures)
    assert (motion.status == PairStatus.FAINT).any()
    for i, frame in enumerate(frames[1:]):
        assert frame.motion is not None and frame.motion.status == motion.status[i]
        np.testing.assert_array_equal(frame.motion.H_next_prev, motion.H_next_prev[i])
