"""Packets of the other tracks, for whoever copies them: from the file, or passed on by the reader of the frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, Protocol

import av
from av.stream import Discard


class TrackPackets(Protocol):
    """Packets of several tracks in the order of the file."""

    failed: bool
    """Whether they ended before the file did."""

    def up_to(self, time_s: Fraction | None) -> Iterator[Any]:
        """Those that lie before the first one that is later than a time, each once; None: all that are left."""
        ...


class FileTracks:
    """Packets of the tracks `wanted` of a container that nobody else reads from."""

    def __init__(self, container: Any, wanted: Iterable[int]) -> None:
        self.failed = False
        self._packets = self._demuxed(container, set(wanted))
        self._next = next(self._packets, None)

    def up_to(self, time_s: Fraction | None) -> Iterator[Any]:
        while self._next is not None and _is_due(self._next, time_s):
            yield self._next
            self._next = next(self._packets, None)

    def _demuxed(self, container: Any, wanted: set[int]) -> Iterator[Any]:
        for stream in container.streams:
            if stream.index not in wanted:
                stream.discard = Discard.all
        streams = [stream for stream in container.streams if stream.index in wanted]
        if not streams:
            return
        try:
            yield from (packet for packet in container.demux(streams) if packet.size)
        except av.FFmpegError:
            self.failed = True


class PassedTracks:
    """Packets that the reader of the frames comes by, from its thread to the one that writes.

    The reader is some frames ahead of the writer, and the encoder holds back some more: what belongs beside a frame is
    there when its packet is written. Where a file has it further on, it is written later, and the muxer sorts it in.
    What waits here is what the file has before the frames beside it.
    """

    def __init__(self) -> None:
        self.failed = False
        self.wanted: frozenset[int] = frozenset()
        self._waiting: deque[Any] = deque()  # one thread appends, one takes: each step of a deque is atomic

    def put(self, packet: Any) -> None:
        """A packet of any stream; kept if its track is wanted."""
        if packet.stream_index in self.wanted:
            self._waiting.append(packet)

    def up_to(self, time_s: Fraction | None) -> Iterator[Any]:
        while self._waiting and _is_due(self._waiting[0], time_s):
            yield self._waiting.popleft()


def _is_due(packet: Any, time_s: Fraction | None) -> bool:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return time_s is None or (Fraction(0) if stamp is None else stamp * packet.time_base) <= time_s
