"""Decoding: native planes without a copy, or small gray pictures; both see the same frames at the same times."""

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
from stabilize.video.buffers import frame_layout, plane_views, readable
from stabilize.video.completeness import Ledger
from stabilize.video.frame import Frame, PixelLayout, Plane
from stabilize.video.opened import OpenInput, check_unchanged, opened
from stabilize.video.probe import MediaInfo, probe
from stabilize.video.source import check_size, decoder_of, input_container, pick_video
from stabilize.video.span import WHOLE, Entry, Span, UnsureError, can_seek, places
from stabilize.video.timestamps import PresentationClock, mended, usual_step
from stabilize.video.tracks import PassedTracks

T = TypeVar("T")
_MOST_THREADS = 8  # each holds a frame
_LARGE = 1920 * 1088  # pixels: up to here one thread keeps up with all that follows
_TOLERATED_GAP_S = 0.5  # between the end of a file and what it says of itself
Source = PathLike | MediaInfo | OpenInput  # a file that was probed must still be the same
Picture = tuple[int, int, PixelLayout]  # width, height


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

    `report` is of the span; `mended_pts` is of all that was read for it. Raises `InputError` at the first `next` if the
    file cannot be opened, at the end if not a single frame could be decoded.
    """

    def __init__(self, source: Source, finish: Callable[[int, Any], T], options: dict[str, str], span: Span) -> None:
        self.report = ReadReport()
        self._shared = source if isinstance(source, OpenInput) else None
        self._span = span
        self._info, self._path = _known(source, span)
        self._options = options
        self._end = 0
        self._next_pts = span.start  # frames before it are not wanted, or were given already
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
        if self._shared is not None:
            yield from self._pictures(self._shared.container, finish, from_beginning=True)
            return
        for from_beginning in (False, True):
            try:
                with self._input() as container:
                    yield from self._pictures(container, finish, from_beginning)
                return
            except UnsureError:  # what was given is right; what follows is read once more, with all that is before it
                self.report = ReadReport(frames=self.report.frames)

    @contextmanager
    def _input(self) -> Iterator[Any]:
        if self._info is None:
            with input_container(self._path) as container:
                yield container
        else:
            with opened(self._info) as source:
                yield source.container

    def _pictures(self, container: Any, finish: Callable[[int, Any], T], from_beginning: bool) -> Generator[T]:
        container.flags &= ~av.container.Flags.gen_pts.value  # invented times would hide which are true
        stream = pick_video(container, self._path)
        decoder = decoder_of(stream)
        decoder.thread_type = "AUTO"
        decoder.thread_count = _threads(stream.width, stream.height)
        decoder.options = self._options
        self._ledger = Ledger(container.format.name, stream.time_base, positions=decoder is stream.codec_context)
        seeks = not from_beginning and can_seek(container, stream, self._span)
        try:
            for pts, frame in self._placed(container, stream, decoder, seeks):
                if self._span.stop is not None and pts >= self._span.stop:
                    break
                if self._next_pts is None or pts >= self._next_pts:
                    self._count(frames=1)
                    self._end = pts + (frame.duration or 0)
                    self._next_pts = pts + 1
                    yield finish(pts, frame)
            self._reckon(container, stream, seeks)
        finally:
            _drain(decoder)
        if not self._ledger.came:
            why = self.report.failure or "its video track is empty"
            raise InputError(f"{self._path}: not a single frame could be decoded ({why})")

    def _placed(self, container: Any, stream: Any, decoder: Any, seeks: bool) -> Iterator[tuple[int, Any]]:
        """Frames with strictly increasing times; after a seek some of them may lie before the span."""
        if seeks:
            return _increasing(self._uniform(self._from_entry(container, stream, decoder), self._known_picture()))
        timed = self._timed(self._uniform(self._decode(container, stream, decoder)))
        return mended(timed, usual_step(stream), lambda: self._count(mended_pts=1))

    def _from_entry(self, container: Any, stream: Any, decoder: Any) -> Iterator[Any]:
        """Frames from one on that is not after the start, and after which they are the same as in the whole."""
        assert self._span.start is not None
        for place in places(stream, self._span.start):
            _drain(decoder)
            self._ledger.clear()
            entry = Entry(self._span.start)
            try:
                container.seek(place, stream=stream)
            except av.FFmpegError:
                break
            frames = self._decode(container, stream, decoder, entry)
            first = next((frame for frame in frames if entry.is_reached(frame)), None)
            if first is not None and entry.is_sound(first):
                yield first
                yield from frames
                return
            frames.close()
        raise UnsureError

    def _decode(self, container: Any, stream: Any, decoder: Any, entry: Entry | None = None) -> Generator[Any]:
        packets = self._demux(container, stream)
        for packet in entry.wait_for(packets) if entry is not None else packets:
            if packet is not None:
                self._ledger.sent(packet)
            try:
                frames = list(decoder.decode(packet))
            except av.FFmpegError:
                self._ledger.failed(packet)
                frames = []
            for frame in frames:
                self._ledger.gave(frame)
                self._count(damaged=int(frame.is_corrupt and self._span.holds(frame.pts)))
                yield frame

    def _demux(self, container: Any, stream: Any) -> Iterator[Any]:
        """The packets of the stream, then None for what the decoder still holds; others are passed on."""
        tracks = self._shared.tracks if self._shared is not None else PassedTracks()
        wanted = [s for s in container.streams if s is stream or s.index in tracks.wanted]
        try:
            for packet in container.demux() if self._ledger.wants_all_streams else container.demux(wanted):
                if packet.size:  # an empty one would end decoding for good
                    self._ledger.passed(packet)
                    if packet.stream is stream:
                        yield packet
                    else:
                        tracks.put(packet)
        except av.FFmpegError as error:
            self.report = replace(self.report, failure=str(error.strerror).lower())
            tracks.failed = bool(tracks.wanted)
        yield None

    def _timed(self, frames: Iterator[Any]) -> Iterator[tuple[int | None, Any]]:
        clock = PresentationClock()
        for frame in frames:
            time = clock(frame.pts, frame.dts)
            self._count(mended_pts=int(frame.pts is not None and time != frame.pts))
            yield time, frame

    def _reckon(self, container: Any, stream: Any, after_seek: bool) -> None:
        """What is missing, by what was read and by what the header promises."""
        missing = self._ledger.missing(self._span)
        self._count(lost=missing.undecoded, gaps=missing.in_gaps, hidden=missing.hidden)
        if self._span.stop is not None:
            return
        stated = None if after_seek else _stated_frames(container, stream)
        if stated is not None:
            self._count(missing=max(0, stated - self._ledger.packets - missing.in_gaps))
        elif (end := _stated_end(stream)) is not None and (end - self._end) * stream.time_base > _TOLERATED_GAP_S:
            self._count(missing=round((end - self._end) / usual_step(stream)))

    def _uniform(self, frames: Iterator[Any], picture: Picture | None = None) -> Iterator[Any]:
        """Every frame as one picture, or as the first of them: its size, and the layout that its format is processed
        in.
        """
        for frame in frames:
            check_size(frame.width, frame.height, self._path)
            if picture is None:
                picture = frame.width, frame.height, frame_layout(frame)
                if self._info is not None:
                    check_unchanged(self._info, picture == self._known_picture())
            width, height, layout = picture
            resized = (frame.width, frame.height) != (width, height)
            if not resized and frame.format.name == layout.name:
                yield frame
                continue
            if self._span.holds(frame.pts):
                self._count(rescaled=int(resized), converted=int(frame.format.name != layout.name))
            yield readable(frame, width, height, layout)

    def _known_picture(self) -> Picture:
        assert self._info is not None
        video = self._info.video
        return video.width, video.height, video.layout


def _known(source: Source, span: Span) -> tuple[MediaInfo | None, PathLike]:
    """What is known of a source, and its name: after a seek it must be known what the file's first picture is like."""
    if isinstance(source, OpenInput):
        source = source.info
    if not isinstance(source, MediaInfo):
        if span.start is None:
            return None, source
        source = probe(source)
    return source, source.path


