"""`--solver rotation` without a gyroscope log: on the pixels of a generated clip, by means that `stabilize` lacks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation

import samples
from stabilize import Config, analyse, solve, stabilize_video
from stabilize.core import Motion
from stabilize.path.rotation import RotationPath
from stabilize.settings import GyroConfig, PathConfig

F_PX, WIDTH, HEIGHT = 520.0, 640, 360
MIDDLE = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
SPEC = samples.ClipSpec("turning", world="far", motion=samples.MOTIONS["strong"], duration_s=2.5, noise=1.0, seed=11)
STILL = PathConfig(tripod=True, max_crop=0.4, zoom="static")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "turning.mp4"
    samples.write_clip(SPEC, path, preset="veryfast", files=False)
    return path


@pytest.fixture(scope="module")
def motion(clip: Path) -> Motion:
    return analyse(clip)


def _config(path: PathConfig = STILL, **known: object) -> Config:
    return Config(path=replace(path, solver="rotation"), gyro=GyroConfig(**known))  # type: ignore[arg-type]


def _solved(motion: Motion, config: Config) -> RotationPath:
    path = solve(motion, config)
    assert isinstance(path, RotationPath)
    return path


def _frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


def _homography(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """From one picture to another one, about the middle, by SIFT."""
    sift, matcher = cv2.SIFT.create(2000), cv2.BFMatcher()
    (points, words), (others, other_words) = (sift.detectAndCompute(p, None) for p in (before, after))
    near = [a for a, b in matcher.knnMatch(words, other_words, k=2) if a.distance < 0.75 * b.distance]
    prev = np.array([points[m.queryIdx].pt for m in near]) - MIDDLE
    next_ = np.array([others[m.trainIdx].pt for m in near]) - MIDDLE
    return np.asarray(cv2.findHomography(prev, next_, cv2.USAC_MAGSAC, 1.0)[0])


def _steps_px(frames: list[np.ndarray]) -> float:
    """RMS distance by which nine points move between every fifth frame and the next."""
    grid = np.array([[x, y, 1.0] for x in (-280, 0, 280) for y in (-150, 0, 150)])
    moved = []
    for before, after in list(pairwise(frames))[::5]:
        image = grid @ _homography(before, after).T
        moved.append(image[:, :2] / image[:, 2:] - grid[:, :2])
    return float(np.sqrt(np.mean(np.sum(np.square(moved), axis=-1))))


def _distance_from_rotation(H: np.ndarray) -> float:
    """Spread of the singular values of K_out^-1 H K_in, 0 for a rotation, at the best focal length of the output."""
    K = np.diag([F_PX, F_PX, 1.0])

    def spread(zoom: float) -> float:
        values = np.linalg.svd(np.diag([1 / zoom / F_PX, 1 / zoom / F_PX, 1.0]) @ H @ K)[1]
        return float(values[0] / values[2] - 1)

    return float(minimize_scalar(spread, bounds=(0.8, 2.5), method="bounded", options={"xatol": 1e-5}).fun)


def test_focal_length_and_orientations_are_those_of_the_camera(motion: Motion) -> None:
    path = _solved(motion, _config())
    assert path.camera.lens.focal * WIDTH / 2 == pytest.approx(F_PX, rel=0.03)
    R = Rotation.from_matrix(samples.truth(SPEC).R_world_cam)
    steps = Rotation.from_rotvec(path.camera.orientation)
    errors = ((R[:-1].inv() * R[1:]).inv() * (steps[:-1].inv() * steps[1:])).magnitude()
    assert np.degrees(np.sqrt(np.mean(errors**2))) < 0.05
    assert np.degrees(((R[0].inv() * R).inv() * steps).magnitude()).max() < 0.6  # after 75 frames


def test_the_output_stands_still_and_differs_from_the_input_by_rotations(clip: Path, tmp_path: Path) -> None:
    turned, flat = tmp_path / "rotation.mp4", tmp_path / "l1.mp4"
    report = stabilize_video(clip, turned, _config())
    assert not report.gyro_used
    assert any("focal length of" in warning and "estimated" in warning for warning in report.warnings)
    stabilize_video(clip, flat, Config(path=replace(STILL, solver="l1")))
    before, after, similar = (_frames(path) for path in (clip, turned, flat))
    assert _steps_px(after) < 0.15 * _steps_px(before)
    tilts = Rotation.from_matrix(samples.truth(SPEC).R_world_cam).magnitude()
    strongest = np.argsort(tilts)[-5:]
    turned_by, moved_by = (
        np.median([_distance_from_rotation(_homography(before[i], out[i])) for i in strongest])
        for out in (after, similar)
    )
    assert turned_by < 0.015
    assert moved_by > 2 * turned_by  # the measure tells similarities apart


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_known_focal_length_is_used_as_it_is(motion: Motion, scale: float) -> None:
    path = _solved(motion, _config(focal_px=scale * F_PX))
    assert path.camera.lens.focal * WIDTH / 2 == pytest.approx(scale * F_PX)
    assert not any("estimated" in note for note in path.notes)


def test_a_lens_profile_is_used_at_the_size_of_the_frame(motion: Motion, tmp_path: Path) -> None:
    profile = tmp_path / "lens.json"
    matrix = [[1040.0, 0, 639.5], [0, 1040.0, 359.5], [0, 0, 1]]
    size = {"w": 1280, "h": 720}
    lens = {"camera_matrix": matrix, "distortion_coeffs": [-0.1, 0, 0, 0]}
    profile.write_text(
        json.dumps({"calib_dimension": size, "distortion_model": "opencv_standard", "fisheye_params": lens})
    )
    path = _solved(motion, _config(lens=str(profile)))
    assert path.camera.lens.focal * WIDTH / 2 == pytest.approx(F_PX)
    assert path.camera.lens.facts()["coefficients"] == [-0.1, 0, 0, 0]


def test_a_camera_that_slides_along_a_wall_gets_a_lens_that_the_message_does_not_call_measured(tmp_path: Path) -> None:
    spec = replace(SPEC, world="wall", motion=samples.CameraMotion(tremor_m=0.15, tremor_hz=(0.5, 4.0)), duration_s=1.5)
    samples.write_clip(spec, tmp_path / "wall.mp4", preset="veryfast", files=False)
    path = _solved(analyse(tmp_path / "wall.mp4"), _config())
    (note,) = path.notes
    assert re.search(r"of \d+ px is assumed", note) and "--focal" in note
