"""Copying the other tracks, packet by packet, in step with the video that is being written."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.stream import Discard

from stabilize.video.containers import Container, carried, is_remade
from stabilize.video.output import clean_metadata
from stabilize.video.probe import MediaInfo, Track, reopened

_PICTURES = {"mjpeg": (".jpg", "image/jpeg"), "png": (".png", "image/png")}


class TrackCopy:
    """Copies what `container` takes of the tracks of `source`, which nobody else may read from, into `output`."""

    def __init__(self, source: Any, output: Any, info: MediaInfo, container: Container) -> None:
        self.warnings: list[str] = []
        self._output = output
        self._info = info
        self._attaches = container.attachments
        # Matroska itself has no times below zero; its demuxer derives them from a delay that the copied track keeps.
        self._keep_negative = container.negative_times or info.container.startswith("matroska")
        self._failed: dict[int, int] = {}
        self._targets: dict[int, Any] = {}
        for track, reason in carried(info, container):
            if reason is not None:
                self.warnings.append(f"{_name(track)} is left out: {reason}")
            elif not is_remade(track, container):
                self._add(source.streams[track.index], track)
        self._pending = self._packets(source)
        self._next = next(self._pending, None)

    def _add(self, stream: Any, track: Track) -> None:
        if track.is_cover and self._attaches:
            self._attach(stream, track)
            return
        try:
            target = self._output.add_stream_from_template(stream)
        except (av.FFmpegError, ValueError) as error:
            self.warnings.append(f"{_name(track)} is left out: {error}")
            return
        target.metadata.update(clean_metadata(stream.metadata))
        target.disposition = stream.disposition
        self._targets[stream.index] = target

    def _attach(self, stream: Any, track: Track) -> None:
        """A cover picture as an attachment, which is what it is in Matroska."""
        tags = {key.lower(): value for key, value in stream.metadata.items()}
        suffix, kind = _PICTURES[track.codec]
        with reopened(self._info) as container:  # a copy of our own: it comes before the header
            packet = next((p for p in container.demux(container.streams[track.index]) if p.size), None)
        if packet is not None:
            self._output.add_attachment(tags.get("filename", f"cover{suffix}"), kind, bytes(packet))

    def _packets(self, source: Any) -> Iterator[Any]:
        """The packets to copy, as they lie in the file."""
        wanted = [s for s in source.streams if s.index in self._targets and s.type != "attachment"]
        for stream in source.streams:
            if stream not in wanted:
                stream.discard = Discard.all
        if wanted:
            try:
                yield from (packet for packet in source.demux(wanted) if packet.size)
            except av.FFmpegError:
                self.warnings.append("the other tracks end early: the file is damaged or cut short")

    def up_to(self, time_s: Fraction | None) -> None:
        """Copy everything up to a time (None: all that is left). Raises what the muxer raises for a full disk."""
        while self._next is not None and (time_s is None or _time_s(self._next) <= time_s):
            self._copy(self._next)
            self._next = next(self._pending, None)
        if self._next is None:
            self._report_failures()

    def _copy(self, packet: Any) -> None:
        index = packet.stream.index
        if not self._keep_negative and packet.pts is not None and packet.pts < 0:
            return  # the encoder's priming: keeping it would make the muxer move every other track
        if packet.size == 2 and packet.stream.name == "mov_text":
            return  # an end of text: the muxer writes its own
        packet.stream = self._targets[index]
        try:
            self._output.mux(packet)
        except (av.ArgumentError, av.InvalidDataError):
            self._failed[index] = self._failed.get(index, 0) + 1

    def _report_failures(self) -> None:
        for index, count in sorted(self._failed.items()):
            self.warnings.append(f"track {index}: {count} packets could not be copied (damaged or out of order)")
        self._failed.clear()


def _time_s(packet: Any) -> Fraction:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return Fraction(0) if stamp is None else stamp * packet.time_base


def _name(track: Track) -> str:
    return f"track {track.index} ({', '.join(filter(None, (track.kind, track.tag or track.codec, track.language)))})"
