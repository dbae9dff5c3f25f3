"""A part of a video, and the place in the file from which it can be decoded as it would be in the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabilize.errors import UsageError

# Demuxers (FFmpeg's names begin so) that give a packet the same times after a seek as in a read from the beginning.
_KEEP_TIMES = ("mov", "matroska", "mpegts", "avi", "flv", "nut", "mxf")
_FIRST_STEP_BACK_S = 1.0  # where a place will not do, the next is so much earlier, then twice as much, and so on
_MOST_STEPS_BACK = 12  # 4096 s: no group of pictures is so long
_INTRA = 1  # AVPictureType


@dataclass(frozen=True, slots=True)
class Span:
    """The frames of a video with start <= pts < stop."""

    start: int | None = None
    """In the track's time base; None is the first frame."""
    stop: int | None = None
    """The same; None is the end of the video."""
    times_mended: bool = False
    """Whether times had to be mended in a read of the whole (`ReadReport.mended_pts`): that depends on everything
    before, and the file is read from its beginning."""

    def __post_init__(self) -> None:
        if self.start is not None and self.stop is not None and self.start > self.stop:
            raise UsageError(f"a span cannot stop (pts {self.stop}) before it starts (pts {self.start})")

    def holds(self, pts: int | None) -> bool:
        """Whether a frame of this time is part of it; one without a time may be."""
        return pts is None or ((self.start is None or pts >= self.start) and (self.stop is None or pts < self.stop))

    def holds_each(self, pts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The same of many times."""
        after = pts >= self.start if self.start is not None else np.ones(len(pts), bool)
        return after & (pts < self.stop) if self.stop is not None else after


WHOLE = Span()


class UnsureError(Exception):
    """After a seek the frames may be others than in a read of the whole."""


def can_seek(container: Any, stream: Any, span: Span) -> bool:
    """Whether it is worth trying to begin elsewhere than at the beginning of the file."""
    if span.start is None or span.times_mended or not container.format.name.startswith(_KEEP_TIMES):
        return False
    return stream.start_time is not None and span.start > stream.start_time


def places(stream: Any, start: int) -> Iterator[int]:
    """Times to seek to, one after the other until one will do: the start, and ever further before it."""
    yield start
    step = max(1, round(_FIRST_STEP_BACK_S / stream.time_base))
    for doubling in range(_MOST_STEPS_BACK):
        place = start - (step << doubling)
        if place <= stream.start_time:
            return  # so early, the beginning itself is as near
        yield place


class Entry:
    """The key frame with which decoding begins after a seek: the first one in the file from there on."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._pts: int | None = None

    def wait_for(self, packets: Iterator[Any]) -> Iterator[Any]:
        """The packets from the entry on; none where it is shown only after the start. Raises UnsureError where the file
        has no times of presentation.
        """
        for packet in packets:
            if self._pts is None:
                if packet is None:
                    return
                if packet.pts is None:
                    raise UnsureError
                if packet.pts > self._start:
                    return
                if not packet.is_keyframe:
                    continue
                self._pts = packet.pts
            yield packet

    def is_reached(self, frame: Any) -> bool:
        """Whether a frame is the entry, or lies behind it; what comes before it leans on what was not decoded."""
        return frame.pts is None or self._pts is None or frame.pts >= self._pts

    def is_sound(self, frame: Any) -> bool:
        """Whether the first frame that is reached is the picture of the entry, and needs no other.

        A file may call a picture a key frame from which decoding only recovers, over many frames (H.264 with intra
        refresh): that one is no intra picture, or is not shown at all.
        """
        return bool(frame.pts == self._pts and frame.pict_type == _INTRA and not frame.is_corrupt)
