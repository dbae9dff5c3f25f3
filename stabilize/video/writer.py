"""Encoding: the times, tags and other tracks of the input, in a file that gets its name when it is complete."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from localfiles import check_target, pending_file
from stabilize.errors import OutputError, file_errors
from stabilize.settings import EncodeConfig
from stabilize.video.buffers import cropped, encodable, new_frame
from stabilize.video.codecs import choose_encoding
from stabilize.video.containers import container_of
from stabilize.video.frame import Frame
from stabilize.video.losses import losses
from stabilize.video.matroska import set_pixel_shape
from stabilize.video.output import add_video, copy_tags, open_output, output_time_base, tag_colour
from stabilize.video.probe import FULL_RANGE, MediaInfo, probe, reopened
from stabilize.video.remux import TrackCopy

__all__ = ["VideoWriter", "new_frame"]
PathLike = str | os.PathLike[str]
# x265 leaves the decoding times of so short a clip undefined; it is decoded in the order in which it is shown.
_TOO_FEW_TO_REORDER = 2


class VideoWriter:
    """Writes the result of processing `source` to `target`, as a context manager; one thread at a time may use it.

    Leaving the context in peace completes the file and gives it its name; leaving it by an exception removes every
    trace of it. `warnings` names what could not be kept. Frames come in the input's time base, with strictly increasing
    pts. `size` is (width, height) where it is not the input's. Raises `UsageError` for settings that do not fit,
    `OutputError` if the file cannot be written.
    """

    def __init__(
        self,
        source: MediaInfo | PathLike,
        target: PathLike,
        config: EncodeConfig | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.info = source if isinstance(source, MediaInfo) else probe(source)
        self.target = Path(os.path.abspath(target))
        self.config = config or EncodeConfig()
        self.size = size or (self.info.video.width, self.info.video.height)
        self.container = container_of(self.target)
        with file_errors():
            check_target(self.target, [self.info.path], self.config.overwrite)
        video = self.info.video
        self.encoding = choose_encoding(self.config, video, self.container, self.size)
        self.frames = 0
        self._notes = (*self.encoding.notes, *losses(self.info, self.container, self.encoding))
        self._durations: dict[int, int] = {}
        self._time_base = output_time_base(video, self.container)
        self._ticks = video.time_base / self._time_base
        self._last_pts: int | None = None
        self._last_time = -(1 << 62)
        self._copy: TrackCopy | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self._notes, *(self._copy.warnings if self._copy else ()))

    def rehearse(self) -> None:
        """Set everything up and write a header into memory, so that what refuses does so before any work is done."""
        with ExitStack() as stack:
            stack.enter_context(_output_errors(self.target))
            self._open(stack, io.BytesIO())
        del self._output, self._stream  # the encoder with them
        self._copy = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(_output_errors(self.target))
            stack.enter_context(file_errors())
            self._pending = stack.enter_context(pending_file(self.target, [self.info.path], self.config.overwrite))
            self._open(stack, str(self._pending))
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def _open(self, stack: ExitStack, where: Any) -> None:
        source = stack.enter_context(reopened(self.info))
        self._output = stack.enter_context(open_output(where, self.info, self.container))
        self._stream = add_video(self._output, self.info.video, self.container, self.encoding)
        copy_tags(self._output, self._stream, source, self.info, self.container)
        self._copy = TrackCopy(source, self._output, self.info, self.container)
        self._output.start_encoding()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def new_frame(self, pts: int, duration: int = 0) -> Frame:
        """A frame of the output's size in the layout that frames are read in, with writable planes; see `new_frame`."""
        return new_frame(self.info.video.layout, *self.size, pts, duration)

    def write(self, frame: Frame) -> None:
        """Encode one frame. Raises `ValueError` unless its pts follows the last one and its size is the output's."""
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise ValueError(f"pts {frame.pts} does not follow {self._last_pts}")
        if frame.size != self.size:
            raise ValueError(f"a frame of {frame.size} does not fit an output of {self.size}")
        self._last_pts = frame.pts
        full_range = self.info.video.colour.range == FULL_RANGE
        buffer = encodable(
            cropped(frame, self.encoding.size), self.encoding.pix_fmt, full_range, self.encoding.full_range
        )
        buffer.time_base = self._time_base
        buffer.pts = self._last_time = max(self._last_time + 1, round(frame.pts * self._ticks))
        buffer.pict_type = 0  # else the encoder would repeat the input's choice of I, P and B
        tag_colour(buffer, self.info.video.colour, self.encoding.full_range)
        self._durations[buffer.pts] = round(frame.duration * self._ticks)
        with _output_errors(self.target):
            self._mux(self._stream.encode(buffer))
        self.frames += 1

    def _mux(self, packets: list[Any]) -> None:
        assert self._copy is not None
        for packet in packets:
            if self.frames <= _TOO_FEW_TO_REORDER:
                packet.dts = packet.pts
            packet.duration = self._durations.pop(packet.pts, 0)
            self._copy.up_to(packet.dts * packet.time_base)
            self._output.mux(packet)

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        if self.frames == 0:
            raise OutputError(f"{self.target}: there was not a single frame to write")
        assert self._copy is not None
        self._mux(self._stream.encode(None))
        self._copy.up_to(None)
        self._output.close()
        shape = self.info.video.sample_aspect_ratio
        if shape != 1 and self.container.is_matroska and not set_pixel_shape(self._pending, shape):
            self._notes += (f"the pixel shape {shape} could not be written",)


@contextmanager
def _output_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        what = "the disk is full" if full else str(getattr(error, "strerror", None) or error).lower()
        raise OutputError(f"{target}: cannot be written ({what})") from error
