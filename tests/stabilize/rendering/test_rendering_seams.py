"""The seams of rendering, each by a second client: another path, a composer of two frames, two slots for each frame."""

from __future__ import annotations

import numpy as np
import pytest

from stabilize.core import StablePath
from stabilize.rendering.backends import Warp, open_backend
from stabilize.rendering.compose import COMPOSERS, Composer, crop
from stabilize.rendering.matching import SourceFrame
from stabilize.rendering.run import output_frames
from stabilize.rendering.schedule import Schedule, Slot, as_filmed
from stabilize.rendering.window import Window
from stabilize.settings import RenderConfig
from stabilize.video.buffers import new_frame
from stabilize.video.frame import Frame
from tests.stabilize.rendering.rendering_scene import TICKS, ShiftPath, filmed, picture, shaky

INNER = (slice(8, -8), slice(8, -8))
SECOND_SHOT = (slice(0, 3), slice(3, 6))


def _blend(window: Window, slot: Slot, path: StablePath, out: Frame, warp: Warp) -> None:
    """Half of the frame, half of the next one, where there is one."""
    crop(window, slot, path, out, warp)
    if window.position + 1 == len(window.frames):
        return
    following = window.frames[window.position + 1]
    other = new_frame(out.layout, *out.size, slot.pts)
    warp(following.frame, path.field(following.index, slot.time_s), other)
    for plane, more in zip(out.planes, other.planes, strict=True):
        plane[:] = (plane.astype(int) + more + 1) // 2


def _twice(source: SourceFrame, following: SourceFrame | None) -> list[Slot]:
    """At the frame's own time, and midway to the next."""
    if following is None:
        return [*as_filmed(source, None)]
    pts, time_s = following.frame.pts - source.frame.pts, following.time_s - source.time_s
    start = source.frame.pts
    return [Slot(start + pts * k // 2, pts // 2, source.time_s + time_s * k / 2) for k in (0, 1)]


def _rendered(path: ShiftPath, composer: Composer, schedule: Schedule = as_filmed) -> list[Frame]:
    return list(output_frames(filmed(path), path, open_backend(RenderConfig(), "left"), composer, schedule))


def _error(got: Frame, want: Frame) -> int:
    pairs = zip(got.planes, want.planes, strict=True)
    return max(int(np.abs(a[INNER].astype(int) - b[INNER]).max()) for a, b in pairs)


def _truth(path: ShiftPath, time_s: float) -> Frame:
    return picture(path.place(time_s))


@pytest.mark.parametrize("composer", [*COMPOSERS.values(), Composer(_blend, after=1)], ids=[*COMPOSERS, "blend"])
@pytest.mark.parametrize("schedule", [as_filmed, _twice])
def test_every_way_shows_the_world_where_the_path_says(composer: Composer, schedule: Schedule) -> None:
    path = shaky()
    frames = _rendered(path, composer, schedule)
    slots = 6 if schedule is as_filmed else 11
    assert [frame.pts for frame in frames] == [k * TICKS * 6 // (slots + slots % 2) for k in range(slots)]
    for frame in frames:
        assert _error(frame, _truth(path, frame.pts / 300)) <= 2


def test_two_frames_of_a_still_world_make_the_same_as_one() -> None:
    path = shaky(seed=3)
    for one, two in zip(_rendered(path, COMPOSERS["crop"]), _rendered(path, Composer(_blend, after=1)), strict=True):
        assert _error(one, two) <= 1


def test_frames_without_a_field_of_their_own_would_show() -> None:
    """The world is not so smooth that any field would do."""

    def careless(window: Window, slot: Slot, path: StablePath, out: Frame, warp: Warp) -> None:
        last = window.frames[-1]
        warp(last.frame, path.field(window.centre.index, slot.time_s), out)

    path = shaky()
    worst = max(_error(frame, _truth(path, frame.pts / 300)) for frame in _rendered(path, Composer(careless, after=1)))
    assert worst > 10


def test_no_composer_sees_across_a_cut() -> None:
    path, seen = shaky(shots=SECOND_SHOT), []

    def look(window: Window, slot: Slot, path: StablePath, out: Frame, warp: Warp) -> None:
        seen.append((window.centre.index, [source.index for source in window.frames]))
        crop(window, slot, path, out, warp)

    _rendered(path, Composer(look, before=2, after=1))
    assert sorted(seen) == [
        (0, [0, 1]), (1, [0, 1, 2]), (2, [0, 1, 2]), (3, [3, 4]), (4, [3, 4, 5]), (5, [3, 4, 5]),
    ]  # fmt: skip


def test_times_and_durations_are_the_slots() -> None:
    frames = _rendered(shaky(3), COMPOSERS["crop"], _twice)
    assert [(frame.pts, frame.duration) for frame in frames] == [(0, 5), (5, 5), (10, 5), (15, 5), (20, 10)]
