"""Write a video in one pass, frame by frame."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from localfiles.reading import PathLike
from stabilize.settings import EncodeConfig
from stabilize.video.frame import Frame
from stabilize.video.mux import OutputFile, output_errors
from stabilize.video.open_input import OpenInput
from stabilize.video.plan import plan_output
from stabilize.video.probe import MediaInfo, probe


class VideoWriter:
    """Writes the processed frames of `source`, with its other tracks, to `target`. A context manager.

    At the end of the context the file is completed and renamed; on an exception it is removed. Frames have strictly
    increasing pts in the input's time base. `size` is their (width, height) in px, by default that of the input. Only
    one thread at a time may use a writer. The other tracks of an `OpenInput` are passed on by its reader, which must
    reach the end of the file before the context ends. Raises `UsageError` for settings that do not fit, `OutputError`
    if the file cannot be written.
    """

    def __init__(
        self,
        source: OpenInput | MediaInfo | PathLike,
        target: PathLike,
        config: EncodeConfig | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        known = source if isinstance(source, OpenInput | MediaInfo) else probe(source)
        self.plan = plan_output(known.info if isinstance(known, OpenInput) else known, target, config, size)
        self._file = OutputFile(known, self.plan)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was lost or converted so far."""
        return self._file.warnings

    @property
    def frames(self) -> int:
        """Number of frames written."""
        return self._file.encoder.frames

    def dry_run(self) -> None:
        """Write a header to memory, so that a refusal by encoder or muxer comes before any work is done."""
        self._file.dry_run()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._file)
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, frame: Frame) -> None:
        """Encode a frame. Raises `ValueError` for a pts that does not increase or another frame size."""
        with output_errors(self._file.target):
            packets = self._file.encoder.encode(frame)
        self._file.write(packets)

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self.frames:
            with output_errors(self._file.target):
                packets = self._file.encoder.finish()
            self._file.write(packets)
