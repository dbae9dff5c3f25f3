"""Decode a video to native planes without a copy, or to small gray or RGB images of the same frames."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import av
import cv2
import numpy as np

from localfiles.reading import PathLike
from stabilize.core import UInt8
from stabilize.errors import InputError
from stabilize.video.buffers import convert_decoded, frame_layout, plane_views
from stabilize.video.completeness import DecodeRecord
from stabilize.video.frame import Frame, PixelLayout, Plane
from stabilize.video.open_input import OpenInput, check_unchanged, reopen
from stabilize.video.probe import MediaInfo, probe
from stabilize.video.source import check_size, decoder_of, open_container, pick_video
from stabilize.video.span import WHOLE, EntryPoint, InexactSeekError, Span, can_seek, seek_times
from stabilize.video.timestamps import PresentationClock, nominal_step, repair_times
from stabilize.video.tracks import PassedTracks

T = TypeVar("T")
_THREADS_MAX = 8  # each has a frame in memory
_SINGLE_THREAD_PIXELS_MAX = 1920 * 1088  # up to this size, one thread decodes fast enough for the rest
_END_GAP_S_MAX = 0.5  # tolerated difference between the last frame and the duration in the header
Source = PathLike | MediaInfo | OpenInput  # a probed file must not have changed since
FrameFormat = tuple[int, int, PixelLayout]  # width, height, layout


@dataclass(frozen=True, slots=True)
class ReadReport:
    """Numbers of frames that were read so far, and of defects."""

    frames: int = 0
    """Frames."""
    damaged: int = 0
    """Frames decoded with errors."""
    lost: int = 0
    """Frames that could not be decoded."""
    gaps: int = 0
    """Frames missing in gaps next to damage, an estimate."""
    hidden: int = 0
    """Frames that the file marks as not to be shown, if they are many."""
    repaired_pts: int = 0
    """Frames whose time was missing, repeated or decreasing."""
    rescaled: int = 0
    """Frames of another size than the first."""
    converted: int = 0
    """Frames of another pixel format than the layout."""
    missing: int = 0
    """Frames missing at the end, by the count or duration in the header."""
    failure: str = ""
    """Why reading stopped before the end of the file."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each defect; none for an intact file."""
        notes = [
            (self.damaged, "damaged frames, decoded as far as possible"),
            (self.lost, "damaged frames that could not be decoded and are missing"),
            (self.gaps, "frames that are missing where the file is damaged, about"),
            (self.hidden, "frames left out, as the edit list of the file hides them (a cut, or damage)"),
            (self.repaired_pts, "frames without a valid time stamp, interpolated from their neighbours"),
            (self.rescaled, "frames of another size than the first, scaled to its size"),
            (self.converted, "frames in an unsupported pixel format, converted"),
        ]
        sentences = [f"{text}: {count}" for count, text in notes if count]
        if self.failure or self.missing:
            rest = f", with about {self.missing} frames fewer than its header says" if self.missing else ""
            sentences.append(f"the file ends early{rest}{f' ({self.failure})' if self.failure else ''}")
        return tuple(sentences)


