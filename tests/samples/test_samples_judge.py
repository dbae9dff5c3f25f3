"""The benchmarks' judge measures what is known of generated pictures."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks import judge
from benchmarks.arguments import split_options
from samples import ClipSpec, generate, truth


def grays(spec: ClipSpec) -> list[np.ndarray]:
    return [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for _, picture in generate(spec)]


def test_homography_is_the_true_one_to_a_tenth_of_a_pixel(small: ClipSpec) -> None:
    spec = replace(small, duration_s=0.1)
    pictures, corners = grays(spec), np.array([[[0, 0], [319, 0], [319, 180], [0, 180]]], float)
    for previous, following, H_true in zip(pictures[:-1], pictures[1:], truth(spec).H_next_prev, strict=True):
        H = judge.homography(previous, following)
        assert H is not None
        error = cv2.perspectiveTransform(corners, H) - cv2.perspectiveTransform(corners, H_true)
        assert np.linalg.norm(error, axis=2).mean() < 0.1


def test_images_of_different_places_have_no_homography(small: ClipSpec) -> None:
    first, other = (grays(replace(small, seed=seed, duration_s=0.04))[0] for seed in (3, 4))
    assert judge.homography(first, other) is None


def test_a_crop_is_registered_to_its_image(small: ClipSpec) -> None:
    picture = grays(replace(small, duration_s=0.04))[0][:180]
    crop = cv2.resize(picture[18:162, 48:304], (320, 180), interpolation=cv2.INTER_CUBIC)
    H = judge._normalised(judge.register(np.asarray(crop, np.uint8), picture), crop.shape, picture.shape)
    assert judge.visible_share(H) == pytest.approx(0.64, abs=0.003)
    np.testing.assert_allclose(H @ [0, 0, 1] / H[2, 2], [0.15, 0.1, 1], atol=0.003)


def test_area_outside_the_input_is_not_visible() -> None:
    assert judge.visible_share(np.diag([1.0, 1.0, 0.5])) == pytest.approx(1.0)  # twice as large, from one corner
    assert judge.visible_share(np.array([[1, 0, 0.5], [0, 1, 0], [0, 0, 1.0]])) == pytest.approx(0.5)


def test_a_straight_path_has_neither_accel_nor_jitter_and_a_failed_pair_adds_none() -> None:
    step, judged = np.tile([3.0, -1.0], (90, 1)), np.ones(90, bool)
    step[40], judged[40] = (200.0, 50.0), False
    shake = judge.shake(judge.Steps(step, judged, 30.0), judged)
    assert shake.accel_px < 1e-9 and shake.jitter_px < 1e-9
    assert shake.judged == pytest.approx(89 / 90)


def test_accel_and_jitter_of_a_sine_are_the_textbooks() -> None:
    t = np.arange(601) / 30
    path = np.stack([2 * np.sin(2 * np.pi * 3 * t), np.zeros(601)], axis=1)
    shake = judge.shake(judge.Steps(np.diff(path, axis=0), np.ones(600, bool), 30.0), np.ones(600, bool))
    rms = 2 / np.sqrt(2)
    assert shake.jitter_px == pytest.approx(rms, rel=0.01)  # a Gaussian of 0.5 s lets nothing of 3 Hz through
    assert shake.accel_px == pytest.approx(rms * (2 * np.sin(np.pi * 3 / 30)) ** 2, rel=0.01)


def test_arguments_after_two_dashes_are_for_stabilize() -> None:
    assert split_options(["--jobs", "1", "--", "--smoothness", "2"]) == (["--jobs", "1"], ["--smoothness", "2"])
    assert split_options(["--jobs", "1"]) == (["--jobs", "1"], [])
