"""How many frames of a video are missing from what was read, by what the file itself shows.

Two kinds of evidence count: packets that no frame came out of, and gaps between the times of packets, but the latter
only where the file is damaged beside the gap; with a variable rate a gap alone means nothing. Containers with an index
of all their packets (MP4) have no such gaps.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabilize.video.span import WHOLE, Span

Times = NDArray[np.int64]
_INDEXED = ("mov", "avi")  # FFmpeg's names of demuxers begin so
_TELLS_POSITIONS = ("matroska", "flv")  # nothing but short headers lies between their packets
_UNREAD_BYTES = 100  # between two packets: more than the headers of packets and clusters, beside ...
_UNREAD_TIMES = 4  # ... so many times what is usual in this file
_NO_PICTURE_BYTES = 20  # packets so small repeat a picture (MPEG-4), or hold none at all
_NEIGHBOURS = 8  # steps on each side that say what the rhythm is around a gap
_REACH = 4  # steps: frames are decoded in another order than they are shown in
_GAP = 1.5  # steps: a gap that is no longer has no frame missing
_HIDDEN_SHARE = 0.1  # of all packets, or a second of them: fewer are what is left of a cut between key frames
_MOSTLY = 7 / 8  # so many packets have times, or times are not relied on


@dataclass(frozen=True, slots=True)
class Missing:
    """Missing frames: packets without a picture; room in gaps between packets; what the file says not to show."""

    undecoded: int = 0
    in_gaps: int = 0
    hidden: int = 0


class Ledger:
    """What went into a decoder and what came out: some 24 bytes a frame."""

    def __init__(self, demuxer: str, time_base: Any, positions: bool = True) -> None:
        self._indexed = demuxer.startswith(_INDEXED)
        self._positions = positions and demuxer.startswith(_TELLS_POSITIONS)
        self._time_base = float(time_base)
        self.clear()

    def clear(self) -> None:
        """Forget everything: reading begins at another place."""
        self._packets, self._skips, self._frames, self._damage = (array("q") for _ in range(4))
        self.packets = self.came = 0
        self._discarded = self._pictures = self._tiny = self._failures = 0
        self._interlaced = False
        self._end: int | None = None
        self._skipped = 0

    @property
    def wants_all_streams(self) -> bool:
        """Whether `passed` is to hear of the packets of every stream."""
        return self._positions

    def passed(self, packet: Any) -> None:
        """A packet of any stream, in the order of the file."""
        if self._positions and packet.pos is not None:
            if self._end is not None:
                self._skipped = max(self._skipped, packet.pos - self._end)
            self._end = max(self._end or 0, packet.pos + packet.size)

    def sent(self, packet: Any) -> None:
        """A packet of the video goes into the decoder."""
        self.packets += 1
        if packet.is_discard:  # the file says that it is decoded, but not shown
            self._discarded += 1
            return
        self._pictures += 1
        self._tiny += packet.size < _NO_PICTURE_BYTES
        if packet.pts is None:
            return
        self._packets.append(packet.pts)
        self._skips.append(self._skipped)
        self._skipped = 0
        if packet.is_corrupt:
            self._damage.append(packet.pts)

    def failed(self, packet: Any) -> None:
        """The decoder refused a packet."""
        self._failures += 1
        if packet is not None and packet.pts is not None:
            self._damage.append(packet.pts)

    def gave(self, frame: Any) -> None:
        """The decoder gave a frame."""
        self._interlaced |= frame.interlaced_frame
        self.came += 1
        if frame.pts is None:
            return
        self._frames.append(frame.pts)
        if frame.is_corrupt:
            self._damage.append(frame.pts)

    def missing(self, span: Span = WHOLE) -> Missing:
        """By everything heard so far, of the frames of a span; call it when the decoder has given all of them."""
        if len(self._frames) < _MOSTLY * self.came or len(self._packets) < _MOSTLY * self._pictures:
            return Missing(undecoded=self._by_count()) if span == WHOLE else Missing()
        packets, skips, frames, damage = map(_times, (self._packets, self._skips, self._frames, self._damage))
        unread = packets[skips > _UNREAD_BYTES + _UNREAD_TIMES * np.median(skips)] if len(skips) else packets
        packets, frames = (np.unique(times[span.holds_each(times)]) for times in (packets, frames))
        absent = np.setdiff1d(packets, frames)
        gaps = 0 if self._indexed else frames_in_gaps(packets, np.concatenate([damage, unread, absent]))
        undecoded = undecoded_pictures(absent, frames, self._interlaced) - (self.came - len(self._frames))
        return Missing(max(0, undecoded), gaps, self._hidden(packets))

    def _hidden(self, packets: Times) -> int:
        """Packets that an edit list hides, where they are too many to be the rest of a cut between key frames."""
        step = float(np.median(np.diff(packets))) * self._time_base if len(packets) > 1 else 1.0
        worth_saying = self._discarded >= min(_HIDDEN_SHARE * self.packets, 1 / step)
        return self._discarded if worth_saying else 0

    def _by_count(self) -> int:
        """Where times are not known; two packets may make one interlaced picture."""
        short = self._pictures - self._tiny - self.came
        return max(0, min(short, self._failures) if self._interlaced else short)


def _times(values: array[int]) -> Times:
    return np.frombuffer(values, np.int64) if values else np.zeros(0, np.int64)


def undecoded_pictures(absent: Times, frames: Times, interlaced: bool) -> int:
    """How many pictures the packets at the `absent` times held: two packets make one where fields are coded apart."""
    if not interlaced or len(absent) <= len(frames) // 2:
        return len(absent)
    return int((np.bincount(np.searchsorted(frames, absent)) // 2).sum())


def frames_in_gaps(packets: Times, damage: Times) -> int:
    """Frames for which there is room in the gaps between packets that have damage near one of their ends."""
    steps = np.diff(packets)
    if len(steps) < 2:
        return 0
    count = 0
    for i in np.flatnonzero(steps > _GAP * np.median(steps)).tolist():
        around = np.concatenate([steps[max(0, i - _NEIGHBOURS) : i], steps[i + 1 : i + 1 + _NEIGHBOURS]])
        usual = float(np.median(around))
        near = np.concatenate([damage - packets[i], damage - packets[i + 1]])
        if steps[i] > _GAP * usual and np.any(np.abs(near) <= _REACH * usual):
            count += round(steps[i] / usual) - 1
    return count
