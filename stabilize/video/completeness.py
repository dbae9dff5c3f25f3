"""Count the frames that are missing from what was read, by evidence in the file itself.

Two kinds of evidence count: packets that were not decoded to a frame, and gaps between the times of packets. The latter
count only next to damage, since a gap alone means nothing in a video with variable frame rate. Containers with an index
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
_INDEXED_DEMUXERS = ("mov", "avi")  # prefixes of FFmpeg's demuxer names
_CONTIGUOUS_DEMUXERS = ("matroska", "flv")  # only short headers lie between their packets
# Bytes between two packets are unread data if they are more than the headers of a packet and a cluster, and more than
# this multiple of what is usual in the file.
_UNREAD_BYTES_MIN = 100
_UNREAD_RATIO_MIN = 4
_EMPTY_PACKET_BYTES_MAX = 20  # smaller packets repeat a frame (MPEG-4) or are empty
# Steps are intervals between frames.
_NEIGHBOUR_STEPS = 8  # steps before and after a gap that give the usual step there
_DAMAGE_DISTANCE_STEPS = 4  # damage this near to a gap belongs to it: decoding order differs from display order
_GAP_STEPS_MIN = 1.5  # no frame is missing in a shorter gap
# Share of packets, or those of one second if that is fewer. A cut between key frames hides fewer.
_HIDDEN_SHARE_MIN = 0.1
_TIMED_SHARE_MIN = 7 / 8  # times are used only if this share of packets has them


@dataclass(frozen=True, slots=True)
class Missing:
    """Numbers of missing frames."""

    undecoded: int = 0
    """Packets that were not decoded to a frame."""
    in_gaps: int = 0
    """Frames that would fit into gaps between packets."""
    hidden: int = 0
    """Frames that the file marks as not to be shown."""


class DecodeRecord:
    """Packets sent to a decoder and frames received from it; takes about 24 bytes per frame."""

    def __init__(self, demuxer: str, time_base: Any, positions: bool = True) -> None:
        self._has_index = demuxer.startswith(_INDEXED_DEMUXERS)
        self._use_positions = positions and demuxer.startswith(_CONTIGUOUS_DEMUXERS)
        self._time_base = float(time_base)
        self.reset()

    def reset(self) -> None:
        """Discard everything, for example after a seek."""
        self._packet_pts, self._unread_bytes, self._frame_pts, self._damage_pts = (array("q") for _ in range(4))
        self.packets_sent = self.frames_received = 0
        self._discarded = self._not_discarded = self._empty = self._failures = 0
        self._interlaced = False
        self._end_byte: int | None = None
        self._next_unread_bytes = 0

    @property
    def needs_all_streams(self) -> bool:
        """Whether `add_demuxed` needs the packets of all streams."""
        return self._use_positions

    def add_demuxed(self, packet: Any) -> None:
        """Add a packet of any stream, in file order."""
        if self._use_positions and packet.pos is not None:
            if self._end_byte is not None:
                self._next_unread_bytes = max(self._next_unread_bytes, packet.pos - self._end_byte)
            self._end_byte = max(self._end_byte or 0, packet.pos + packet.size)

    def add_sent(self, packet: Any) -> None:
        """Add a packet of the video that is sent to the decoder."""
        self.packets_sent += 1
        if packet.is_discard:  # decoded, but not shown, according to the file
            self._discarded += 1
            return
        self._not_discarded += 1
        self._empty += packet.size < _EMPTY_PACKET_BYTES_MAX
        if packet.pts is None:
            return
        self._packet_pts.append(packet.pts)
        self._unread_bytes.append(self._next_unread_bytes)
        self._next_unread_bytes = 0
        if packet.is_corrupt:
            self._damage_pts.append(packet.pts)

    def add_refused(self, packet: Any) -> None:
        """Add a packet that the decoder refused."""
        self._failures += 1
        if packet is not None and packet.pts is not None:
            self._damage_pts.append(packet.pts)

    def add_received(self, frame: Any) -> None:
        """Add a frame that the decoder returned."""
        self._interlaced |= frame.interlaced_frame
        self.frames_received += 1
        if frame.pts is None:
            return
        self._frame_pts.append(frame.pts)
        if frame.is_corrupt:
            self._damage_pts.append(frame.pts)

    def missing(self, span: Span = WHOLE) -> Missing:
        """Count the missing frames of a span. Call it when the decoder has returned all its frames."""
        if not self._has_times():
            return Missing(undecoded=self._undecoded_by_count()) if span == WHOLE else Missing()
        packets, unread_bytes, frames, damage = map(
            _to_array, (self._packet_pts, self._unread_bytes, self._frame_pts, self._damage_pts)
        )
        limit = _UNREAD_BYTES_MIN + _UNREAD_RATIO_MIN * np.median(unread_bytes) if len(unread_bytes) else 0
        after_unread = packets[unread_bytes > limit]
        packets, frames = (np.unique(times[span.contains_each(times)]) for times in (packets, frames))
        absent = np.setdiff1d(packets, frames)
        gaps = 0 if self._has_index else count_in_gaps(packets, np.concatenate([damage, after_unread, absent]))
        undecoded = count_undecoded(absent, frames, self._interlaced) - (self.frames_received - len(self._frame_pts))
        return Missing(max(0, undecoded), gaps, self._count_hidden(packets))

    def _has_times(self) -> bool:
        return (
            len(self._frame_pts) >= _TIMED_SHARE_MIN * self.frames_received
            and len(self._packet_pts) >= _TIMED_SHARE_MIN * self._not_discarded
        )

    def _count_hidden(self, packets: Times) -> int:
        """Count packets hidden by an edit list, if there are too many for a cut between key frames."""
        step = float(np.median(np.diff(packets))) * self._time_base if len(packets) > 1 else 1.0
        is_many = self._discarded >= min(_HIDDEN_SHARE_MIN * self.packets_sent, 1 / step)
        return self._discarded if is_many else 0

    def _undecoded_by_count(self) -> int:
        """Count without times. Two packets may make one interlaced frame."""
        undecoded = self._not_discarded - self._empty - self.frames_received
        return max(0, min(undecoded, self._failures) if self._interlaced else undecoded)


def _to_array(values: array[int]) -> Times:
    return np.frombuffer(values, np.int64) if values else np.zeros(0, np.int64)


def count_undecoded(absent: Times, frames: Times, interlaced: bool) -> int:
    """Count the frames of the packets at the times `absent`. If fields are coded separately, two make one frame."""
    if not interlaced or len(absent) <= len(frames) // 2:
        return len(absent)
    return int((np.bincount(np.searchsorted(frames, absent)) // 2).sum())


def count_in_gaps(packets: Times, damage: Times) -> int:
    """Count the frames that would fit into gaps between packets, for gaps with damage near one of their ends."""
    steps = np.diff(packets)
    if len(steps) < 2:
        return 0
    count = 0
    for i in np.flatnonzero(steps > _GAP_STEPS_MIN * np.median(steps)).tolist():
        neighbours = np.concatenate([steps[max(0, i - _NEIGHBOUR_STEPS) : i], steps[i + 1 : i + 1 + _NEIGHBOUR_STEPS]])
        usual = float(np.median(neighbours))
        distances = np.concatenate([damage - packets[i], damage - packets[i + 1]])
        if steps[i] > _GAP_STEPS_MIN * usual and np.any(np.abs(distances) <= _DAMAGE_DISTANCE_STEPS * usual):
            count += round(steps[i] / usual) - 1
    return count
