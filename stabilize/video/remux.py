"""Copying the other tracks, packet by packet, in step with the video that is being written."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av

from stabilize.video.containers import Container, carried, is_remade
from stabilize.video.opened import opened
from stabilize.video.output import clean_metadata
from stabilize.video.probe import MediaInfo, Track
from stabilize.video.tracks import TrackPackets

_PICTURES = {"mjpeg": (".jpg", "image/jpeg"), "png": (".png", "image/png")}


class TrackCopy:
    """Copies what `container` takes of the tracks of `source`, an open container, into `output`.

    Made before the header of the output is written; then `start` says where the packets come from.
    """

    def __init__(self, source: Any, output: Any, info: MediaInfo, container: Container) -> None:
        self.warnings: list[str] = []
        self._output = output
        self._info = info
        self._attaches = container.attachments
        # Matroska itself has no times below zero; its demuxer derives them from a delay that the copied track keeps.
        self._keep_negative = container.negative_times or info.container.startswith("matroska")
        self._failed: dict[int, int] = {}
        self._targets: dict[int, Any] = {}
        self._packets: TrackPackets | None = None
        for track, reason in carried(info, container):
            if reason is not None:
                self.warnings.append(f"{_name(track)} is left out: {reason}")
            elif not is_remade(track, container):
                self._add(source.streams[track.index], track)

    @property
    def wanted(self) -> frozenset[int]:
        """The tracks of the source whose packets are copied."""
        kinds = {track.index: track.kind for track in self._info.tracks}
        return frozenset(index for index in self._targets if kinds[index] != "attachment")

    def start(self, packets: TrackPackets) -> None:
        """Take the packets from there."""
        self._packets = packets

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
        with opened(self._info) as own:  # it comes before the header, and nobody else may read ahead to it
            container = own.container
            packet = next((p for p in container.demux(container.streams[track.index]) if p.size), None)
        if packet is not None:
            self._output.add_attachment(tags.get("filename", f"cover{suffix}"), kind, bytes(packet))

    def up_to(self, time_s: Fraction) -> None:
        """Copy everything up to a time. Raises what the muxer raises for a full disk."""
        self._take(time_s)

    def finish(self) -> None:
        """Copy all that is left, once the source has been read to its end. Raises as `up_to`."""
        self._take(None)
        if self._packets is not None and self._packets.failed:
            self.warnings.append("the other tracks end early: the file is damaged or cut short")
        self._report_failures()

    def _take(self, time_s: Fraction | None) -> None:
        for packet in self._packets.up_to(time_s) if self._packets is not None else ():
            self._copy(packet)

    def _copy(self, packet: Any) -> None:
        index = packet.stream_index
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


def _name(track: Track) -> str:
    return f"track {track.index} ({', '.join(filter(None, (track.kind, track.tag or track.codec, track.language)))})"
