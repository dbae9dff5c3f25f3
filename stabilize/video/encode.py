"""Encode frames to packets, with an encoder set up for its container."""

from __future__ import annotations

from typing import Any

from stabilize.video.buffers import convert_for_encoder, crop_frame
from stabilize.video.frame import Frame
from stabilize.video.output import add_video, output_time_base, tag_colour
from stabilize.video.plan import OutputPlan
from stabilize.video.probe import FULL_RANGE

# x265 leaves the decoding times of such short clips undefined. Their decoding order is the display order.
_UNORDERED_FRAMES_MAX = 2


class FrameEncoder:
    """Encodes the video track: frames in the time base of the input to packets in that of the output."""

    def __init__(self, output: Any, plan: OutputPlan) -> None:
        video = plan.info.video
        self.stream = add_video(output, video, plan.container, plan.encoding)
        self.frames = 0
        self._plan = plan
        self.time_base = output_time_base(video, plan.container)
        self._ticks = video.time_base / self.time_base
        self._durations: dict[int, int] = {}
        self._last_pts: int | None = None
        self._last_av_pts = -(1 << 62)

    @property
    def extradata(self) -> bytes:
        """The codec configuration that decoders need; opens the encoder."""
        context = self.stream.codec_context
        if not context.is_open:
            context.open()
        return context.extradata or b""

    def encode(self, frame: Frame) -> list[Any]:
        """Encode a frame and return the packets that are ready.

        Raises `ValueError` for a pts that does not increase or another frame size, and FFmpeg's errors.
        """
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise ValueError(f"pts {frame.pts} is not greater than the previous {self._last_pts}")
        if frame.size != self._plan.size:
            raise ValueError(f"frame of size {frame.size}, the output has {self._plan.size}")
        self._last_pts = frame.pts
        packets = self._set_times(self.stream.encode(self._to_av_frame(frame)))
        self.frames += 1
        return packets

    def finish(self) -> list[Any]:
        """Flush the encoder and return the remaining packets."""
        return self._set_times(self.stream.encode(None))

    def _to_av_frame(self, frame: Frame) -> Any:
        encoding, colour = self._plan.encoding, self._plan.info.video.colour
        full_range = colour.range == FULL_RANGE
        buffer = convert_for_encoder(
            crop_frame(frame, encoding.size), encoding.pix_fmt, full_range, encoding.full_range
        )
        buffer.time_base = self.time_base
        buffer.pts = self._last_av_pts = max(self._last_av_pts + 1, round(frame.pts * self._ticks))
        buffer.pict_type = 0  # else the encoder would repeat the frame types of the input
        tag_colour(buffer, colour, encoding.full_range)
        self._durations[buffer.pts] = round(frame.duration * self._ticks)
        return buffer

    def _set_times(self, packets: list[Any]) -> list[Any]:
        for packet in packets:
            if self.frames <= _UNORDERED_FRAMES_MAX:
                packet.dts = packet.pts
            packet.duration = self._durations.pop(packet.pts, 0)
        return packets
