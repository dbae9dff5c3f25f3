"""What the solver does with still, panning and shaking cameras, with shots it cannot solve, and with strengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stabilize.core import CameraPath, field_nodes
from stabilize.errors import SolveError
from stabilize.fields.similarity import to_complex
from stabilize.path.differences import differences
from stabilize.path.solve import solve_path
from stabilize.settings import AxisStrength, PathConfig
from tests.stabilize.path.shaking_camera import HD, camera_of, shaky_steps, stays_inside


def test_a_still_camera_keeps_the_whole_picture() -> None:
    still = np.tile([1.0, 0, 0, 0], (90, 1))
    pose = solve_path(camera_of(still), PathConfig()).crop_pose
    assert pose[:, 0].min() > 0.998
    assert np.ptp(pose, axis=0).max() < 1e-3


def test_a_constant_pan_is_kept() -> None:
    pan = np.tile([1.0, 0, 0.03, 0], (120, 1))
    pose = solve_path(camera_of(pan), PathConfig()).crop_pose
    assert np.abs(pose[5:-5, 2]).max() < 0.01


def test_shake_is_removed_where_the_crop_allows() -> None:
    step = shaky_steps(200, 4, 0.006, 0.002)
    camera = camera_of(step)
    pose = to_complex(solve_path(camera, PathConfig()).crop_pose)
    before, after = differences(to_complex(step), np.ones(200 - 1))[1], None
    after = before(pose) + before.offset
    assert np.sqrt(np.mean(np.abs(after[:, 1]) ** 2)) < 0.05 * np.sqrt(np.mean(np.abs(before.offset[:, 1]) ** 2))


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
def test_the_shortest_clips_have_a_path(frames: int) -> None:
    camera = camera_of(shaky_steps(max(frames, 2), 1)[: frames - 1])
    assert np.isfinite(solve_path(camera, PathConfig()).crop_pose).all()


def test_shots_are_solved_independently() -> None:
    step = shaky_steps(100, 6)
    parts = camera_of(step, shots=(slice(0, 50), slice(50, 100)))
    alone = camera_of(step[:49], shots=(slice(0, 50),))
    together = solve_path(parts, PathConfig()).crop_pose[:50]
    np.testing.assert_allclose(together, solve_path(alone, PathConfig()).crop_pose, atol=2e-3)


def test_an_axis_without_strength_is_left_as_filmed() -> None:
    config = PathConfig(strength=AxisStrength(x=0.0))
    pose = solve_path(camera_of(shaky_steps(100, 8, 0.01, 0.0)), config).crop_pose
    assert np.abs(pose[:, 2]).max() < 2e-3
    assert np.abs(pose[:, 3]).max() > 5e-3


def test_settings_out_of_range_are_refused() -> None:
    for bad in ({"smoothness_s": 0.0}, {"max_crop": 0.9}, {"zoom": "none"}):
        with pytest.raises(ValueError):
            PathConfig(**bad)


def _with_bent_shot(shots: tuple[slice, ...], bent: slice) -> CameraPath:
    """Shots of which one is bent beyond any crop."""
    camera = camera_of(shaky_steps(90, 3), 0.003, shots=shots)
    camera.wobble[bent] = np.where(np.arange(17) % 2, 0.9, -0.9)[:, None]
    return camera


def test_a_shot_without_a_solution_is_left_as_filmed() -> None:
    shots = slice(0, 30), slice(30, 60), slice(60, 90)
    camera = _with_bent_shot(shots, shots[1])
    before = camera.wobble.copy()
    path = solve_path(camera, PathConfig())
    np.testing.assert_array_equal(path.crop_pose[shots[1]], np.tile([1.0, 0, 0, 0], (30, 1)))
    assert not path.camera.wobble[shots[1]].any()
    np.testing.assert_array_equal(path.camera.wobble[shots[0]], before[shots[0]])
    np.testing.assert_array_equal(camera.wobble, before)  # an argument is never changed
    assert np.abs(path.crop_pose[shots[2]] - [1, 0, 0, 0]).max() > 0.01
    assert stays_inside(path)
    (note,) = path.notes
    assert "1.00 to 1.97 s" in note and "--set fuse.wobble_limit=0" in note and "--max-crop" in note


def test_no_solution_in_any_shot_is_an_error() -> None:
    with pytest.raises(SolveError, match=r"--set fuse\.wobble_limit=0"):
        solve_path(_with_bent_shot((slice(0, 1), slice(1, 90)), slice(1, 90)), PathConfig())


def test_a_single_frame_is_left_as_filmed() -> None:
    """It has no path, and so no crop that its wobble could use up."""
    shots = slice(0, 45), slice(45, 46), slice(46, 90)
    path = solve_path(camera_of(shaky_steps(90, 3), 0.004, shots=shots), PathConfig())
    field = path.field(45, path.timeline.time_at(45)).source_px
    x, y = np.meshgrid(field_nodes(field.shape[1], 640), field_nodes(field.shape[0], 360))
    np.testing.assert_allclose(field, np.stack([x, y], axis=-1), atol=1e-4)
    assert path.camera.wobble[44].any() and path.notes == ()


def test_strengths_refer_to_the_displayed_picture() -> None:
    """A picture that players turn by a quarter has its rows shown as columns."""
    camera = camera_of(shaky_steps(90, 5))
    aside = replace(camera, geometry=replace(HD, rotation=90))
    upside_down = replace(camera, geometry=replace(HD, rotation=180))
    across, along = (PathConfig(strength=AxisStrength(*share)) for share in ((0, 1), (1, 0)))
    pose = solve_path(camera, across).crop_pose
    np.testing.assert_array_equal(solve_path(aside, along).crop_pose, pose)
    np.testing.assert_array_equal(solve_path(upside_down, across).crop_pose, pose)
    assert np.abs(solve_path(aside, across).crop_pose - pose).max() > 0.005


def test_the_crop_does_not_breathe_with_the_camera() -> None:
    """A camera whose scale is noisy, or whose lens zooms, is no reason for the crop to change."""
    rng = np.random.default_rng(4)
    for zoom in (np.exp(rng.normal(0, 0.02, 61)), np.geomspace(1, 1.6, 61)):
        step = np.column_stack([zoom[1:] / zoom[:-1], np.zeros((60, 3))])
        pose = solve_path(camera_of(step), PathConfig()).crop_pose
        assert np.ptp(pose[:, 0]) < 1e-3
