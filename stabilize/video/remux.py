"""Copy the other tracks, packet by packet, in step with the video that is written."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av

from stabilize.video.containers import Container, check_tracks, is_regenerated
from stabilize.video.open_input import reopen
from stabilize.video.output import clean_metadata
from stabilize.video.probe import MediaInfo, Track
from stabilize.video.tracks import TrackPackets

_COVER_TYPES = {"mjpeg": (".jpg", "image/jpeg"), "png": (".png", "image/png")}


class TrackCopy:
    """Copies the tracks of `source`, an open container, into `output`, as far as `container` supports them.

    Create it before the header of the output is written, then call `start` with the source of the packets.
    """

    def __init__(self, source: Any, output: Any, info: MediaInfo, container: Container) -> None:
        self.warnings: list[str] = []
        self._output = output
        self._info = info
        self._attaches = container.attachments
        # Matroska has no negative times. Its demuxer derives them from a delay that the copied track keeps.
        self._keep_negative = container.negative_times or info.container.startswith("matroska")
        self._failed_packets: dict[int, int] = {}
        self._targets: dict[int, Any] = {}
        self._packets: TrackPackets | None = None
        for track, reason in check_tracks(info, container):
            if reason is not None:
                self.warnings.append(f"{_describe(track)} is left out: {reason}")
            elif not is_regenerated(track, container):
                self._add(source.streams[track.index], track)

    @property
    def indices(self) -> frozenset[int]:
        """Indices of the tracks whose packets are copied."""
        kinds = {track.index: track.kind for track in self._info.tracks}
        return frozenset(index for index in self._targets if kinds[index] != "attachment")

    def start(self, packets: TrackPackets) -> None:
        """Set the source of the packets."""
        self._packets = packets

    def _add(self, stream: Any, track: Track) -> None:
        if track.is_cover and self._attaches:
            self._attach(stream, track)
            return
        try:
            target = self._output.add_stream_from_template(stream)
        except (av.FFmpegError, ValueError) as error:
            self.warnings.append(f"{_describe(track)} is left out: {error}")
            return
        target.metadata.update(clean_metadata(stream.metadata))
        target.disposition = stream.disposition
        self._targets[stream.index] = target

    def _attach(self, stream: Any, track: Track) -> None:
        """Copy a cover image as an attachment, as Matroska stores it."""
        tags = {key.lower(): value for key, value in stream.metadata.items()}
        suffix, kind = _COVER_TYPES[track.codec]
        with reopen(self._info) as again:  # needed before the header; the shared input is not to be read ahead
            container = again.container
            packet = next((p for p in container.demux(container.streams[track.index]) if p.size), None)
        if packet is not None:
            self._output.add_attachment(tags.get("filename", f"cover{suffix}"), kind, bytes(packet))

    def copy_until(self, time_s: Fraction) -> None:
        """Copy all packets up to a time. Raises FFmpeg's error for a full disk."""
        self._copy_due(time_s)

    def finish(self) -> None:
        """Copy the remaining packets, after the source has been read to its end. Raises like `copy_until`."""
        self._copy_due(None)
        if self._packets is not None and self._packets.is_cut_short:
            self.warnings.append("the other tracks end early: the file is damaged or truncated")
        self._report_failures()

    def _copy_due(self, time_s: Fraction | None) -> None:
        for packet in self._packets.take_until(time_s) if self._packets is not None else ():
            self._copy(packet)

    def _copy(self, packet: Any) -> None:
        index = packet.stream_index
        if not self._keep_negative and packet.pts is not None and packet.pts < 0:
            return  # encoder priming: if copied, the muxer would shift all other tracks
        if packet.size == 2 and packet.stream.name == "mov_text":
            return  # end of a text: the muxer writes its own
        packet.stream = self._targets[index]
        try:
            self._output.mux(packet)
        except (av.ArgumentError, av.InvalidDataError):
            self._failed_packets[index] = self._failed_packets.get(index, 0) + 1

    def _report_failures(self) -> None:
        for index, count in sorted(self._failed_packets.items()):
            self.warnings.append(f"track {index}: {count} packets could not be copied (damaged or out of order)")
        self._failed_packets.clear()


def _describe(track: Track) -> str:
    return f"track {track.index} ({', '.join(filter(None, (track.kind, track.tag or track.codec, track.language)))})"
