"""Frames of a second decode on the timeline of the first: what differs a little is placed, another video is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from stabilize.core import Timeline
from stabilize.errors import MotionError
from stabilize.rendering.matching import Matching
from stabilize.video.frame import Frame
from tests.stabilize.rendering.rendering_scene import picture

BLANK = picture((0, 0))
STEP = 10
FRAMES = 200
ANALYSED = Timeline(np.arange(FRAMES, dtype=np.int64) * STEP, Fraction(1, 300))
TIMES = ANALYSED.pts.tolist()


def _match(times: list[int]) -> tuple[list[int], int, tuple[str, ...]]:
    matching = Matching((Frame(pts, BLANK.layout, BLANK.planes) for pts in times), ANALYSED, "clip.mp4")
    placed = list(matching)
    assert [source.time_s for source in placed] == [ANALYSED.time_s[source.index] for source in placed]
    return [source.index for source in placed], matching.strays, matching.warnings


def test_the_same_frames_are_themselves() -> None:
    assert _match(TIMES) == (list(range(FRAMES)), 0, ())


@pytest.mark.parametrize(
    "times, index, strays",
    [
        (sorted([*TIMES, 504]), 50, 1),  # one more
        (sorted([*TIMES, 506]), 51, 1),
        ([*TIMES, 2000], FRAMES - 1, 1),  # one more at the end
        ([-10, *TIMES], 0, 1),
        ([pts + 3 * (pts == 700) for pts in TIMES], 70, 1),  # another time
        (TIMES[:-1], None, 0),  # one fewer
        ([pts for pts in TIMES if pts != 700], None, 0),
    ],
)
def test_a_small_difference_is_placed_as_the_nearest_frame(times: list[int], index: int | None, strays: int) -> None:
    placed, counted, warnings = _match(times)
    different = [place for place, pts in zip(placed, times, strict=True) if pts not in TIMES]
    assert different == ([] if index is None else [index])
    assert counted == strays and len(placed) == len(times) and placed == sorted(placed)
    assert [text.rpartition(": ")[2] for text in warnings] == [str(strays)] * bool(strays)


@pytest.mark.parametrize(
    "times",
    [
        [*TIMES, *range(2000, 2400, STEP)],  # goes on for more than a second
        [-400, *TIMES],
        [pts * 12 // 10 for pts in range(0, 2000, STEP)],  # 25 frames a second instead of 30
        [pts + 1 for pts in TIMES],
    ],
)
def test_another_video_is_refused(times: list[int]) -> None:
    with pytest.raises(MotionError, match=r"clip\.mp4: .* analyse it again"):
        _match(times)
