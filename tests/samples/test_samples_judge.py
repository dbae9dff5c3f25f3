"""The benchmarks' judge measures what is known of generated pictures."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks import judge
from benchmarks.arguments import split_options
from benchmarks.bars import Compared, verdicts
from benchmarks.measured import Score
from benchmarks.pareto import Point, nearest
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
    H = judge._normalised(judge.registered(np.asarray(crop, np.uint8), picture), crop.shape, picture.shape)
    assert judge.visible_share(H) == pytest.approx(0.64, abs=0.003)
    np.testing.assert_allclose(H @ [0, 0, 1] / H[2, 2], [0.15, 0.1, 1], atol=0.003)


def test_area_outside_the_input_is_not_visible() -> None:
    assert judge.visible_share(np.diag([1.0, 1.0, 0.5])) == pytest.approx(1.0)  # twice as large, from one corner
    assert judge.visible_share(np.array([[1, 0, 0.5], [0, 1, 0], [0, 0, 1.0]])) == pytest.approx(0.5)


def steps(centre: np.ndarray, roll_deg: np.ndarray, log_scale: np.ndarray, fps: float = 30.0) -> judge.Steps:
    """Of paths over n frames: centre (n, 2), roll (n,), log scale (n,)."""
    found = np.ones(len(centre) - 1, bool)
    return judge.Steps(np.diff(centre, axis=0), np.diff(roll_deg), np.diff(log_scale), found, fps)


def test_a_straight_path_has_neither_accel_nor_jitter_and_a_failed_pair_adds_none() -> None:
    even = steps(np.outer(np.arange(91), [3.0, -1.0]), np.zeros(91), np.zeros(91))
    step, judged = even.step_px.copy(), even.found.copy()
    step[40], judged[40] = (200.0, 50.0), False
    shake = judge.shake(replace(even, step_px=step), judged)
    assert shake.accel_px < 1e-9 and shake.jitter_px < 1e-9
    assert shake.judged == pytest.approx(89 / 90)


def test_accel_and_jitter_of_a_sine_are_the_textbooks() -> None:
    t = np.arange(601) / 30
    moving = steps(np.stack([2 * np.sin(2 * np.pi * 3 * t), np.zeros(601)], axis=1), np.zeros(601), np.zeros(601))
    shake = judge.shake(moving, moving.found)
    rms = 2 / np.sqrt(2)
    assert shake.jitter_px == pytest.approx(rms, rel=0.01)  # a Gaussian of 0.5 s lets nothing of 3 Hz through
    assert shake.accel_px == pytest.approx(rms * (2 * np.sin(np.pi * 3 / 30)) ** 2, rel=0.01)
    assert (shake.roll_deg, shake.breathing, shake.zoom_speed) == (0, 0, 0)


def test_roll_and_breathing_of_sines_are_the_textbooks() -> None:
    t = np.arange(601) / 30
    scale = 0.01 * np.sin(2 * np.pi * 0.5 * t)
    moving = steps(np.zeros((601, 2)), 2 * np.sin(2 * np.pi * 3 * t), scale)
    shake = judge.shake(moving, moving.found)
    assert shake.roll_deg == pytest.approx(2 / np.sqrt(2), rel=0.01)

    def beyond(sigma_s: float) -> float:  # what a Gaussian leaves of 0.5 Hz
        return 1 - float(np.exp(-0.5 * (2 * np.pi * 0.5 * sigma_s) ** 2))

    assert shake.breathing == pytest.approx(beyond(0.5) / np.sqrt(2), rel=0.02)
    assert shake.slow_breathing == pytest.approx(beyond(2) / np.sqrt(2), rel=0.02)
    assert shake.zoom_speed == pytest.approx(np.pi * (1 - beyond(0.1)), rel=0.02)


def test_a_steady_zoom_does_not_breathe_and_has_its_speed() -> None:
    moving = steps(np.zeros((301, 2)), np.zeros(301), 0.10 * np.arange(301) / 30)
    shake = judge.shake(moving, moving.found)
    assert shake.breathing < 1e-9 and shake.slow_breathing < 1e-9
    assert shake.zoom_speed == pytest.approx(10)


def test_turn_and_scale_between_pictures_are_the_true_ones(small: ClipSpec) -> None:
    picture = grays(replace(small, duration_s=0.04))[0]
    turned = cv2.getRotationMatrix2D((100, 60), -0.7, 1.01)  # OpenCV counts anticlockwise, ours is as y: down
    fit = judge.motion(picture, np.asarray(cv2.warpAffine(picture, turned, picture.shape[::-1]), np.uint8))
    assert fit is not None
    step = judge._turn_and_scale(fit)
    assert np.degrees(np.angle(step)) == pytest.approx(0.7, abs=0.02)
    assert abs(step) == pytest.approx(1.01, abs=5e-4)


def score(accel: float, jitter: float, roll: float, fov: float, breathing: float = 0.3) -> Score:
    return Score(accel, jitter, roll, breathing, 0.5, 5, fov, 0, 1)


def test_no_worse_than_the_input_means_two_per_cent_or_what_a_transcode_changes() -> None:
    before, peer = score(1, 10, 1, 1), score(0.5, 5, 0.5, 0.8)
    within, beyond = score(1.019, 10, 1, 0.9), score(1.03, 10, 1, 0.9)
    assert not Compared("clip", before, peer, within, before).worse("accel")
    assert Compared("clip", before, peer, beyond, before).worse("accel")
    assert not Compared("clip", before, peer, beyond, score(1.05, 10, 1, 1)).worse("accel")


def test_the_bars_name_the_clips_that_miss_them() -> None:
    before, peer = score(1, 10, 1, 1), score(0.5, 5, 0.5, 0.8)
    good, bad = score(0.15, 3, 0.3, 0.83), score(0.6, 3, 0.3, 0.79, breathing=0.9)
    assert all(bar.passed for bar in verdicts([Compared("good", before, peer, good, before)], []))
    missed = verdicts([Compared("bad", before, peer, bad, before)], ["lost"])
    assert [bar.figure for bar in missed if not bar.passed and bar.text.startswith("nowhere")] == ["bad", "lost"]
    assert [bar.text[:12] for bar in missed if not bar.passed][:3] == ["median accel", "median fov -", "median breat"]


def test_a_point_of_the_peers_is_matched_by_one_that_has_its_view_and_steadiness() -> None:
    peer = Point("30", score(0.5, 5, 0.5, 0.8))
    wide, steady = Point("1", score(0.2, 6, 0.5, 0.85)), Point("2", score(0.2, 5.2, 0.52, 0.795))
    assert nearest(peer, [wide, steady]).mine is steady
    assert nearest(peer, [wide, steady]).excess <= 0
    assert nearest(peer, [wide]).excess == pytest.approx(6 / 5.25 - 1)


def test_arguments_after_two_dashes_are_for_stabilize() -> None:
    assert split_options(["--jobs", "1", "--", "--smoothness", "2"]) == (["--jobs", "1"], ["--smoothness", "2"])
    assert split_options(["--jobs", "1"]) == (["--jobs", "1"], [])
