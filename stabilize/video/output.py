"""Setting up the output container: the video track, its tags, and what of the input cannot be said in it."""

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

# True of the input's encoding only.
_STALE = ("BPS", "DURATION", "NUMBER_OF_", "_STATISTICS_", "ENCODER", "encoder", "ALPHA_MODE", "alpha_mode")
_BRANDS = ("major_brand", "minor_version", "compatible_brands")  # the muxer writes its own
# What the MP4 muxer writes in the iTunes manner, which players read; anything else needs QuickTime's free keys.
_ITUNES_KEYS = re.compile(
    "title|artist|album_artist|composer|album|date|comment|genre|copyright|grouping|lyrics|description|synopsis|show|"
    "episode_id|network|keywords|track|disc|location(-eng)?|creation_time"
)

_MOST_FRAMES_A_SECOND = Fraction(600)  # in AVI, whose muxer allows no more; a damaged clock says millions
_FINEST_CLOCK = 30_000_000  # ticks a second: muxers and encoders count in 31 bits, which must last for a long frame


def clean_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata without what describes the old encoding.

    A QuickTime file can hold its creation time twice, in its header and as a free key: FFmpeg 9 reads "time;time", and
    would take that for no time at all.
    """
    kept = {key: value for key, value in metadata.items() if not key.startswith((*_STALE, *_BRANDS))}
    if "creation_time" in kept:
        kept["creation_time"] = kept["creation_time"].split(";")[0]
    return kept


@contextmanager
def open_output(where: Any, info: MediaInfo, container: Container) -> Iterator[Any]:
    """An empty output container in a file, by name or open, closed at the end whatever happens; close it yourself first
    to hear of errors.
    """
    options = _muxer_options(info, container)
    muxer = container.muxer
    output = av.open(where, "w", format=muxer, container_options=options, **METADATA_OPTIONS)
    try:
        yield output
    finally:
        with suppress(av.FFmpegError):
            output.close()


def _muxer_options(info: MediaInfo, container: Container) -> dict[str, str]:
    options = dict(container.options)
    if container.muxer == "mpegts" and info.video.start_s >= 1:
        # Else the muxer moves all times by its preload; times near zero need that, since B-frames are decoded earlier.
        options["mpegts_copyts"] = "1"
    if container.muxer in ("mp4", "mov", "3gp"):
        scale = output_time_base(info.video, container).denominator
        # Edit lists count in movie_timescale: a multiple of the track's makes the start of the video exact.
        options |= {"video_track_timescale": str(scale), "movie_timescale": str(scale * max(1, 48000 // scale))}
        if not all(_ITUNES_KEYS.fullmatch(key) for key in clean_metadata(info.metadata)):
            options["movflags"] = "use_metadata_tags"
    return options


def add_video(output: Any, video: VideoInfo, container: Container, encoding: Encoding) -> Any:
    """The video stream, with the input's time base, pixel shape and colour tags; its first packet opens the encoder."""
    encoder = encoding.encoder
    width, height = encoding.size
    time_base = output_time_base(video, container)
    rate = min(video.average_rate, 1 / time_base)  # a damaged clock can be faster
    rate = rate if encoder.max_rate is None else min(rate, Fraction(encoder.max_rate))
    stream = output.add_stream(encoder.library, rate=rate, time_base=time_base, width=width, height=height)
    context = stream.codec_context
    context.pix_fmt = encoding.pix_fmt
    context.sample_aspect_ratio = video.sample_aspect_ratio
    tag_colour(context, video.colour, encoding.full_range)
    context.options = dict(encoding.options)
    context.thread_count = encoding.threads
    # PyAV's own choice is SLICE, by which x264 cuts every picture in slices: slower, and larger files.
    context.thread_type = "AUTO"
    if encoder.codec == "hevc" and container.muxer in ("mp4", "mov"):
        context.codec_tag = "hvc1"  # Apple's players do not open hev1
    if container.muxer in ("avi", "nut"):
        context.max_b_frames = 0  # AVI has no presentation times, NUT no decoding times below zero
    if video.display_matrix is not None and container.rotation:
        stream.set_display_matrix(video.display_matrix)
    if encoder.alpha_beside and LAYOUTS[encoding.pix_fmt].has_alpha:
        stream.metadata["alpha_mode"] = "1"
    return stream


def tag_colour(coded: Any, colour: Colour, full_range: bool) -> None:
    """Colour tags of an encoder, or of a frame: some encoders, ProRes among them, write only the frame's."""
    coded.color_primaries = colour.primaries
    coded.color_trc = colour.transfer
    coded.colorspace = colour.matrix
    coded.color_range = FULL_RANGE if full_range else min(colour.range, LIMITED_RANGE)


def copy_tags(output: Any, stream: Any, source: Any, info: MediaInfo, container: Container) -> None:
    """Container and track metadata, language, disposition, time code and chapters."""
    original = source.streams[info.video.index]
    stream.metadata.update(clean_metadata(original.metadata))
    stream.disposition = original.disposition
    output.metadata.update(clean_metadata(source.metadata))
    if container.chapters:
        output.set_chapters(source.chapters())


def output_time_base(video: VideoInfo, container: Container) -> Fraction:
    """The time base to encode in: the input's, unless the container has only its own, or it is absurdly fine."""
    if container.clock is not None:
        return container.clock or 1 / min(video.average_rate, _MOST_FRAMES_A_SECOND)
    if video.time_base.denominator <= _FINEST_CLOCK:
        return video.time_base
    least = -(-video.time_base.denominator // _FINEST_CLOCK)
    exact = (n for n in range(least, 8 * least) if video.time_base.denominator % n == 0)
    divisor = next(exact, None)
    return Fraction(1, _FINEST_CLOCK) if divisor is None else video.time_base * divisor