def _increasing(frames: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    """(pts, frame), as long as the times need no mending."""
    last: int | None = None
    for frame in frames:
        if frame.pts is None or (last is not None and frame.pts <= last):
            raise UnsureError
        last = frame.pts
        yield frame.pts, frame


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


def read_frames(source: Source, span: Span = WHOLE) -> Reading[Frame]:
    """The frames of the video track in native planes (read-only views), pts strictly increasing, one size and layout
    throughout. Those of a span are the same as in a read of the whole.
    """
    return Reading(source, _to_frame, {}, span)


def read_luma(source: Source, size: tuple[int, int], span: Span = WHOLE) -> Reading[tuple[int, UInt8]]:
    """(pts, gray (h, w) uint8) of the same frames, reduced to `size` (width, height) by area; limited range stays
    limited.
    """

    def reduce(pts: int, frame: Any) -> tuple[int, UInt8]:
        layout = frame_layout(frame)
        return pts, to_gray8(plane_views(frame, layout)[0], layout, size)

    # Unfiltered B-frames that nothing refers to cost no accuracy at a third of the size, and save 5 to 10 % of
    # decoding.
    return Reading(source, reduce, {"skip_loop_filter": "noref"}, span)


def read_rgb(source: Source, size: tuple[int, int], span: Span = WHOLE) -> Reading[tuple[int, UInt8]]:
    """(pts, RGB (h, w, 3) uint8) of the same frames, reduced to `size` (width, height)."""

    def reduce(pts: int, frame: Any) -> tuple[int, UInt8]:
        small = frame.reformat(*size, "rgb24", interpolation="AREA")
        return pts, np.asarray(small.to_ndarray(), np.uint8)

    return Reading(source, reduce, {"skip_loop_filter": "noref"}, span)


def to_gray8(luma: Plane, layout: PixelLayout, size: tuple[int, int]) -> UInt8:
    """A luma plane reduced to `size` (width, height) and to 8 bits; always a new array."""
    native = size == (luma.shape[1], luma.shape[0])
    reduced = luma.copy() if native else np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA))
    shift = layout.bits + layout.lsb_shift - 8
    if shift:
        reduced = np.minimum((reduced.astype(np.uint32) + (1 << shift >> 1)) >> shift, 255)
    return reduced.astype(np.uint8, copy=False)
