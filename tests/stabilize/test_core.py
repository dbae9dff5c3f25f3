"""The dataclasses between the stages check their values, so that no later stage has to."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from stabilize.core import CameraPath, FrameGeometry, Timeline, possible
from stabilize.path.similarity import SimilarityPath


def _turn(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    "H",
    [
        np.eye(3),
        -5 * np.eye(3),  # the same map
        _turn(180),
        np.diag([2.0, 2.0, 1]),
        np.array([[1, 0, 1.9], [0, 1, 0], [0, 0, 1]]),
        np.array([[1, 0.3, 0], [0, 1, 0], [0.2, 0.2, 1]]),
    ],
)
def test_a_homography_that_a_camera_can_make_is_possible(H: np.ndarray) -> None:
    assert possible(H[None]).tolist() == [True]


@pytest.mark.parametrize(
    "H",
    [
        np.zeros((3, 3)),
        np.ones((3, 3)),
        np.diag([1.0, 1.0, 0]),
        np.diag([1.0, -1, 1]),
        np.diag([1e-2, 1e-2, 1]),
        np.array([[1, 0, 50.0], [0, 1, 0], [0, 0, 1]]),
        np.array([[1, 0, 0], [0, 1, 0], [0.6, 0.6, 1]]),  # a corner beyond the horizon
        np.full((3, 3), np.nan),
        np.diag([np.inf, 1, 1]),
        np.diag([1e300, 1e300, 1e-300]),
    ],
)
def test_a_homography_that_no_camera_can_make_is_not_possible(H: np.ndarray) -> None:
    assert possible(np.stack([np.eye(3), H])).tolist() == [True, False]


@pytest.mark.parametrize(
    "pts, time_base, message",
    [
        ([0, 1, 1], Fraction(1, 30), "strictly"),
        ([2**62, -(2**62), 2**63 - 1], Fraction(1, 30), "strictly"),  # differences of 64 bits would wrap around
        ([-(2**63), 2**63 - 1], Fraction(1, 30), "2\\^62"),
        ([0, 1], Fraction(0), "positive"),
        ([0, 1], Fraction(-1, 30), "positive"),
        ([0, 1], Fraction(1, 10**400), "32 bits"),
        ([0, 1], Fraction(10**400), "32 bits"),
    ],
)
def test_invalid_times_are_refused(pts: list[int], time_base: Fraction, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Timeline(np.array(pts, np.int64), time_base)


def test_the_interval_is_the_median_and_1_30_s_for_a_damaged_clock() -> None:
    frames = np.arange(9, dtype=np.int64)
    assert Timeline(frames, Fraction(1, 25)).interval_s == pytest.approx(1 / 25)
    assert Timeline(frames, Fraction(1, 960)).interval_s == pytest.approx(1 / 960)
    assert Timeline(frames * 60, Fraction(1)).interval_s == pytest.approx(60)
    for damaged in (Timeline(frames, Fraction(1, 10**9)), Timeline(frames[:1], Fraction(1, 25))):
        assert damaged.interval_s == pytest.approx(1 / 30)


def test_intervals_are_bounded_and_in_units_of_the_median() -> None:
    pts = np.array([0, 10, 20, 45, 55, 65, 65 + 2**61, 66 + 2**61], np.int64)
    for time_base in (Fraction(1, 250), Fraction(1, 2**31)):
        intervals = Timeline(pts, time_base).intervals
        np.testing.assert_allclose(intervals[:5], [1, 1, 2.5, 1, 1])
        assert 10 < intervals[5] <= 1e4 and 1e-4 <= intervals[6] < 0.2


@pytest.mark.parametrize(
    "width, height, aspect",
    [(0, 9, 1.0), (9, -1, 1.0), (10**9, 9, 1.0), (9.5, 9, 1.0), ("9", 9, 1.0), (9, 9, 0.0), (9, 9, float("nan"))],
)
def test_a_frame_without_a_valid_size_is_refused(width: int, height: int, aspect: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        FrameGeometry(width, height, aspect)


def _path(frames: int = 6) -> CameraPath:
    step = np.tile([1.0, 0, 0, 0], (frames - 1, 1))
    timeline = Timeline(np.arange(frames, dtype=np.int64), Fraction(1, 30))
    wobble = np.zeros((frames, 10, 17, 2), np.float16)
    return CameraPath(timeline, FrameGeometry(640, 360), step, np.ones(frames - 1), wobble, (slice(0, frames),))


@pytest.mark.parametrize(
    "shots",
    [
        (),
        (slice(0, 5),),
        (slice(0, 7),),
        (slice(1, 6),),
        (slice(0, 3), slice(4, 6)),
        (slice(0, 4), slice(3, 6)),
        (slice(3, 6), slice(0, 3)),
        (slice(0, 3), slice(3, 3), slice(3, 6)),
    ],
)
def test_shots_cover_every_frame_once(shots: tuple[slice, ...]) -> None:
    assert replace(_path(), shots=(slice(0, 2), slice(2, 6))).shots[1] == slice(2, 6)
    with pytest.raises(ValueError, match="shots"):
        replace(_path(), shots=shots)


def test_a_path_that_is_not_finite_is_refused() -> None:
    path = _path()
    pose = np.tile([1.0, 0, 0, 0], (6, 1))
    assert SimilarityPath(path, pose).notes == ()
    pose[2, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        SimilarityPath(path, pose)
    for step in (np.zeros((5, 4)), np.full((5, 4), np.inf)):
        with pytest.raises(ValueError, match="step"):
            replace(path, step=step)


def test_a_rotation_is_a_multiple_of_90_degrees() -> None:
    assert [FrameGeometry(64, 48, 1.0, turn).lies_on_its_side for turn in (0, 90, 180, 270)] == [False, True] * 2
    for turn in (45, -90, 360, 90.0, "90"):
        with pytest.raises(ValueError, match="rotation"):
            FrameGeometry(64, 48, 1.0, turn)  # type: ignore[arg-type]
