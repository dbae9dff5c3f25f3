"""Writing a video in one pass: every frame is encoded and goes into the file at once."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from localfiles.reading import PathLike
from stabilize.settings import EncodeConfig
from stabilize.video.frame import Frame
from stabilize.video.mux import ResultFile, output_errors
from stabilize.video.opened import OpenInput
from stabilize.video.plan import plan_output
from stabilize.video.probe import MediaInfo, probe


class VideoWriter:
    """Writes the result of processing `source` to `target`, as a context manager; one thread at a time may use it.

    Leaving the context in peace completes the file and gives it its name; leaving it by an exception removes every
    trace of it. `warnings` names what could not be kept. Frames come in the input's time base, with strictly increasing
    pts. `size` is (width, height) where it is not the input's. Where `source` is open, the other tracks come from its
    reader, which must be at its end when the context is left. Raises `UsageError` for settings that do not fit,
    `OutputError` if the file cannot be written.
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
        self._file = ResultFile(known, self.plan)

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._file.warnings

    @property
    def frames(self) -> int:
        """How many have been written."""
        return self._file.encoder.frames

    def rehearse(self) -> None:
        """Set everything up and write a header into memory, so that what refuses does so before any work is done."""
        self._file.rehearse()

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
        """Encode one frame. Raises `ValueError` unless its pts follows the last one and its size is the output's."""
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
