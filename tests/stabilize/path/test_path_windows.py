"""The crop stays inside the frame: margins, windows that are blended, one scale for a static zoom."""

from __future__ import annotations

import numpy as np
import pytest

from stabilize.fields.similarity import to_complex
from stabilize.parallel import THREADS_MAX, cores
from stabilize.path.crop import half_span, margins
from stabilize.path.differences import differences
from stabilize.path.interior_point import Problem, solve
from stabilize.path.shrink import shrink_into_frame
from stabilize.path.similarity import SimilarityPath
from stabilize.path.solve import solve_path
from stabilize.path.windows import MARGIN_ROUNDS, OVERLAP_FRAMES, WINDOW_FRAMES
from stabilize.settings import PathConfig
from tests.stabilize.path.shaking_camera import HD, camera_of, field_of_frame, over_pixels, shaky_steps, stays_inside


@pytest.mark.parametrize("zoom", ["dynamic", "static"])
@pytest.mark.parametrize("shake, wobble", [(0.005, 0.0), (0.05, 0.004), (0.4, 0.006)])
def test_no_pixel_ever_comes_from_outside_the_frame(zoom: str, shake: float, wobble: float) -> None:
    camera = camera_of(shaky_steps(150, 7, shake, 0.02), wobble)
    path = solve_path(camera, PathConfig(zoom=zoom))  # type: ignore[arg-type]
    assert stays_inside(path)


def test_the_margins_measure_the_field_along_the_border() -> None:
    camera = camera_of(shaky_steps(40, 2), 0.006)
    pose = np.tile([0.9, 0.01, 0.02, 0.0], (40, 1))
    _, outside = margins(camera, pose, slice(0, 40))
    path = SimilarityPath(camera, pose)
    fields = np.array([camera.geometry.to_unit(over_pixels(field_of_frame(path, i))) for i in range(40)])
    true = (np.abs(fields) - half_span(HD)).max(axis=(1, 2, 3))
    assert np.abs(outside - true).max() < 0.01


@pytest.mark.parametrize("shake, wobble", [(0.05, 0.004), (0.4, 0.006)])
def test_a_window_is_solved_until_it_lies_inside_and_not_again(
    monkeypatch: pytest.MonkeyPatch, shake: float, wobble: float
) -> None:
    """The first solution only tells the margins; where the next reach out, wider margins suffice, nothing is shrunk."""
    camera, solves = camera_of(shaky_steps(60, 3, shake, 0.02), wobble), []

    def counted(problem: Problem, tolerance: float) -> np.ndarray:
        solves.append(solve(problem, tolerance))
        return solves[-1]

    def refuse(*_: object) -> np.ndarray:
        raise AssertionError("shrunk, though wider margins suffice")

    monkeypatch.setattr("stabilize.path.windows.solve", counted)
    monkeypatch.setattr("stabilize.path.windows.shrink_into_frame", refuse)
    path = solve_path(camera, PathConfig(max_crop=0.2, horizon_deg=0.0))  # levelled: one attempt at the balance
    outside = [margins(camera, pose, slice(0, 60))[1].max() > 0 for pose in solves[1:]]
    assert outside == [True] * (len(solves) - 2) + [False]
    assert 2 <= len(solves) < MARGIN_ROUNDS
    np.testing.assert_array_equal(path.crop_pose, solves[-1])


@pytest.mark.parametrize("frames", [3, 20, 60, 61, 100])
def test_a_shot_of_any_length_can_be_shrunk_into_the_frame(frames: int) -> None:
    camera = camera_of(shaky_steps(frames, 2), 0.003)
    pose = np.tile([0.97, 0.0, 0.0, 0.0], (frames, 1))
    pose[frames // 2, 2] = 0.06  # a few hundredths outside
    shrunk = shrink_into_frame(camera, slice(0, frames), pose)
    assert shrunk.shape == pose.shape
    assert margins(camera, shrunk, slice(0, frames))[1].max() <= 0
    assert np.abs(np.diff(np.hypot(shrunk[:, 0], shrunk[:, 1]))).max() < 0.02


def test_a_static_zoom_is_one_number() -> None:
    pose = solve_path(camera_of(shaky_steps(120, 9, 0.02)), PathConfig(zoom="static")).crop_pose
    assert np.ptp(np.hypot(pose[:, 0], pose[:, 1])) < 1e-9


def test_long_shots_are_joined_without_a_step() -> None:
    step = shaky_steps(3700, 11, 0.01)
    pose = to_complex(solve_path(camera_of(step), PathConfig()).crop_pose)
    d = differences(to_complex(step), np.ones(len(step)))[1]
    quick = np.abs(d(pose) + d.offset)[:, 1]
    assert quick[2900:3400].max() < 3 * quick[500:2500].max() + 1e-4


def test_a_path_does_not_depend_on_the_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= cores() <= THREADS_MAX
    camera, poses = camera_of(shaky_steps(WINDOW_FRAMES + 2 * OVERLAP_FRAMES, 3)), []
    for count in (1, 4):
        monkeypatch.setattr("stabilize.path.windows.cores", lambda count=count: count)
        poses.append(solve_path(camera, PathConfig()).crop_pose)
    np.testing.assert_array_equal(poses[0], poses[1])
