"""Times to frames and back: exact for the times of frames, with any clock."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stabilize.core import Timeline


def _timeline(first: int, gaps: list[int], base: Fraction) -> Timeline:
    return Timeline(np.array(list(accumulate(gaps, initial=first)), np.int64), base)


BASES = st.builds(Fraction, st.integers(1, 1001), st.sampled_from([24, 25, 1000, 1001, 15360, 90000, 10**9]))


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(1, 10**6), max_size=30), BASES)
def test_the_time_of_a_frame_locates_that_frame(first: int, gaps: list[int], base: Fraction) -> None:
    timeline = _timeline(first, gaps, base)
    for index, time_s in enumerate(timeline.time_s):
        assert timeline.time_at(index) == time_s
        assert timeline.locate(float(time_s)) == (index, 0.0)
        assert timeline.nearest(int(timeline.pts[index])) == index


@given(st.lists(st.integers(2, 10**4), min_size=1, max_size=20), st.floats(0.01, 0.99), st.data())
def test_a_time_between_frames_has_the_share_of_the_interval(
    gaps: list[int], share: float, data: st.DataObject
) -> None:
    timeline = _timeline(0, gaps, Fraction(1, 90000))
    index = data.draw(st.integers(0, len(gaps) - 1))
    time_s = float(timeline.time_s[index] * (1 - share) + timeline.time_s[index + 1] * share)
    frame, passed = timeline.locate(time_s)
    assert frame + passed == pytest.approx(index + share, abs=2e-3)


def test_times_outside_the_video_locate_its_first_or_last_frame() -> None:
    timeline = _timeline(50, [10, 10], Fraction(1, 30))
    assert timeline.locate(-1.0) == (0, 0.0)
    assert timeline.locate(99.0) == (2, 0.0)
    assert [timeline.nearest(pts) for pts in (-100, 54, 56, 1000)] == [0, 0, 1, 2]
    assert _timeline(3, [], Fraction(1, 30)).locate(0.5) == (0, 0.0)
