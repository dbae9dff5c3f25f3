"""Decoding: native planes without a copy, or small gray pictures; both see the same frames at the same times."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import av
import cv2
import numpy as np

from stabilize.core import UInt8
from stabilize.errors import InputError
from stabilize.video.buffers import frame_layout, plane_views, readable
from stabilize.video.completeness import Ledger
from stabilize.video.frame import Frame, PixelLayout, Plane
from stabilize.video.probe import MediaInfo, check_unchanged, reopened
from stabilize.video.source import check_size, decoder_of, open_input, pick_video
from stabilize.video.timestamps import PresentationClock, mended, usual_step

T = TypeVar("T")
_MOST_THREADS = 8  # each holds a frame
_LARGE = 1920 * 1088  # pixels: up to here one thread keeps up with all that follows
_TOLERATED_GAP_S = 0.5  # between the end of a file and what it says of itself
PathLike = str | os.PathLike[str]
Source = PathLike | MediaInfo  # a file that was probed must still be the same


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What became of a video's frames so far. `warnings` says it in words; a sound file has none."""

    frames: int = 0
    damaged: int = 0  # decoded, with errors in the picture
    lost: int = 0  # packets that gave no picture at all
    gaps: int = 0  # frames for which there was room where the file is damaged
    hidden: int = 0  # frames that the file says not to show, if they are many
    mended_pts: int = 0  # missing, repeated or backward times that were made up
    rescaled: int = 0  # of another size than the first frame
    converted: int = 0  # of another pixel format than `layout`
    missing: int = 0  # at the end, by the count or duration that the container states
    failure: str = ""  # why reading ended before the end of the file

    @property
    def warnings(self) -> tuple[str, ...]:
        notes = [
            (self.damaged, "damaged frames, decoded as far as possible"),
            (self.lost, "damaged frames that could not be decoded and are missing"),
            (self.gaps, "frames that are missing where the file is damaged, about"),
            (self.hidden, "frames that the file says not to show (its edit list is a cut, or damaged), left out"),
            (self.mended_pts, "frames without a usable time stamp, given one by their order and neighbours"),
            (self.rescaled, "frames that changed size in mid-stream, scaled to the size of the first"),
            (self.converted, "frames in a pixel format that cannot be processed, converted"),
        ]
        said = [f"{text}: {count}" for count, text in notes if count]
        if self.failure or self.missing:
            rest = f", about {self.missing} frames short of what its header says" if self.missing else ""
            said.append(f"the file ends early{rest}{f' ({self.failure})' if self.failure else ''}")
        return tuple(said)


