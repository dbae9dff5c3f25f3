"""Repaired times increase strictly; every frame is kept and valid times are unchanged."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from stabilize.video.timestamps import PresentationClock, repair_times

time_stamps = st.lists(st.one_of(st.none(), st.integers(-1000, 100_000)), max_size=80)


def repair(pts: list[int | None], step: int = 40) -> tuple[list[int], int]:
    calls: list[None] = []
    result = list(repair_times(((t, i) for i, t in enumerate(pts)), step, lambda: calls.append(None)))
    assert [item for _, item in result] == list(range(len(pts)))
    return [t for t, _ in result], len(calls)


@given(time_stamps, st.integers(1, 3003))
def test_any_times_become_strictly_increasing_and_no_frame_is_lost(pts: list[int | None], step: int) -> None:
    times, _ = repair(pts, step)
    assert all(a < b for a, b in itertools.pairwise(times))


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=50).map(sorted))
def test_valid_times_are_unchanged(pts: list[int]) -> None:
    assert repair(list(pts)) == (pts, 0)


def test_missing_time_is_interpolated() -> None:
    assert repair([0, 40, None, 120]) == ([0, 40, 80, 120], 1)


def test_repeated_time_does_not_shift_the_following() -> None:
    times, count = repair([0, 40, 40, 80, 120])
    assert times == [0, 40, 60, 80, 120] and count == 1


def test_decreasing_time_is_interpolated() -> None:
    assert repair([0, 40, 20, 120])[0] == [0, 40, 80, 120]


def test_without_times_frames_are_counted() -> None:
    assert repair([None] * 40)[0] == [40 * i for i in range(40)]


def test_missing_times_before_the_first_valid_one_are_extrapolated() -> None:
    assert repair([None, None, 80, 120])[0] == [0, 40, 80, 120]


def test_restarted_time_continues() -> None:
    before, after = [40 * i for i in range(200)], [40 * i for i in range(50)]
    times, count = repair([*before, *after])
    assert times == [40 * i for i in range(250)] and count == 1


def test_clock_prefers_pts() -> None:
    clock = PresentationClock()
    assert [clock(pts, dts) for pts, dts in [(0, -2), (1, 0), (5, 1), (6, 5)]] == [0, 1, 5, 6]


def test_clock_uses_dts_if_pts_are_missing_or_decrease() -> None:
    clock = PresentationClock()
    assert [clock(None, t) for t in range(4)] == [0, 1, 2, 3]
    clock = PresentationClock()
    wrong = [(0, 67), (101, 101), (67, 134), (134, 167), (34, 201), (234, 234), (201, 267)]
    assert [clock(pts, dts) for pts, dts in wrong][2:] == [134, 167, 201, 234, 267]


def test_one_bad_pts_does_not_shift_the_video() -> None:
    clock = PresentationClock()
    time_stamps = [(3 * i + 2, 3 * i) for i in range(60)]
    time_stamps[40] = (5, 120)
    times = [clock(*stamp) for stamp in time_stamps]
    assert times[:40] == [t for t, _ in time_stamps[:40]] and times[41:] == [t for t, _ in time_stamps[41:]]