class FrameReader(Generic[T]):
    """An iterator over the frames of a span. `report` counts them and is updated at every step.

    In `report`, `repaired_pts` counts all frames that were decoded, which may begin before the span. The file is closed
    at the end or by `close`. Raises `InputError` at the first `next` if the file cannot be opened, and at the end if no
    frame could be decoded.
    """

    def __init__(self, source: Source, convert: Callable[[int, Any], T], options: dict[str, str], span: Span) -> None:
        self.report = ReadReport()
        self._shared = source if isinstance(source, OpenInput) else None
        self._span = span
        self._info, self._path = _resolve(source, span)
        self._options = options
        self._end_pts = 0
        self._next_pts = span.start  # earlier frames are outside of the span, or were yielded already
        self._items = self._read(convert)

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
        """Close the file."""
        self._items.close()

    def _count(self, **more: int) -> None:
        self.report = replace(self.report, **{name: getattr(self.report, name) + n for name, n in more.items()})

    def _read(self, convert: Callable[[int, Any], T]) -> Generator[T]:
        if self._shared is not None:
            yield from self._read_container(self._shared.container, convert, from_beginning=True)
            return
        for from_beginning in (False, True):
            try:
                with self._open() as container:
                    yield from self._read_container(container, convert, from_beginning)
                return
            except InexactSeekError:  # the frames so far are correct; read the others from the beginning of the file
                self.report = ReadReport(frames=self.report.frames)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        if self._info is None:
            with open_container(self._path) as container:
                yield container
        else:
            with reopen(self._info) as source:
                yield source.container

    def _read_container(self, container: Any, convert: Callable[[int, Any], T], from_beginning: bool) -> Generator[T]:
        container.flags &= ~av.container.Flags.gen_pts.value  # generated pts would hide missing ones
        stream = pick_video(container, self._path)
        decoder = decoder_of(stream)
        decoder.thread_type = "AUTO"
        decoder.thread_count = _threads(stream.width, stream.height)
        decoder.options = self._options
        self._record = DecodeRecord(container.format.name, stream.time_base, positions=decoder is stream.codec_context)
        seeks = not from_beginning and can_seek(container, stream, self._span)
        try:
            for pts, frame in self._frames_with_times(container, stream, decoder, seeks):
                if self._span.stop is not None and pts >= self._span.stop:
                    break
                if self._next_pts is None or pts >= self._next_pts:
                    self._count(frames=1)
                    self._end_pts = pts + (frame.duration or 0)
                    self._next_pts = pts + 1
                    yield convert(pts, frame)
            self._count_missing(container, stream, seeks)
        finally:
            _flush(decoder)
        if not self._record.frames_received:
            why = self.report.failure or "its video track is empty"
            raise InputError(f"{self._path}: not a single frame could be decoded ({why})")

    def _frames_with_times(self, container: Any, stream: Any, decoder: Any, seeks: bool) -> Iterator[tuple[int, Any]]:
        """Yield frames with strictly increasing times. After a seek, the first ones may lie before the span."""
        if seeks:
            return _check_increasing(
                self._in_one_format(self._frames_from_entry(container, stream, decoder), self._probed_format())
            )
        timed = self._choose_times(self._in_one_format(self._decode(container, stream, decoder)))
        return repair_times(timed, nominal_step(stream), lambda: self._count(repaired_pts=1))

    def _frames_from_entry(self, container: Any, stream: Any, decoder: Any) -> Iterator[Any]:
        """Seek and yield frames that are the same as in a full read, the first not after the start of the span.

        Raises InexactSeekError if there is no such place.
        """
        assert self._span.start is not None
        for time in seek_times(stream, self._span.start):
            _flush(decoder)
            self._record.reset()
            entry = EntryPoint(self._span.start)
            try:
                container.seek(time, stream=stream)
            except av.FFmpegError:
                break
            frames = self._decode(container, stream, decoder, entry)
            first = next((frame for frame in frames if entry.is_reached(frame)), None)
            if first is not None and entry.is_clean(first):
                yield first
                yield from frames
                return
            frames.close()
        raise InexactSeekError

    def _decode(self, container: Any, stream: Any, decoder: Any, entry: EntryPoint | None = None) -> Generator[Any]:
        packets = self._demux(container, stream)
        for packet in entry.skip_to_entry(packets) if entry is not None else packets:
            if packet is not None:
                self._record.add_sent(packet)
            try:
                frames = list(decoder.decode(packet))
            except av.FFmpegError:
                self._record.add_refused(packet)
                frames = []
            for frame in frames:
                self._record.add_received(frame)
                self._count(damaged=int(frame.is_corrupt and self._span.contains(frame.pts)))
                yield frame

    def _demux(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield the packets of the stream, then None to flush the decoder. Queue those of other tracks."""
        tracks = self._shared.tracks if self._shared is not None else PassedTracks()
        streams = [s for s in container.streams if s is stream or s.index in tracks.indices]
        try:
            for packet in container.demux() if self._record.needs_all_streams else container.demux(streams):
                if packet.size:  # an empty packet would flush the decoder
                    self._record.add_demuxed(packet)
                    if packet.stream is stream:
                        yield packet
                    else:
                        tracks.add(packet)
        except av.FFmpegError as error:
            self.report = replace(self.report, failure=str(error.strerror).lower())
            tracks.is_cut_short = bool(tracks.indices)
        yield None

    def _choose_times(self, frames: Iterator[Any]) -> Iterator[tuple[int | None, Any]]:
        clock = PresentationClock()
        for frame in frames:
            time = clock(frame.pts, frame.dts)
            self._count(repaired_pts=int(frame.pts is not None and time != frame.pts))
            yield time, frame

    def _count_missing(self, container: Any, stream: Any, after_seek: bool) -> None:
        """Count missing frames, by the packets and by the header."""
        missing = self._record.missing(self._span)
        self._count(lost=missing.undecoded, gaps=missing.in_gaps, hidden=missing.hidden)
        if self._span.stop is not None:
            return
        header_frames = None if after_seek else _header_frames(container, stream)
        if header_frames is not None:
            self._count(missing=max(0, header_frames - self._record.packets_sent - missing.in_gaps))
        elif (end := _header_end(stream)) is not None and (end - self._end_pts) * stream.time_base > _END_GAP_S_MAX:
            self._count(missing=round((end - self._end_pts) / nominal_step(stream)))

    def _in_one_format(self, frames: Iterator[Any], target: FrameFormat | None = None) -> Iterator[Any]:
        """Yield all frames in one size and layout, by default those of the first frame."""
        for frame in frames:
            check_size(frame.width, frame.height, self._path)
            if target is None:
                target = frame.width, frame.height, frame_layout(frame)
                if self._info is not None:
                    check_unchanged(self._info, target == self._probed_format())
            width, height, layout = target
            is_resized = (frame.width, frame.height) != (width, height)
            if not is_resized and frame.format.name == layout.name:
                yield frame
                continue
            if self._span.contains(frame.pts):
                self._count(rescaled=int(is_resized), converted=int(frame.format.name != layout.name))
            yield convert_decoded(frame, width, height, layout)

    def _probed_format(self) -> FrameFormat:
        assert self._info is not None
        video = self._info.video
        return video.width, video.height, video.layout


def _resolve(source: Source, span: Span) -> tuple[MediaInfo | None, PathLike]:
    """Return what is known of a source, and its path. Seeking needs the format of the first frame, so probe for it."""
    if isinstance(source, OpenInput):
        source = source.info
    if not isinstance(source, MediaInfo):
        if span.start is None:
            return None, source
        source = probe(source)
    return source, source.path


def _check_increasing(frames: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    """Yield (pts, frame). Raises InexactSeekError if a time would need repair."""
    last: int | None = None
    for frame in frames:
        if frame.pts is None or (last is not None and frame.pts <= last):
            raise InexactSeekError
        last = frame.pts
        yield frame.pts, frame


def _threads(width: int, height: int) -> int:
    """Return the number of decoder threads. With several, FFmpeg does not flag every damaged frame."""
    return 1 if width * height <= _SINGLE_THREAD_PIXELS_MAX else min(os.cpu_count() or 1, _THREADS_MAX)


def _header_frames(container: Any, stream: Any) -> int | None:
    """Return the number of frames in the header; None if it has none."""
    if container.format.name.startswith("mov"):
        return int(stream.frames)
    tag = re.fullmatch(r"\d{1,12}", stream.metadata.get("NUMBER_OF_FRAMES", ""), re.ASCII)
    return int(tag[0]) if tag else None


def _header_end(stream: Any) -> int | None:
    """Return the end of the stream by the header or, in Matroska, by a tag of the track; None if unknown."""
    if stream.duration:
        return int((stream.start_time or 0) + stream.duration)
    tag = re.fullmatch(r"(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d{1,12})?)", stream.metadata.get("DURATION", ""), re.ASCII)
    return round((int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])) / stream.time_base) if tag else None


def _flush(decoder: Any) -> None:
    """Finish the work of the decoder's threads: freeing a busy decoder can hang."""
    if decoder.is_open:
        decoder.flush_buffers()


def _to_frame(pts: int, frame: Any) -> Frame:
    layout = frame_layout(frame)
    planes = plane_views(frame, layout)
    for plane in planes:
        plane.flags.writeable = False
    return Frame(pts, layout, planes, frame.duration or 0, frame)


def read_frames(source: Source, span: Span = WHOLE) -> FrameReader[Frame]:
    """Read frames in native planes (read-only views), with strictly increasing pts and one size and layout.

    The frames of a span are the same as in a full read. Raises `InputError`.
    """
    return FrameReader(source, _to_frame, {}, span)


def read_luma(source: Source, size: tuple[int, int], span: Span = WHOLE) -> FrameReader[tuple[int, UInt8]]:
    """Read (pts, gray (h, w) uint8) of the same frames, resized to `size` (width, height) in px by area averaging.

    Limited range is not expanded. Raises `InputError`.
    """

    def reduce(pts: int, frame: Any) -> tuple[int, UInt8]:
        layout = frame_layout(frame)
        return pts, to_gray8(plane_views(frame, layout)[0], layout, size)

    # No deblocking of B-frames without dependents: no loss of accuracy at a third of the size, saves 5 to 10 % of
    # decoding time.
    return FrameReader(source, reduce, {"skip_loop_filter": "noref"}, span)


def read_rgb(source: Source, size: tuple[int, int], span: Span = WHOLE) -> FrameReader[tuple[int, UInt8]]:
    """Read (pts, RGB (h, w, 3) uint8) of the same frames, resized to `size` (width, height) in px by area averaging."""

    def reduce(pts: int, frame: Any) -> tuple[int, UInt8]:
        small = frame.reformat(*size, "rgb24", interpolation="AREA")
        return pts, np.asarray(small.to_ndarray(), np.uint8)

    return FrameReader(source, reduce, {"skip_loop_filter": "noref"}, span)


def to_gray8(luma: Plane, layout: PixelLayout, size: tuple[int, int]) -> UInt8:
    """Return a luma plane resized to `size` (width, height) in px and reduced to 8 bits; always a new array."""
    is_native = size == (luma.shape[1], luma.shape[0])
    reduced = luma.copy() if is_native else np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA))
    shift = layout.bits + layout.lsb_shift - 8
    if shift:
        reduced = np.minimum((reduced.astype(np.uint32) + (1 << shift >> 1)) >> shift, 255)
    return reduced.astype(np.uint8, copy=False)
