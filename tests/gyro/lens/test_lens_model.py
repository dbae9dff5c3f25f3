"""Lens models: inverses, derivatives, and OpenCV as an independent reference."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyro.errors import LensError
from gyro.lens import Lens, distort, distort_jacobian, project, resize_lens, simple_lens, undistort, unproject

K = np.array([[480.0, 0, 310.5], [0, 470.0, 245.0], [0, 0, 1]])
LENSES = {
    "pinhole": Lens(640, 480, K),
    "barrel": Lens(640, 480, K, "polynomial", (-0.284, 0.074, 0.0002, 0.00002)),
    "pincushion": Lens(640, 480, K, "polynomial", (0.15, -0.05, 0.001, -0.002, 0.02)),
    "rational": Lens(640, 480, K, "polynomial", (0.5, 0.1, 0.001, -0.0005, 0.02, 0.8, 0.2, 0.01)),
    "fisheye": Lens(640, 480, K, "opencv_fisheye", (0.05, 0.02, -0.01, 0.002)),
    "gopro": Lens(640, 480, K, "opencv_fisheye", (0.25, 0.05, 0.5, -0.5)),
}
each_lens = pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
points = st.lists(st.tuples(st.floats(-0.7, 0.7), st.floats(-0.55, 0.55)), min_size=1, max_size=20).map(np.array)


@each_lens
@settings(max_examples=60, deadline=None)
@given(xy=points)
def test_undistort_inverts_distort(lens, xy):
    np.testing.assert_allclose(undistort(lens, distort(lens, xy)), xy, atol=1e-8)


@each_lens
@settings(max_examples=60, deadline=None)
@given(xy=points)
def test_pixels_and_rays_are_inverse(lens, xy):
    rays = np.concatenate([xy, np.ones((len(xy), 1))], axis=1)
    back = unproject(lens, project(lens, 3.7 * rays))
    np.testing.assert_allclose(back, rays / np.linalg.norm(rays, axis=1, keepdims=True), atol=1e-8)


@each_lens
@settings(max_examples=60, deadline=None)
@given(xy=points)
def test_the_derivative_is_that_of_small_steps(lens, xy):
    h = 1e-6
    numeric = [(distort(lens, xy + h * e) - distort(lens, xy - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(distort_jacobian(lens, xy), np.stack(numeric, axis=-1), atol=1e-7)


@pytest.mark.parametrize("lens", [LENSES["barrel"], LENSES["pincushion"], LENSES["rational"]])
def test_polynomial_is_opencvs(lens):
    xy = np.random.default_rng(0).uniform(-0.6, 0.6, (200, 2))
    rays = np.column_stack([xy, np.ones(200)])
    theirs = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), K, np.array(lens.coefficients))[0][:, 0]
    np.testing.assert_allclose(project(lens, rays), theirs, atol=1e-9)


@pytest.mark.parametrize("lens", [LENSES["fisheye"], LENSES["gopro"]])
def test_fisheye_is_opencvs(lens):
    xy = np.random.default_rng(0).uniform(-2, 2, (200, 2))
    rays = np.column_stack([xy, np.ones(200)])
    d = np.array(lens.coefficients).reshape(4, 1)
    theirs = cv2.fisheye.projectPoints(rays[None], np.zeros(3), np.zeros(3), K, d)[0][0]
    ours = project(lens, rays)
    shown = np.isfinite(ours[:, 0])
    assert shown.mean() > 0.5
    np.testing.assert_allclose(ours[shown], theirs[shown], atol=1e-9)


def test_fisheye_sees_behind_a_right_angle_and_not_beyond_its_fold():
    wide = Lens(640, 480, K, "opencv_fisheye", (0.0, 0.0, 0.0, 0.0))
    behind = np.array([np.sin(2.0), 0, np.cos(2.0)])
    np.testing.assert_allclose(unproject(wide, project(wide, behind)), behind, atol=1e-9)
    folding = Lens(640, 480, K, "opencv_fisheye", (-0.2, 0.0, 0.0, 0.0))  # grows up to theta = 1.29
    assert np.isfinite(project(folding, np.array([np.sin(1.2), 0, np.cos(1.2)]))).all()
    assert np.isnan(project(folding, behind)).all()
    assert np.isnan(unproject(folding, np.array([5000.0, 0]))).all()


def test_no_rays_beyond_the_fold_of_a_polynomial():
    """x - 0.284 x^3 + ... cannot reach 0.9 with these coefficients: NaN, not the nearest guess."""
    strong = Lens(640, 480, K, "polynomial", (-0.5, 0.0, 0.0, 0.0))  # largest at r = 0.816, where it is 0.544
    assert np.isfinite(undistort(strong, np.array([0.54, 0.0]))).all()
    assert np.isnan(undistort(strong, np.array([0.56, 0.0]))).all()
    assert np.isnan(project(strong, np.array([0.1, 0.1, -1.0]))).all()


@each_lens
def test_a_scaled_frame_has_the_same_rays(lens):
    """Half the size: pixel centres move as (x + 0.5) / 2 - 0.5."""
    rays = np.array([[0.1, -0.2, 1], [0.3, 0.2, 1], [-0.4, 0.1, 1]])
    full, half = project(lens, rays), project(resize_lens(lens, 320, 240), rays)
    np.testing.assert_allclose(half, (full + 0.5) / 2 - 0.5, atol=1e-9)


def test_another_aspect_is_a_crop_above_and_below():
    rays = np.array([[0.1, -0.2, 1], [0.3, 0.2, 1]])
    full = project(LENSES["barrel"], rays)
    wide = project(resize_lens(LENSES["barrel"], 640, 360), rays)
    np.testing.assert_allclose(wide, full - [0, 60], atol=1e-9)


def test_simple_lens_has_its_principal_point_at_the_centre():
    lens = simple_lens(640, 480, 500.0)
    np.testing.assert_allclose(project(lens, np.array([0.0, 0, 1])), [319.5, 239.5])
    assert simple_lens(640, 480, 500.0, -0.1).model == "polynomial"


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "magic"},
        {"model": "polynomial", "coefficients": (1.0,)},
        {"K": np.diag([-1.0, 1, 1])},
        {"K": np.full((3, 3), np.nan)},
        {"width": 0},
        {"model": "opencv_fisheye", "coefficients": (np.inf, 0, 0, 0)},
    ],
)
def test_invalid_lenses_are_refused(wrong):
    with pytest.raises(LensError):
        Lens(**{"width": 640, "height": 480, "K": K, **wrong})
