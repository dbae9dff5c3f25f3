"""Decoded frames on the timeline of a path: is it the video that was analysed, and which of its frames is this one?

Frames are matched by pts. Two decodes of a damaged file may differ by a frame, or in the time that a frame without one
is given: such a frame is placed as its nearest neighbour is, for an hour of work is not to be lost over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stabilize.core import StablePath, Timeline
from stabilize.errors import MotionError
from stabilize.video.frame import Frame
from stabilize.video.probe import MediaInfo

BEYOND_S = 1.0  # after the last analysed frame, or before the first: whatever lies further out is another video's
STRAY_FRAMES, STRAY_SHARE = 30, 0.1  # and so is a video in which more than these have times of their own


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """A decoded frame with its place on the path's timeline."""

    index: int
    """Of the frame on the timeline, or of the nearest one there."""
    time_s: float
    """When that is shown, in seconds since the first."""
    frame: Frame
    """Its pixels."""


def check_video(info: MediaInfo, path: StablePath) -> None:
    """Raises MotionError where a path was plainly made for another video."""
    made, video = path.geometry, info.video
    if (made.width, made.height) != (video.width, video.height):
        raise MotionError(
            f"{info.path}: is {video.width}x{video.height}, the motion was measured on {made.width}x{made.height}; "
            "analyse it again"
        )
    if made.rotation != video.rotation:
        raise MotionError(
            f"{info.path}: is shown turned by {video.rotation} degrees, the motion was measured on a video turned by "
            f"{made.rotation}; analyse it again"
        )
    if path.timeline.time_base != video.time_base:
        raise MotionError(
            f"{info.path}: counts time in units of {video.time_base} s, the motion was measured on a video that counts "
            f"in {path.timeline.time_base} s; analyse it again"
        )


class Matching:
    """The iterator of `frames`, in order, as SourceFrames; `warnings` is up to date at every step.

    Raises MotionError once it is plain that the frames are another video's. `name` is what that calls the video.
    """

    def __init__(self, frames: Iterable[Frame], timeline: Timeline, name: str) -> None:
        self._frames = frames
        self._timeline = timeline
        self._name = name
        self._beyond_ticks = BEYOND_S / float(timeline.time_base)
        self.strays = 0

    def __iter__(self) -> Iterator[SourceFrame]:
        pts = self._timeline.pts
        for count, frame in enumerate(self._frames, start=1):
            index = self._timeline.nearest(frame.pts)
            if pts[index] != frame.pts:
                self.strays += 1
                self._check_stray(frame.pts, count)
            yield SourceFrame(index, self._timeline.time_at(index), frame)

    def _check_stray(self, pts: int, count: int) -> None:
        first, last = (int(end) for end in self._timeline.pts[[0, -1]])
        beyond = max(first - pts, pts - last) > self._beyond_ticks
        if beyond or self.strays > STRAY_FRAMES + STRAY_SHARE * count:
            raise MotionError(
                f"{self._name}: has a frame at pts {pts} that was not there when it was analysed, and is not the video "
                "that was; analyse it again"
            )

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self.strays:
            return ()
        return (
            f"frames that were not there or at other times when it was analysed, placed as the nearest: {self.strays}",
        )
