"""Find out what is in a file: tracks, pixel format, times, colour and HDR tags. Reads a few packets and one frame."""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData

from localfiles.reading import PathLike
from stabilize.core import FrameGeometry
from stabilize.errors import InputError
from stabilize.video.buffers import BT709, frame_layout
from stabilize.video.frame import PixelLayout
from stabilize.video.source import check_size, decoder_of, is_cover, open_container, pick_video
from stabilize.video.timestamps import nominal_step

UNSPECIFIED = 2  # of primaries, transfer and matrix
LIMITED_RANGE, FULL_RANGE = 1, 2  # AVColorRange
_COMMON_NAMES = {1: "bt709", 2: "unknown", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m"}
_PRIMARIES = _COMMON_NAMES | {
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
_TRANSFERS = _COMMON_NAMES | {
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
_MATRICES = _COMMON_NAMES | {
    0: "gbr",
    4: "fcc",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
    15: "ipt-c2",
    16: "ycgco-re",
    17: "ycgco-ro",
}
_SAMPLE_PACKETS = 240  # enough to tell whether the frame rate varies
_SAMPLE_BYTES_MAX = 32 << 20
_REORDER_FRAMES_MAX = 16  # the last ones of a sample may be displayed after frames that were not sampled
# PyAV (18) gives the chroma siting neither for a stream nor for a decoder or frame, only in the log. The log level is
# global, so threads that probe take turns. PyAV cannot read libav's level: it is reset to its initial value.
_LOG_LEVEL_LOCK = Lock()
_SIDE_DATA = (
    SideData.DISPLAYMATRIX,
    SideData.MASTERING_DISPLAY_METADATA,
    SideData.CONTENT_LIGHT_LEVEL,
    SideData.A53_CC,
)


@dataclass(frozen=True, slots=True)
class Colour:
    """Colour tags as FFmpeg's numbers."""

    primaries: int = 2
    """AVColorPrimaries; 2: unspecified."""
    transfer: int = 2
    """AVColorTransferCharacteristic; 2: unspecified."""
    matrix: int = 2
    """AVColorSpace; 2: unspecified."""
    range: int = 0
    """0: unspecified, 1: limited, 2: full."""
    chroma_location: str = "unspecified"
    """FFmpeg's name of the chroma siting."""

    @property
    def primaries_name(self) -> str:
        """FFmpeg's name."""
        return _PRIMARIES.get(self.primaries, f"number {self.primaries}")

    @property
    def transfer_name(self) -> str:
        """FFmpeg's name."""
        return _TRANSFERS.get(self.transfer, f"number {self.transfer}")

    @property
    def matrix_name(self) -> str:
        """FFmpeg's name."""
        return _MATRICES.get(self.matrix, f"number {self.matrix}")


@dataclass(frozen=True, slots=True)
class Hdr:
    """HDR10 metadata: mastering display and content light levels."""

    primaries: tuple[tuple[int, int], ...] = ()
    """(x, y) of red, green, blue and white, in 1/50000."""
    luminance: tuple[int, int] | None = None
    """(maximum, minimum) in 1/10000 cd/m2."""
    light_level: tuple[int, int] | None = None
    """(MaxCLL, MaxFALL) in cd/m2."""


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of the container."""

    index: int
    """Index of the stream."""
    kind: str
    """video, audio, subtitle, data, attachment or unknown."""
    codec: str
    """FFmpeg's name."""
    tag: str = ""
    """Four-character code, the only name that most data tracks have."""
    language: str = ""
    """Language code, as in the file."""
    title: str = ""
    """Title or handler name."""
    is_cover: bool = False
    """Whether it is a cover image."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the file."""

    start_s: float
    """Start in s."""
    end_s: float
    """End in s."""
    title: str
    """Title, may be empty."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """The video track to process."""

    index: int
    """Index of the stream."""
    codec: str
    """FFmpeg's name."""
    profile: str
    """Profile of the codec; "": unknown."""
    width: int
    """Width of the stored frame in px, before rotation and pixel aspect."""
    height: int
    """Height of the stored frame in px, before rotation."""
    pix_fmt: str
    """Pixel format of the decoder."""
    layout: PixelLayout
    """Layout of the frames that are read: that of `pix_fmt`, or the nearest one."""
    time_base: Fraction
    """Unit of the times in s."""
    average_rate: Fraction
    """Frames per s."""
    variable_rate: bool | None
    """Whether the frame rate varies; None: too few frames to tell."""
    frames: int
    """Number of frames from header or duration, an estimate; 0: unknown."""
    start_s: float
    """Start time in s."""
    sample_aspect_ratio: Fraction
    """Width to height of a pixel."""
    rotation: int
    """Clockwise rotation by a player in degrees, to the nearest of 0, 90, 180, 270."""
    display_matrix: tuple[int, ...] | None
    """FFmpeg's 3 x 3 display matrix, by rows; None: none in the file."""
    colour: Colour
    """Colour tags of the frames as they are read."""
    hdr: Hdr | None
    """HDR10 metadata."""
    interlaced: bool
    """Whether the first frame is interlaced."""
    closed_captions: bool
    """Whether the bitstream holds closed captions."""

    @property
    def geometry(self) -> FrameGeometry:
        """Size, pixel aspect and rotation."""
        return FrameGeometry(self.width, self.height, float(self.sample_aspect_ratio), self.rotation)


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Result of `probe`. Strings from the file are unchecked and may hold escape sequences and surrogates."""

    path: Path
    """Absolute path."""
    container: str
    """FFmpeg's name of the demuxer."""
    size_bytes: int
    """Size of the file."""
    duration_s: float
    """Duration in s; 0: unknown."""
    video: VideoInfo
    """The video track to process."""
    tracks: tuple[Track, ...]
    """All streams, the video included."""
    chapters: tuple[Chapter, ...]
    """Chapters."""
    metadata: dict[str, str]
    """Metadata of the container."""


def probe(path: PathLike) -> MediaInfo:
    """Inspect a file. Raises `InputError` if it is not a local video file or no frame of it can be decoded."""
    with open_container(path) as container:
        stream = pick_video(container, path)
        descriptions = _stream_descriptions(container)
        tagged, decoded, times = _sample(container, stream, path)
        check_size(decoded.width, decoded.height, path)
        duration = container.duration or 0
        return MediaInfo(
            path=Path(os.path.abspath(path)),
            container=container.format.name,
            size_bytes=os.stat(path).st_size,
            duration_s=duration / av.time_base if duration > 0 else 0.0,
            video=_video_info(stream, tagged, decoded, times, descriptions.get(stream.index, "")),
            tracks=tuple(_track(s, descriptions.get(s.index, "")) for s in container.streams),
            chapters=tuple(_chapter(c) for c in container.chapters()),
            metadata=dict(container.metadata),
        )


def _stream_descriptions(container: Any) -> dict[int, str]:
    """Return FFmpeg's description of each stream, the only place with chroma siting and codes of data tracks."""
    with _LOG_LEVEL_LOCK:
        level = av.logging.get_level()
        av.logging.set_libav_level(av.logging.VERBOSE)  # the description has the siting only at this level
        try:
            with av.logging.Capture(local=False):
                av.logging.set_level(av.logging.INFO)
                text = container.dumps_format()
        finally:
            av.logging.set_level(level)
            av.logging.set_libav_level(av.logging.INFO)
    # Only at the start of a line: the text also holds metadata of the file, indented further, with any content.
    return {int(index): line for index, line in re.findall(r"^ {0,2}Stream #0:(\d{1,6})(.*)$", text, re.MULTILINE)}


def _sample(container: Any, stream: Any, path: PathLike) -> tuple[Any, Any, list[int]]:
    """Return the first frame from two decoders, for its tags and for all its planes, and the pts of packets."""
    default, with_alpha = stream.codec_context, decoder_of(stream)
    for decoder in (default, with_alpha):
        decoder.thread_type = "SLICE"
        decoder.thread_count = 1
    tagged = decoded = None
    times: list[int] = []
    size = 0
    for count, packet in enumerate(_packets(container, stream), start=1):
        tagged = tagged or _decode_first(default, packet)
        decoded = tagged if with_alpha is default else decoded or _decode_first(with_alpha, packet)
        times += [packet.pts] if packet is not None and packet.pts is not None else []
        size += packet.size if packet is not None else 0
        if decoded is not None and (count >= _SAMPLE_PACKETS or size > _SAMPLE_BYTES_MAX):
            times = sorted(times)[:-_REORDER_FRAMES_MAX]
            break
    if tagged is None or decoded is None:
        raise InputError(
            f"{path}: not a single frame could be decoded; the file is damaged or its video track is empty"
        )
    return tagged, decoded, times


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    with suppress(av.FFmpegError):  # truncated: use the packets before
        yield from (packet for packet in container.demux(stream) if packet.size)
    yield None


def _decode_first(decoder: Any, packet: Any) -> Any:
    try:
        return next(iter(decoder.decode(packet)), None)
    except av.FFmpegError:
        return None


def _video_info(stream: Any, tagged: Any, decoded: Any, times: list[int], description: str) -> VideoInfo:
    side_data = {kind: bytes(tagged.side_data[kind]) for kind in _SIDE_DATA if kind in tagged.side_data}
    matrix = side_data.get(SideData.DISPLAYMATRIX)
    # Convert to Fraction: arithmetic of PyAV 19's rationals rounds to 32 bits.
    time_base = Fraction(stream.time_base)
    rate = Fraction(stream.average_rate or stream.guessed_rate or 1 / (nominal_step(stream) * time_base))
    return VideoInfo(
        index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        profile=stream.codec_context.profile or "",
        width=decoded.width,
        height=decoded.height,
        pix_fmt=decoded.format.name,
        layout=frame_layout(decoded),
        time_base=time_base,
        average_rate=rate,
        variable_rate=_is_variable(times),
        frames=stream.frames or _frames_by_duration(stream, rate),
        start_s=float((stream.start_time or 0) * time_base),
        sample_aspect_ratio=Fraction(stream.sample_aspect_ratio or 1),
        rotation=_rotation(struct.unpack("=9i", matrix)) if matrix else 0,
        display_matrix=struct.unpack("=9i", matrix) if matrix else None,
        colour=_colour(tagged, description),
        hdr=_hdr(side_data),
        interlaced=tagged.interlaced_frame,
        closed_captions=SideData.A53_CC in side_data,
    )


def _is_variable(times: list[int]) -> bool | None:
    """Return whether frame intervals differ by more than rounding to the time base; None: too few frames."""
    steps = np.diff(np.unique(times))
    if len(steps) < 2:
        return None
    return bool(np.ptp(steps) > max(2, 0.01 * np.median(steps)))


def _frames_by_duration(stream: Any, rate: Fraction) -> int:
    stream_s = stream.duration * stream.time_base if stream.duration else None
    duration: Fraction = stream_s or Fraction(stream.container.duration or 0, av.time_base)
    return round(duration * rate)


def _rotation(matrix: tuple[int, ...]) -> int:
    """Return the clockwise rotation of a display matrix in degrees, to the nearest 90.

    Its rows are (a b u), (c d v), (x y w), with a, b, c, d in 16.16 fixed point.
    """
    quarters = round(math.atan2(matrix[1], matrix[0]) / (math.pi / 2))
    return 90 * (int(quarters) % 4)


def _colour(frame: Any, description: str) -> Colour:
    siting = re.search(r": Video:.*\b(left|center|topleft|top|bottomleft|bottom)\)", description)
    from_rgb = frame.format.is_rgb  # read as BT.709 YUV of limited range
    return Colour(
        primaries=frame.color_primaries,
        transfer=frame.color_trc,
        matrix=BT709 if from_rgb else frame.colorspace,
        range=LIMITED_RANGE if from_rgb else FULL_RANGE if frame.format.name.startswith("yuvj") else frame.color_range,
        chroma_location=siting[1] if siting else "unspecified",
    )


def _hdr(side_data: dict[Any, bytes]) -> Hdr | None:
    display = side_data.get(SideData.MASTERING_DISPLAY_METADATA)
    light = side_data.get(SideData.CONTENT_LIGHT_LEVEL)
    level = struct.unpack_from("=2I", light) if light else None
    if display is None:
        return Hdr(light_level=level) if level else None
    # AVMasteringDisplayMetadata: 8 chromaticities, minimum and maximum luminance as fractions, two flags of presence
    *fractions, has_primaries, has_luminance = struct.unpack_from("=22i", display)
    values = [Fraction(n, d) if d else Fraction(0) for n, d in zip(fractions[::2], fractions[1::2], strict=True)]
    xy = [round(v * 50000) for v in values[:8]]
    return Hdr(
        primaries=tuple(zip(xy[::2], xy[1::2], strict=True)) if has_primaries else (),
        luminance=(round(values[9] * 10000), round(values[8] * 10000)) if has_luminance else None,
        light_level=level,
    )


def _track(stream: Any, description: str) -> Track:
    context = stream.codec_context
    tag = re.search(r"\((\S{4}) / 0x[0-9A-F]+\)", description)
    return Track(
        index=stream.index,
        kind=stream.type or "unknown",
        codec=context.codec.canonical_name if context is not None else getattr(stream, "name", None) or "unknown",
        tag=tag[1] if tag else "",
        language=stream.metadata.get("language", ""),
        title=stream.metadata.get("title", "") or stream.metadata.get("handler_name", ""),
        is_cover=is_cover(stream),
    )


def _chapter(entry: dict[str, Any]) -> Chapter:
    scale = entry["time_base"]
    return Chapter(float(entry["start"] * scale), float(entry["end"] * scale), entry["metadata"].get("title", ""))
