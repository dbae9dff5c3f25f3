"""What of the input, other than tracks, is lost in the output; reported before any work is done."""

from __future__ import annotations

from stabilize.video.codecs import Encoding
from stabilize.video.containers import Container
from stabilize.video.layouts import LAYOUTS
from stabilize.video.output import output_time_base
from stabilize.video.probe import UNSPECIFIED, MediaInfo, VideoInfo

_DEFAULT_SITING = "left"  # assumed by players if unspecified


def losses(info: MediaInfo, container: Container, encoding: Encoding) -> list[str]:
    """Return one sentence for each loss."""
    video, encoder = info.video, encoding.encoder
    tags = encoder.tags | container.tags
    reason = f"{encoder.codec} in {container.muxer} does not support it"
    checks = [
        (info.chapters and not container.chapters, f"chapters are left out: {container.muxer} does not support them"),
        (
            video.rotation and not container.rotation,
            f"the rotation tag ({video.rotation} degrees) is left out: {container.muxer} does not support it",
        ),
        (
            video.layout.has_alpha and not LAYOUTS[encoding.pix_fmt].has_alpha,
            f"transparency is left out: {encoder.codec} in {container.muxer} does not support it ({encoding.pix_fmt})",
        ),
        (video.hdr and "hdr" not in tags, f"HDR10 metadata is left out: {encoder.codec} does not support it"),
        (video.interlaced, "the video is interlaced; it is processed and written as progressive frames"),
        (video.closed_captions, "closed captions inside the video are left out"),
        (
            video.sample_aspect_ratio != 1 and "aspect" not in tags,
            f"the pixel aspect ratio {video.sample_aspect_ratio} is left out, the video will look distorted: {reason}",
        ),
        *_colour_losses(video, tags, reason),
        (
            _is_subsampled(encoding) and video.colour.chroma_location not in _stored_sitings(container, encoding),
            f"the chroma siting ({video.colour.chroma_location}) is left out: {reason}",
        ),
        (
            (video.time_base / output_time_base(video, container)).denominator != 1,
            f"{container.muxer} cannot store the frame times exactly: they are rounded",
        ),
    ]
    return [text for is_lost, text in checks if is_lost]


def _colour_losses(video: VideoInfo, tags: frozenset[str], reason: str) -> list[tuple[bool, str]]:
    colour = video.colour
    is_tagged = {colour.primaries, colour.transfer} != {UNSPECIFIED}
    tags_text = f"primaries {colour.primaries_name}, transfer {colour.transfer_name}"
    return [
        (is_tagged and "colour" not in tags, f"the colour tags ({tags_text}) are left out: {reason}"),
        (
            colour.matrix != UNSPECIFIED and "matrix" not in tags,
            f"the colour matrix ({colour.matrix_name}) is left out: {reason}",
        ),
    ]


def _is_subsampled(encoding: Encoding) -> bool:
    return any(plane.height_shift for plane in LAYOUTS[encoding.pix_fmt].planes)


def _stored_sitings(container: Container, encoding: Encoding) -> frozenset[str]:
    return encoding.encoder.sitings | container.sitings | {_DEFAULT_SITING, "unspecified"}
