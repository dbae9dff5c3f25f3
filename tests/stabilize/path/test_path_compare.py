"""What the solver takes for shake when it compares its path with the input."""

from __future__ import annotations

import numpy as np

from stabilize.path.compare import shake_ratios
from tests.stabilize.path.shaking_camera import camera_of


def panned(frames: np.ndarray, shake: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Steps (n-1, 4) of a camera that pans by 0.015 units a frame and shakes, at some frames of an even clock, and the
    crop poses (n, 4) that take out all of its shake.
    """
    off = np.random.default_rng(seed).normal(0, shake, (frames[-1] + 1, 2))[frames]
    place = off + np.outer(frames, [0.015, 0])
    step = np.column_stack([np.ones(len(place) - 1), np.zeros(len(place) - 1), place[:-1] - place[1:]])
    return step, np.column_stack([np.ones(len(place)), np.zeros(len(place)), -off])


def test_a_dropped_frame_in_a_pan_is_no_shake() -> None:
    """The picture moves twice as far there, in input and output alike, because twice the time has passed."""
    frames = np.delete(np.arange(160), [40, 80, 81, 82, 120])
    step, pose = panned(frames, 0.002)
    camera = camera_of(step)
    by_time = shake_ratios(camera, slice(0, len(frames)), pose, np.diff(frames).astype(float), 1 / 30)
    assert max(ratio.max() for ratio in by_time) < 0.05
    by_frame = shake_ratios(camera, slice(0, len(frames)), pose, np.ones(len(frames) - 1), 1 / 30)
    assert by_frame[0].max() > 0.5


def test_a_crop_that_does_nothing_leaves_all_the_shake() -> None:
    frames = np.delete(np.arange(160), [40, 80, 120])
    step, pose = panned(frames, 0.02)
    still = np.tile([1.0, 0, 0, 0], (len(pose), 1))
    for ratio in shake_ratios(camera_of(step), slice(0, len(pose)), still, np.diff(frames).astype(float), 1 / 30):
        assert ratio.min() > 0.8 and ratio.max() <= 1
