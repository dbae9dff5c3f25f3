"""What is in a file: tracks, picture format, times, colour and HDR tags; reads a few packets and one frame."""

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
from stabilize.video.source import check_size, decoder_of, input_container, is_cover, pick_video
from stabilize.video.timestamps import usual_step

UNSTATED = 2  # of primaries, transfer and matrix
LIMITED_RANGE, FULL_RANGE = 1, 2  # AVColorRange
_CHARACTERISTICS = {1: "bt709", 2: "unknown", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m"}
_PRIMARIES = _CHARACTERISTICS | {
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
_TRANSFERS = _CHARACTERISTICS | {
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
_MATRICES = _CHARACTERISTICS | {
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
_SAMPLED_PACKETS = 240  # enough to see whether the rate varies
_SAMPLED_BYTES = 32 << 20
_REORDERED = 16  # the last of a sample may lie beyond frames that were not sampled
# The level of libav's log belongs to the process, but PyAV (18) has the siting neither of a stream, nor of a decoder or
# frame: two threads that probe take turns. Nor does PyAV tell libav's level: it is set to what it is at first.
_LOG_LEVEL = Lock()
_SIDE_DATA = (
    SideData.DISPLAYMATRIX,
    SideData.MASTERING_DISPLAY_METADATA,
    SideData.CONTENT_LIGHT_LEVEL,
    SideData.A53_CC,
)


@dataclass(frozen=True, slots=True)
class Colour:
    """FFmpeg's numbers for the colour tags and its name of the chroma siting.

    2 is "not stated"; for the range 0 is not stated, 1 limited and 2 full.
    """

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    range: int = 0
    chroma_location: str = "unspecified"

    @property
    def primaries_name(self) -> str:
        """As FFmpeg calls them."""
        return _PRIMARIES.get(self.primaries, f"number {self.primaries}")

    @property
    def transfer_name(self) -> str:
        return _TRANSFERS.get(self.transfer, f"number {self.transfer}")

    @property
    def matrix_name(self) -> str:
        return _MATRICES.get(self.matrix, f"number {self.matrix}")


@dataclass(frozen=True, slots=True)
class Hdr:
    """HDR10: the mastering display and the light levels of the content."""

    primaries: tuple[tuple[int, int], ...] = ()  # (x, y) of red, green, blue and white, in 1/50000
    luminance: tuple[int, int] | None = None  # (maximum, minimum) in 1/10000 cd/m2
    light_level: tuple[int, int] | None = None  # (MaxCLL, MaxFALL) in cd/m2


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of the container. `tag` is its four-letter code, which is all that names most data tracks."""

    index: int
    kind: str  # video, audio, subtitle, data, attachment or unknown
    codec: str
    tag: str = ""
    language: str = ""
    title: str = ""
    is_cover: bool = False


@dataclass(frozen=True, slots=True)
class Chapter:
    start_s: float
    end_s: float
    title: str


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """The video track that is worked on. Sizes are of the stored picture, before rotation and pixel shape."""

    index: int
    codec: str
    profile: str  # of the codec, "" if unknown
    width: int
    height: int
    pix_fmt: str
    layout: PixelLayout  # what frames are read as: `pix_fmt`, or the nearest that can be processed
    time_base: Fraction
    average_rate: Fraction
    variable_rate: bool | None  # None: too few frames to tell
    frames: int  # from the header or duration: an estimate; 0: unknown
    start_s: float
    sample_aspect_ratio: Fraction
    rotation: int  # degrees clockwise that a player turns the picture by: 0, 90, 180, 270 (nearest)
    display_matrix: tuple[int, ...] | None
    colour: Colour
    hdr: Hdr | None
    interlaced: bool
    closed_captions: bool  # inside the coded pictures

    @property
    def geometry(self) -> FrameGeometry:
        return FrameGeometry(self.width, self.height, float(self.sample_aspect_ratio), self.rotation)


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What `probe` found. Strings are the file's own: they may hold anything, escape sequences and surrogates too."""

    path: Path
    container: str
    size_bytes: int
    duration_s: float
    video: VideoInfo
    tracks: tuple[Track, ...]
    chapters: tuple[Chapter, ...]
    metadata: dict[str, str]


def probe(path: PathLike) -> MediaInfo:
    """Look into a file. Raises `InputError` if it is no local video file or not one frame of it can be decoded."""
    with input_container(path) as container:
        stream = pick_video(container, path)
        dump = _dump(container)
        tagged, picture, times = _sample(container, stream, path)
        check_size(picture.width, picture.height, path)
        duration = container.duration or 0
        return MediaInfo(
            path=Path(os.path.abspath(path)),
            container=container.format.name,
            size_bytes=os.stat(path).st_size,
            duration_s=duration / av.time_base if duration > 0 else 0.0,
            video=_video_info(stream, tagged, picture, times, dump.get(stream.index, "")),
            tracks=tuple(_track(s, dump.get(s.index, "")) for s in container.streams),
            chapters=tuple(_chapter(c) for c in container.chapters()),
            metadata=dict(container.metadata),
        )


def _dump(container: Any) -> dict[int, str]:
    """FFmpeg's own description of each stream: PyAV shows chroma siting and tags of data tracks nowhere else."""
    with _LOG_LEVEL:
        level = av.logging.get_level()
        av.logging.set_libav_level(av.logging.VERBOSE)  # only here does the description name the siting
        try:
            with av.logging.Capture(local=False):
                av.logging.set_level(av.logging.INFO)
                text = container.dumps_format()
        finally:
            av.logging.set_level(level)
            av.logging.set_libav_level(av.logging.INFO)
    # A line of its own: the file's tags are in the text too, further to the right, and may say anything.
    return {int(index): line for index, line in re.findall(r"^ {0,2}Stream #0:(\d{1,6})(.*)$", text, re.MULTILINE)}


def _sample(container: Any, stream: Any, path: PathLike) -> tuple[Any, Any, list[int]]:
    """The first frame that can be decoded, twice: with all its tags, and with all its planes; the times of packets."""
    usual, whole = stream.codec_context, decoder_of(stream)
    for decoder in (usual, whole):
        decoder.thread_type = "SLICE"
        decoder.thread_count = 1
    tagged = picture = None
    times: list[int] = []
    size = 0
    for count, packet in enumerate(_packets(container, stream), start=1):
        tagged = tagged or _first_frame(usual, packet)
        picture = tagged if whole is usual else picture or _first_frame(whole, packet)
        times += [packet.pts] if packet is not None and packet.pts is not None else []
        size += packet.size if packet is not None else 0
        if picture is not None and (count >= _SAMPLED_PACKETS or size > _SAMPLED_BYTES):
            times = sorted(times)[:-_REORDERED]
            break
    if tagged is None or picture is None:
        raise InputError(
            f"{path}: not a single frame could be decoded; the file is damaged or its video track is empty"
        )
    return tagged, picture, times


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    with suppress(av.FFmpegError):  # cut short: what came before is what there is
        yield from (packet for packet in container.demux(stream) if packet.size)
    yield None


def _first_frame(decoder: Any, packet: Any) -> Any:
    try:
        return next(iter(decoder.decode(packet)), None)
    except av.FFmpegError:
        return None


def _video_info(stream: Any, tagged: Any, picture: Any, times: list[int], dump: str) -> VideoInfo:
    side_data = {kind: bytes(tagged.side_data[kind]) for kind in _SIDE_DATA if kind in tagged.side_data}
    matrix = side_data.get(SideData.DISPLAYMATRIX)
    # Fractions all: arithmetic of the rationals that PyAV 19 gives rounds to 32 bits.
    time_base = Fraction(stream.time_base)
    rate = Fraction(stream.average_rate or stream.guessed_rate or 1 / (usual_step(stream) * time_base))
    return VideoInfo(
        index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        profile=stream.codec_context.profile or "",
        width=picture.width,
        height=picture.height,
        pix_fmt=picture.format.name,
        layout=frame_layout(picture),
        time_base=time_base,
        average_rate=rate,
        variable_rate=_is_variable(times),
        frames=stream.frames or _frames_by_duration(stream, rate),
        start_s=float((stream.start_time or 0) * time_base),
        sample_aspect_ratio=Fraction(stream.sample_aspect_ratio or 1),
        rotation=_rotation(struct.unpack("=9i", matrix)) if matrix else 0,
        display_matrix=struct.unpack("=9i", matrix) if matrix else None,
        colour=_colour(tagged, dump),
        hdr=_hdr(side_data),
        interlaced=tagged.interlaced_frame,
        closed_captions=SideData.A53_CC in side_data,
    )


def _is_variable(times: list[int]) -> bool | None:
    """Whether the distances of frames differ by more than rounding to the time base explains."""
    steps = np.diff(np.unique(times))
    if len(steps) < 2:
        return None
    return bool(np.ptp(steps) > max(2, 0.01 * np.median(steps)))


def _frames_by_duration(stream: Any, rate: Fraction) -> int:
    tagged = stream.duration * stream.time_base if stream.duration else None
    duration: Fraction = tagged or Fraction(stream.container.duration or 0, av.time_base)
    return round(duration * rate)


def _rotation(matrix: tuple[int, ...]) -> int:
    """Clockwise turn of a display matrix (rows a b u, c d v, x y w; a b c d in 16.16), to the nearest quarter."""
    quarters = round(math.atan2(matrix[1], matrix[0]) / (math.pi / 2))
    return 90 * (int(quarters) % 4)


def _colour(frame: Any, dump: str) -> Colour:
    siting = re.search(r": Video:.*\b(left|center|topleft|top|bottomleft|bottom)\)", dump)
    from_rgb = frame.format.is_rgb  # is read as BT.709 YUV of limited range
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
    # AVMasteringDisplayMetadata: 8 chromaticities, least and greatest luminance as fractions; which of them are there
    *fractions, has_primaries, has_luminance = struct.unpack_from("=22i", display)
    values = [Fraction(n, d) if d else Fraction(0) for n, d in zip(fractions[::2], fractions[1::2], strict=True)]
    xy = [round(v * 50000) for v in values[:8]]
    return Hdr(
        primaries=tuple(zip(xy[::2], xy[1::2], strict=True)) if has_primaries else (),
        luminance=(round(values[9] * 10000), round(values[8] * 10000)) if has_luminance else None,
        light_level=level,
    )


def _track(stream: Any, dump: str) -> Track:
    context = stream.codec_context
    tag = re.search(r"\((\S{4}) / 0x[0-9A-F]+\)", dump)
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
