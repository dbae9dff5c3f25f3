"""Clocks of every kind, and the time that many shots take."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from stabilize.core import Timeline
from stabilize.path.measure import shake
from stabilize.path.similarity import SimilarityPath
from stabilize.path.solve import solve_path
from stabilize.settings import PathConfig
from tests.stabilize.path.shaking_camera import camera_of, shaky_steps, stays_inside

UNEVEN = {
    "one gap of ages": np.where(np.arange(119) == 50, 2**60, 1),
    "pairs": np.where(np.arange(119) % 2, 1, 10**9),
    "of every size": (10 ** np.random.default_rng(0).uniform(0, 13, 119)).astype(np.int64) + 1,
    "a burst": np.where(np.arange(119) < 40, 1, 10**9),
}


@pytest.mark.parametrize("time_base", [Fraction(1, 2**31), Fraction(1, 30), Fraction(2**31)], ids=str)
@pytest.mark.parametrize("steps", UNEVEN.values(), ids=UNEVEN.keys())
def test_any_valid_clock_has_a_path(steps: np.ndarray, time_base: Fraction) -> None:
    """RuntimeWarnings are errors in all tests. Where a frame lasts longer than the horizon, nothing can be steadied."""
    timeline = Timeline(np.concatenate([[0], np.cumsum(steps)]), time_base)
    camera = replace(camera_of(shaky_steps(120, 3), 0.003), timeline=timeline)
    path = solve_path(camera, PathConfig())
    assert all(note.startswith("could not steady") for note in path.notes) and stays_inside(path)
    assert all(np.isfinite([s.shift_percent, s.roll_deg]).all() for s in shake(path))


def test_a_clock_that_runs_too_fast_is_read_as_30_frames_per_second() -> None:
    """Frames a few nanoseconds apart are no film of a billion a second: they are smoothed as 30 a second are."""
    camera = camera_of(shaky_steps(60, 5), 0.003)
    fast = replace(camera, timeline=Timeline(camera.timeline.pts, Fraction(1, 10**9)))
    np.testing.assert_allclose(
        solve_path(fast, PathConfig()).crop_pose, solve_path(camera, PathConfig()).crop_pose, atol=1e-7
    )


def test_the_clock_is_read_once_per_video_and_not_once_per_shot() -> None:
    """What belongs to the whole video is worked out once: 2000 shots of one film see its clock as often as one does."""
    reads = 0

    class Counted(Timeline):
        __slots__ = ()

        @property
        def time_s(self) -> np.ndarray:
            nonlocal reads
            reads += 1
            return super().time_s

    frames = 400
    shots = tuple(slice(start, start + 2) for start in range(0, frames, 2))
    camera = replace(
        camera_of(np.tile([1.0, 0, 0, 0], (frames - 1, 1)), shots=shots),
        timeline=Counted(np.arange(frames, dtype=np.int64), Fraction(1, 30)),
    )
    camera.step[::2, 2] = 0.01
    solve_path(camera, PathConfig())
    assert reads < 10


def test_the_shot_of_a_frame_is_found_by_bisection() -> None:
    class Shots(tuple[slice, ...]):
        lookups = 0

        def __getitem__(self, index: int) -> slice:  # type: ignore[override]
            Shots.lookups += 1
            return super().__getitem__(index)

        def __iter__(self):
            raise AssertionError("walked from the first shot on")

    frames = 1024
    camera = camera_of(np.tile([1.0, 0, 0, 0], (frames - 1, 1)), shots=tuple(slice(i, i + 1) for i in range(frames)))
    path = SimilarityPath(camera, np.tile([1.0, 0, 0, 0], (frames, 1)))
    object.__setattr__(camera, "shots", Shots(camera.shots))
    path.field(1000, path.timeline.time_at(1000))
    assert 0 < Shots.lookups <= 12
