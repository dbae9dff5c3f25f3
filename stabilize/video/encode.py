"""Frames to packets: one encoder, set up for the container that its packets are meant for."""

from __future__ import annotations

from typing import Any

from stabilize.video.buffers import cropped, encodable
from stabilize.video.frame import Frame
from stabilize.video.output import add_video, output_time_base, tag_colour
from stabilize.video.plan import OutputPlan
from stabilize.video.probe import FULL_RANGE

# x265 leaves the decoding times of so short a clip undefined; it is decoded in the order in which it is shown.
_TOO_FEW_TO_REORDER = 2


class FrameEncoder:
    """The video track of an output container: frames in the input's time base become packets in the output's."""

    def __init__(self, output: Any, plan: OutputPlan) -> None:
        video = plan.info.video
        self.stream = add_video(output, video, plan.container, plan.encoding)
        self.frames = 0
        self._plan = plan
        self.time_base = output_time_base(video, plan.container)
        self._ticks = video.time_base / self.time_base
        self._durations: dict[int, int] = {}
        self._last_pts: int | None = None
        self._last_time = -(1 << 62)

    @property
    def extradata(self) -> bytes:
        """What decoders must know before the first packet; the encoder says it once it is open."""
        context = self.stream.codec_context
        if not context.is_open:
            context.open()
        return context.extradata or b""

    def encode(self, frame: Frame) -> list[Any]:
        """The packets that are ready. Raises `ValueError` unless the pts follows the last one and the size is the
        output's, and what FFmpeg raises.
        """
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise ValueError(f"pts {frame.pts} does not follow {self._last_pts}")
        if frame.size != self._plan.size:
            raise ValueError(f"a frame of {frame.size} does not fit an output of {self._plan.size}")
        self._last_pts = frame.pts
        packets = self._timed(self.stream.encode(self._buffer(frame)))
        self.frames += 1
        return packets

    def finish(self) -> list[Any]:
        """The packets that the encoder still holds."""
        return self._timed(self.stream.encode(None))

    def _buffer(self, frame: Frame) -> Any:
        encoding, colour = self._plan.encoding, self._plan.info.video.colour
        full_range = colour.range == FULL_RANGE
        buffer = encodable(cropped(frame, encoding.size), encoding.pix_fmt, full_range, encoding.full_range)
        buffer.time_base = self.time_base
        buffer.pts = self._last_time = max(self._last_time + 1, round(frame.pts * self._ticks))
        buffer.pict_type = 0  # else the encoder would repeat the input's choice of I, P and B
        tag_colour(buffer, colour, encoding.full_range)
        self._durations[buffer.pts] = round(frame.duration * self._ticks)
        return buffer

    def _timed(self, packets: list[Any]) -> list[Any]:
        for packet in packets:
            if self.frames <= _TOO_FEW_TO_REORDER:
                packet.dts = packet.pts
            packet.duration = self._durations.pop(packet.pts, 0)
        return packets
