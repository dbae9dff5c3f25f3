"""Packets of the other tracks, read from the file or passed on by the reader of the frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, Protocol

import av
from av.stream import Discard


class TrackPackets(Protocol):
    """Packets of several tracks, in file order."""

    is_cut_short: bool
    """Whether reading ended at damage."""

    def take_until(self, time_s: Fraction | None) -> Iterator[Any]:
        """Yield and remove the packets before the first one that is later than `time_s`; None: all that are left."""
        ...


class FileTracks:
    """Packets of the tracks `indices`, read from a container that has no other reader."""

    def __init__(self, container: Any, indices: Iterable[int]) -> None:
        self.is_cut_short = False
        self._packets = self._demux(container, set(indices))
        self._next = next(self._packets, None)

    def take_until(self, time_s: Fraction | None) -> Iterator[Any]:
        while self._next is not None and _is_due(self._next, time_s):
            yield self._next
            self._next = next(self._packets, None)

    def _demux(self, container: Any, indices: set[int]) -> Iterator[Any]:
        for stream in container.streams:
            if stream.index not in indices:
                stream.discard = Discard.all
        streams = [stream for stream in container.streams if stream.index in indices]
        if not streams:
            return
        try:
            yield from (packet for packet in container.demux(streams) if packet.size)
        except av.FFmpegError:
            self.is_cut_short = True


class PassedTracks:
    """A queue of packets from the thread that reads the frames to the thread that writes.

    The reader is some frames ahead of the writer, and the encoder delays some more, so the packets that belong to a
    frame are usually here when the frame is written. Later ones are written later, and the muxer sorts them.
    """

    def __init__(self) -> None:
        self.is_cut_short = False
        self.indices: frozenset[int] = frozenset()
        self._queue: deque[Any] = deque()  # one thread appends, one removes: operations of a deque are atomic

    def add(self, packet: Any) -> None:
        """Add a packet of any stream; ignored unless its track is one of `indices`."""
        if packet.stream_index in self.indices:
            self._queue.append(packet)

    def take_until(self, time_s: Fraction | None) -> Iterator[Any]:
        while self._queue and _is_due(self._queue[0], time_s):
            yield self._queue.popleft()


def _is_due(packet: Any, time_s: Fraction | None) -> bool:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return time_s is None or (Fraction(0) if stamp is None else stamp * packet.time_base) <= time_s
