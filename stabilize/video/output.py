"""Set up the output container: the video track, tags and chapters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any

import av

from localfiles.videos import METADATA_OPTIONS
from stabilize.video.codecs import Encoding
from stabilize.video.containers import Container
from stabilize.video.layouts import LAYOUTS
from stabilize.video.probe import FULL_RANGE, LIMITED_RANGE, Colour, MediaInfo, VideoInfo

# Prefixes of keys that describe the input's encoding.
_ENCODING_KEYS = ("BPS", "DURATION", "NUMBER_OF_", "_STATISTICS_", "ENCODER", "encoder", "ALPHA_MODE", "alpha_mode")
_BRAND_KEYS = ("major_brand", "minor_version", "compatible_brands")  # the muxer writes its own
# Keys that the MP4 muxer writes as iTunes metadata, which players read. Others need QuickTime's free-form keys.
_ITUNES_KEYS = re.compile(
    "title|artist|album_artist|composer|album|date|comment|genre|copyright|grouping|lyrics|description|synopsis|show|"
    "episode_id|network|keywords|track|disc|location(-eng)?|creation_time"
)

_AVI_RATE_MAX = Fraction(600)  # frames/s, limit of the AVI muxer; a damaged time base gives millions
_TICK_RATE_MAX = 30_000_000  # ticks/s: muxers and encoders store durations of frames in 31 bits


def clean_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Return metadata without keys that describe the input's encoding.

    A QuickTime file can hold its creation time twice, in its header and as a free-form key. FFmpeg 9 reads it as
    "time;time", which it cannot parse when writing.
    """
    cleaned = {key: value for key, value in metadata.items() if not key.startswith((*_ENCODING_KEYS, *_BRAND_KEYS))}
    if "creation_time" in cleaned:
        cleaned["creation_time"] = cleaned["creation_time"].split(";")[0]
    return cleaned


@contextmanager
def open_output(file: Any, info: MediaInfo, container: Container) -> Iterator[Any]:
    """Open an output container, in a named or open file, and close it at the end.

    Errors of this final close are ignored; close it before to get them.
    """
    options = _muxer_options(info, container)
    muxer = container.muxer
    output = av.open(file, "w", format=muxer, container_options=options, **METADATA_OPTIONS)
    try:
        yield output
    finally:
        with suppress(av.FFmpegError):
            output.close()


def _muxer_options(info: MediaInfo, container: Container) -> dict[str, str]:
    options = dict(container.options)
    if container.muxer == "mpegts" and info.video.start_s >= 1:
        # By default the muxer delays all times, which only times near zero need, for the earlier decoding of B-frames.
        options["mpegts_copyts"] = "1"
    if container.muxer in ("mp4", "mov", "3gp"):
        scale = output_time_base(info.video, container).denominator
        # Edit lists are in movie_timescale: with a multiple of the track's, the start of the video is exact.
        options |= {"video_track_timescale": str(scale), "movie_timescale": str(scale * max(1, 48000 // scale))}
        if not all(_ITUNES_KEYS.fullmatch(key) for key in clean_metadata(info.metadata)):
            options["movflags"] = "use_metadata_tags"
    return options


def add_video(output: Any, video: VideoInfo, container: Container, encoding: Encoding) -> Any:
    """Add the video stream, with the input's pixel aspect ratio and tags. Its first packet opens the encoder."""
    encoder = encoding.encoder
    width, height = encoding.size
    time_base = output_time_base(video, container)
    rate = min(video.average_rate, 1 / time_base)  # the rate of a damaged file can be larger
    rate = rate if encoder.max_rate is None else min(rate, Fraction(encoder.max_rate))
    stream = output.add_stream(encoder.library, rate=rate, time_base=time_base, width=width, height=height)
    context = stream.codec_context
    context.pix_fmt = encoding.pix_fmt
    context.sample_aspect_ratio = video.sample_aspect_ratio
    tag_colour(context, video.colour, encoding.full_range)
    context.options = dict(encoding.options)
    context.thread_count = encoding.threads
    # PyAV's default is SLICE, with which x264 divides every frame: slower, and larger files.
    context.thread_type = "AUTO"
    if encoder.codec == "hevc" and container.muxer in ("mp4", "mov"):
        context.codec_tag = "hvc1"  # Apple's players do not open hev1
    if container.muxer in ("avi", "nut"):
        context.max_b_frames = 0  # AVI has no presentation times, NUT no negative decoding times
    if video.display_matrix is not None and container.rotation:
        stream.set_display_matrix(video.display_matrix)
    if encoder.separate_alpha and LAYOUTS[encoding.pix_fmt].has_alpha:
        stream.metadata["alpha_mode"] = "1"
    return stream


def tag_colour(coded: Any, colour: Colour, full_range: bool) -> None:
    """Set the colour tags of an encoder or a frame. Some encoders, such as ProRes, write only those of frames."""
    coded.color_primaries = colour.primaries
    coded.color_trc = colour.transfer
    coded.colorspace = colour.matrix
    coded.color_range = FULL_RANGE if full_range else min(colour.range, LIMITED_RANGE)


def copy_tags(output: Any, stream: Any, source: Any, info: MediaInfo, container: Container) -> None:
    """Copy metadata of container and video track, disposition and chapters."""
    original = source.streams[info.video.index]
    stream.metadata.update(clean_metadata(original.metadata))
    stream.disposition = original.disposition
    output.metadata.update(clean_metadata(source.metadata))
    if container.chapters:
        output.set_chapters(source.chapters())


def output_time_base(video: VideoInfo, container: Container) -> Fraction:
    """Return the time base of the output: the input's, unless the container has a fixed one or it is extremely fine."""
    if container.time_base is not None:
        return container.time_base or 1 / min(video.average_rate, _AVI_RATE_MAX)
    if video.time_base.denominator <= _TICK_RATE_MAX:
        return video.time_base
    divisor_min = -(-video.time_base.denominator // _TICK_RATE_MAX)
    exact = (n for n in range(divisor_min, 8 * divisor_min) if video.time_base.denominator % n == 0)
    divisor = next(exact, None)
    return Fraction(1, _TICK_RATE_MAX) if divisor is None else video.time_base * divisor
