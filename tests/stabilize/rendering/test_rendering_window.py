"""Windows: the right frames, and no more of them in memory than was said."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stabilize.rendering.matching import SourceFrame
from stabilize.rendering.window import windows
from stabilize.video.frame import Frame
from stabilize.video.layouts import LAYOUTS
from tests.stabilize.rendering.rendering_scene import picture

SMALL, GRAY = picture((0, 0)), LAYOUTS["gray"]


def _sources(count: int) -> Iterator[SourceFrame]:
    return (SourceFrame(index, float(index), Frame(index, SMALL.layout, SMALL.planes)) for index in range(count))


def _shots(lengths: list[int]) -> list[slice]:
    edges = [sum(lengths[:k]) for k in range(len(lengths) + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 3))
def test_a_window_is_the_frames_around_within_the_shot(lengths: list[int], before: int, after: int) -> None:
    shots, count = _shots(lengths), sum(lengths)
    found = list(windows(_sources(count), shots, before, after))
    assert [window.centre.index for window in found] == list(range(count))
    for i, window in enumerate(found):
        shot = next(shot for shot in shots if i < shot.stop)
        expected = range(max(i - before, shot.start), min(i + after + 1, shot.stop))
        assert [source.index for source in window.frames] == list(expected)
        following = window.following.index if window.following else None
        assert following == (i + 1 if i + 1 < count else None)


@pytest.mark.parametrize("before, after", [(0, 0), (0, 1), (2, 0), (3, 2)])
def test_no_more_frames_are_held(before: int, after: int) -> None:
    drawn: list[weakref.ref[np.ndarray]] = []
    alive: list[int] = []

    def decode(index: int) -> SourceFrame:
        luma = np.zeros((4, 4), np.uint8)
        drawn.append(weakref.ref(luma))
        alive.append(sum(pixels() is not None for pixels in drawn))
        return SourceFrame(index, float(index), Frame(index, GRAY, (luma,)))

    for window in windows(map(decode, range(20)), [slice(0, 7), slice(7, 20)], before, after):
        del window
    assert max(alive) == before + 1 + max(after, 1)


def test_no_frames_no_windows() -> None:
    assert list(windows(iter(()), [slice(0, 0)], 1, 1)) == []
