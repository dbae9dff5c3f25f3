"""A part of a video, and where in the file to start decoding it so that its frames are the same as in a full read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabilize.errors import UsageError

# Prefixes of FFmpeg's demuxer names: after a seek, their packets have the same times as in a full read.
_STABLE_TIME_DEMUXERS = ("mov", "matroska", "mpegts", "avi", "flv", "nut", "mxf")
_FIRST_STEP_BACK_S = 1.0  # the first retry is this much earlier, the following twice as much each time
_STEPS_BACK_MAX = 12  # up to 2048 s, longer than any group of pictures
_INTRA_FRAME = 1  # AVPictureType


@dataclass(frozen=True, slots=True)
class Span:
    """The frames of a video with start <= pts < stop."""

    start: int | None = None
    """In the track's time base; None: the first frame."""
    stop: int | None = None
    """In the track's time base; None: the end of the video."""
    times_repaired: bool = False
    """Whether a full read had to repair times (`ReadReport.repaired_pts`). Since repairs depend on everything before,
    the file is then read from the beginning."""

    def __post_init__(self) -> None:
        if self.start is not None and self.stop is not None and self.start > self.stop:
            raise UsageError(f"a span cannot stop (pts {self.stop}) before it starts (pts {self.start})")

    def contains(self, pts: int | None) -> bool:
        """Return whether a frame lies in the span. True without pts, as it may."""
        return pts is None or ((self.start is None or pts >= self.start) and (self.stop is None or pts < self.stop))

    def contains_each(self, pts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return a mask (n,) of the times that lie in the span."""
        is_started = pts >= self.start if self.start is not None else np.ones(len(pts), bool)
        return is_started & (pts < self.stop) if self.stop is not None else is_started


WHOLE = Span()


class InexactSeekError(Exception):
    """After a seek, the frames may differ from those of a full read."""


def can_seek(container: Any, stream: Any, span: Span) -> bool:
    """Return whether seeking to the span may work and is faster than reading from the beginning."""
    if span.start is None or span.times_repaired or not container.format.name.startswith(_STABLE_TIME_DEMUXERS):
        return False
    return stream.start_time is not None and span.start > stream.start_time


def seek_times(stream: Any, start: int) -> Iterator[int]:
    """Yield times to seek to, until one succeeds: the start, then earlier and earlier times."""
    yield start
    step = max(1, round(_FIRST_STEP_BACK_S / stream.time_base))
    for doubling in range(_STEPS_BACK_MAX):
        time = start - (step << doubling)
        if time <= stream.start_time:
            return  # the caller reads from the beginning
        yield time


class EntryPoint:
    """The first key frame after a seek, where decoding starts."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._pts: int | None = None

    def skip_to_entry(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Yield the packets from the entry point on; none if it lies after the start of the span.

        Raises InexactSeekError if a packet has no presentation time.
        """
        for packet in packets:
            if self._pts is None:
                if packet is None:
                    return
                if packet.pts is None:
                    raise InexactSeekError
                if packet.pts > self._start:
                    return
                if not packet.is_keyframe:
                    continue
                self._pts = packet.pts
            yield packet

    def is_reached(self, frame: Any) -> bool:
        """Return whether a frame is not before the entry point. Earlier ones refer to frames that were not decoded."""
        return frame.pts is None or self._pts is None or frame.pts >= self._pts

    def is_clean(self, frame: Any) -> bool:
        """Return whether the first reached frame is the entry point itself, intact and an intra frame.

        Files with H.264 intra refresh mark frames as key frames that are not: decoding recovers over many frames.
        """
        return bool(frame.pts == self._pts and frame.pict_type == _INTRA_FRAME and not frame.is_corrupt)