class Reading(Generic[T]):
    """An iterator over the pictures of one file, closed at its end or by `close`; `report` is up to date at every step.

    Raises `InputError` at the first `next` if the file cannot be opened, at the end if not a single frame could be
    decoded.
    """

    def __init__(self, source: Source, finish: Callable[[int, Any], T], options: dict[str, str]) -> None:
        self.report = ReadReport()
        self._info = source if isinstance(source, MediaInfo) else None
        self._path = source.path if isinstance(source, MediaInfo) else source
        self._options = options
        self._end = 0
        self._items = self._read(finish)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return next(self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._items.close()

    def _count(self, **more: int) -> None:
        self.report = replace(self.report, **{name: getattr(self.report, name) + n for name, n in more.items()})

    def _read(self, finish: Callable[[int, Any], T]) -> Generator[T]:
        with reopened(self._info) if self._info else open_input(self._path) as container:
            container.flags &= ~av.container.Flags.gen_pts.value  # invented times would hide which are true
            stream = pick_video(container, self._path)
            decoder = decoder_of(stream)
            decoder.thread_type = "AUTO"
            decoder.thread_count = _threads(stream.width, stream.height)
            decoder.options = self._options
            ledger = Ledger(container.format.name, stream.time_base, positions=decoder is stream.codec_context)
            try:
                timed = self._timed(self._uniform(self._decode(container, stream, decoder, ledger)))
                for pts, frame in mended(timed, usual_step(stream), lambda: self._count(mended_pts=1)):
                    self._count(frames=1)
                    self._end = pts + (frame.duration or 0)
                    yield finish(pts, frame)
                self._reckon(container, stream, ledger)
            finally:
                _drain(decoder)
        if self.report.frames == 0:
            why = self.report.failure or "its video track is empty"
            raise InputError(f"{self._path}: not a single frame could be decoded ({why})")

    def _decode(self, container: Any, stream: Any, decoder: Any, ledger: Ledger) -> Iterator[Any]:
        for packet in self._demux(container, stream, ledger):
            try:
                frames = list(decoder.decode(packet))
            except av.FFmpegError:
                ledger.failed(packet)
                frames = []
            for frame in frames:
                ledger.came(frame)
                self._count(damaged=int(frame.is_corrupt))
                yield frame

    def _demux(self, container: Any, stream: Any, ledger: Ledger) -> Iterator[Any]:
        """The packets of the stream, then None for what the decoder still holds."""
        try:
            for packet in container.demux() if ledger.wants_all_streams else container.demux(stream):
                if packet.size:  # an empty one would end decoding for good
                    ledger.passed(packet)
                    if packet.stream is stream:
                        ledger.sent(packet)
                        yield packet
        except av.FFmpegError as error:
            self.report = replace(self.report, failure=str(error.strerror).lower())
        yield None

    def _timed(self, frames: Iterator[Any]) -> Iterator[tuple[int | None, Any]]:
        clock = PresentationClock()
        for frame in frames:
            time = clock(frame.pts, frame.dts)
            self._count(mended_pts=int(frame.pts is not None and time != frame.pts))
            yield time, frame

    def _reckon(self, container: Any, stream: Any, ledger: Ledger) -> None:
        """What is missing, by what was read and by what the header promises."""
        missing = ledger.missing()
        self._count(lost=missing.undecoded, gaps=missing.in_gaps, hidden=missing.hidden)
        if (stated := _stated_frames(container, stream)) is not None:
            self._count(missing=max(0, stated - ledger.packets - missing.in_gaps))
        elif (end := _stated_end(stream)) is not None and (end - self._end) * stream.time_base > _TOLERATED_GAP_S:
            self._count(missing=round((end - self._end) / usual_step(stream)))

    def _uniform(self, frames: Iterator[Any]) -> Iterator[Any]:
        """Every frame in the size of the first and in the layout that its format is processed in."""
        width = height = 0
        layout: PixelLayout | None = None
        for frame in frames:
            check_size(frame.width, frame.height, self._path)
            if layout is None:
                width, height, layout = frame.width, frame.height, frame_layout(frame)
                self._check_picture(width, height, layout)
            resized = (frame.width, frame.height) != (width, height)
            if not resized and frame.format.name == layout.name:
                yield frame
                continue
            self._count(rescaled=int(resized), converted=int(frame.format.name != layout.name))
            yield readable(frame, width, height, layout)

    def _check_picture(self, width: int, height: int, layout: PixelLayout) -> None:
        if self._info is not None:
            video = self._info.video
            check_unchanged(self._info, (width, height, layout) == (video.width, video.height, video.layout))


def _threads(width: int, height: int) -> int:
    """For decoding. With more than one FFmpeg does not mark every damaged picture, so only large ones take more."""
    return 1 if width * height <= _LARGE else min(os.cpu_count() or 1, _MOST_THREADS)


def _stated_frames(container: Any, stream: Any) -> int | None:
    """How many frames the file says that it has; None if it does not say."""
    if container.format.name.startswith("mov"):
        return int(stream.frames)
    tag = re.fullmatch(r"\d{1,12}", stream.metadata.get("NUMBER_OF_FRAMES", ""), re.ASCII)
    return int(tag[0]) if tag else None


def _stated_end(stream: Any) -> int | None:
    """When the stream ends by its header or, in Matroska, by a tag of the track; None if nothing says so."""
    if stream.duration:
        return int((stream.start_time or 0) + stream.duration)
    tag = re.fullmatch(r"(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d{1,12})?)", stream.metadata.get("DURATION", ""), re.ASCII)
    return round((int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])) / stream.time_base) if tag else None


def _drain(decoder: Any) -> None:
    """Take what the decoder's threads still hold: freeing it in mid-work can hang."""
    if decoder.is_open:
        decoder.flush_buffers()


def _to_frame(pts: int, frame: Any) -> Frame:
    layout = frame_layout(frame)
    planes = plane_views(frame, layout)
    for plane in planes:
        plane.flags.writeable = False
    return Frame(pts, layout, planes, frame.duration or 0, frame)


def read_frames(source: Source) -> Reading[Frame]:
    """The frames of the video track in native planes (read-only views), pts strictly increasing, one size and layout
    throughout.
    """
    return Reading(source, _to_frame, {})


def read_luma(source: Source, size: tuple[int, int]) -> Reading[tuple[int, UInt8]]:
    """(pts, gray (h, w) uint8) of the same frames, reduced to `size` (width, height) by area; limited range stays
    limited.
    """

    def reduce(pts: int, frame: Any) -> tuple[int, UInt8]:
        layout = frame_layout(frame)
        return pts, to_gray8(plane_views(frame, layout)[0], layout, size)

    # Unfiltered B-frames that nothing refers to cost no accuracy at a third of the size, and save 5 to 10 % of
    # decoding.
    return Reading(source, reduce, {"skip_loop_filter": "noref"})


def read_rgb(source: Source, size: tuple[int, int]) -> Reading[tuple[int, UInt8]]:
    """(pts, RGB (h, w, 3) uint8) of the same frames, reduced to `size` (width, height)."""

    def reduce(pts: int, frame: Any) -> tuple[int, UInt8]:
        small = frame.reformat(*size, "rgb24", interpolation="AREA")
        return pts, np.asarray(small.to_ndarray(), np.uint8)

    return Reading(source, reduce, {"skip_loop_filter": "noref"})


def to_gray8(luma: Plane, layout: PixelLayout, size: tuple[int, int]) -> UInt8:
    """A luma plane reduced to `size` (width, height) and to 8 bits; always a new array."""
    native = size == (luma.shape[1], luma.shape[0])
    reduced = luma.copy() if native else np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA))
    shift = layout.bits + layout.lsb_shift - 8
    if shift:
        reduced = np.minimum((reduced.astype(np.uint32) + (1 << shift >> 1)) >> shift, 255)
    return reduced.astype(np.uint8, copy=False)
