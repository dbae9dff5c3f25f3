"""Packets to a file: the video track, the other tracks of the input, its tags and chapters, the name at the end."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from localfiles import check_target, pending_file
from stabilize.errors import OutputError, file_errors
from stabilize.video.encode import FrameEncoder
from stabilize.video.matroska import set_pixel_shape
from stabilize.video.opened import OpenInput, opened
from stabilize.video.output import copy_tags, open_output
from stabilize.video.plan import OutputPlan
from stabilize.video.probe import MediaInfo
from stabilize.video.remux import TrackCopy
from stabilize.video.tracks import FileTracks


class ResultFile:
    """The file of a plan, as a context manager; the packets of its video come from `encoder`, or from an earlier one of
    the same settings.

    Leaving the context in peace completes the file and gives it its name; leaving it by an exception removes every
    trace of it. The other tracks come from `source`: where that is open, they are the packets that its reader passes
    on, and it must be read to its end before the context is left. Raises `OutputError` if the file cannot be written.
    """

    def __init__(self, source: MediaInfo | OpenInput, plan: OutputPlan) -> None:
        self.target = Path(os.path.abspath(plan.target))
        with file_errors():
            check_target(self.target, [plan.info.path], plan.overwrite)
        self.encoder: FrameEncoder
        self._source = source
        self._plan = plan
        self._notes = plan.warnings
        self._packets = 0
        self._copy: TrackCopy | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self._notes, *(self._copy.warnings if self._copy else ()))

    def rehearse(self) -> None:
        """Set everything up and write a header into memory, so that what refuses does so before any work is done."""
        with ExitStack() as stack:
            stack.enter_context(output_errors(self.target))
            self._open(stack, io.BytesIO())
        del self._output, self.encoder
        self._copy = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(output_errors(self.target))
            stack.enter_context(file_errors())
            pending = pending_file(self.target, [self._plan.info.path], self._plan.overwrite)
            self._pending = stack.enter_context(pending)
            source, copy = self._open(stack, str(self._pending))
            if isinstance(self._source, OpenInput):
                source.tracks.wanted = copy.wanted
                copy.start(source.tracks)
            else:
                copy.start(FileTracks(source.container, copy.wanted))
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def _open(self, stack: ExitStack, where: Any) -> tuple[OpenInput, TrackCopy]:
        info, container = self._plan.info, self._plan.container
        shared = self._source if isinstance(self._source, OpenInput) else None
        source = shared or stack.enter_context(opened(info))
        self._output = stack.enter_context(open_output(where, info, container))
        self.encoder = FrameEncoder(self._output, self._plan)
        copy_tags(self._output, self.encoder.stream, source.container, info, container)
        self._copy = TrackCopy(source.container, self._output, info, container)
        self._output.start_encoding()
        return source, self._copy

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, packets: Iterable[Any]) -> None:
        """Packets of the video, in decoding order, and whatever of the other tracks belongs before each."""
        assert self._copy is not None
        with output_errors(self.target):
            for packet in packets:
                self._copy.up_to(packet.dts * packet.time_base)
                self._output.mux(packet)
                self._packets += 1

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        if not self._packets:
            raise OutputError(f"{self.target}: there was not a single frame to write")
        assert self._copy is not None
        self._copy.finish()
        self._output.close()
        shape = self._plan.info.video.sample_aspect_ratio
        if shape != 1 and self._plan.container.is_matroska and not set_pixel_shape(self._pending, shape):
            self._notes += (f"the pixel shape {shape} could not be written",)


@contextmanager
def output_errors(target: Path) -> Iterator[None]:
    """What FFmpeg and the system say of a file that is being written, as `OutputError`."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        what = "the disk is full" if full else str(getattr(error, "strerror", None) or error).lower()
        raise OutputError(f"{target}: cannot be written ({what})") from error
