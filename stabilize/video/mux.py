"""Write packets of all tracks, tags and chapters to a file that gets its name when it is complete."""

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
from stabilize.video.matroska import set_pixel_aspect
from stabilize.video.open_input import OpenInput, reopen
from stabilize.video.output import copy_tags, open_output
from stabilize.video.plan import OutputPlan
from stabilize.video.probe import MediaInfo
from stabilize.video.remux import TrackCopy
from stabilize.video.tracks import FileTracks


class OutputFile:
    """An output file, as a context manager. Its video packets come from `encoder` or from one with the same settings.

    At the end of the context the file is completed and renamed; on an exception it is removed. The other tracks come
    from `source`. For an `OpenInput` they are passed on by its reader, which must reach the end of the file before the
    context ends. Raises `OutputError` if the file cannot be written.
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
        """What was lost or converted so far."""
        return (*self._notes, *(self._copy.warnings if self._copy else ()))

    def dry_run(self) -> None:
        """Write a header to memory, so that a refusal by encoder or muxer comes before any work is done."""
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
                source.tracks.indices = copy.indices
                copy.start(source.tracks)
            else:
                copy.start(FileTracks(source.container, copy.indices))
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def _open(self, stack: ExitStack, file: Any) -> tuple[OpenInput, TrackCopy]:
        info, container = self._plan.info, self._plan.container
        shared = self._source if isinstance(self._source, OpenInput) else None
        source = shared or stack.enter_context(reopen(info))
        self._output = stack.enter_context(open_output(file, info, container))
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
        """Write video packets, in decoding order, and the packets of other tracks that belong before them."""
        assert self._copy is not None
        with output_errors(self.target):
            for packet in packets:
                self._copy.copy_until(packet.dts * packet.time_base)
                self._output.mux(packet)
                self._packets += 1

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        if not self._packets:
            raise OutputError(f"{self.target}: not written, as there was not a single frame")
        assert self._copy is not None
        self._copy.finish()
        self._output.close()
        aspect = self._plan.info.video.sample_aspect_ratio
        if aspect != 1 and self._plan.container.is_matroska and not set_pixel_aspect(self._pending, aspect):
            self._notes += (f"the pixel aspect ratio {aspect} could not be written",)


@contextmanager
def output_errors(target: Path) -> Iterator[None]:
    """Convert errors of FFmpeg and the system to `OutputError`."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        reason = "the disk is full" if is_full else str(getattr(error, "strerror", None) or error).lower()
        raise OutputError(f"{target}: cannot be written ({reason})") from error
