"""What an output will not have of its input, other than tracks: said before any work is done."""

from __future__ import annotations

from stabilize.video.codecs import Encoding
from stabilize.video.containers import Container
from stabilize.video.layouts import LAYOUTS
from stabilize.video.output import output_time_base
from stabilize.video.probe import UNSTATED, MediaInfo, VideoInfo

_USUAL_SITING = "left"  # what players take where nothing is stated


def losses(info: MediaInfo, container: Container, encoding: Encoding) -> list[str]:
    """One sentence for each loss."""
    video, encoder = info.video, encoding.encoder
    tags = encoder.tags | container.tags
    pair = f"{encoder.codec} in {container.muxer} has none"
    checks = [
        (info.chapters and not container.chapters, f"chapters are left out: {container.muxer} has none"),
        (
            video.rotation and not container.rotation,
            f"the rotation tag ({video.rotation} degrees) is left out: {container.muxer} has none",
        ),
        (
            video.layout.has_alpha and not LAYOUTS[encoding.pix_fmt].has_alpha,
            f"transparency is left out: {encoder.codec} in {container.muxer} keeps none ({encoding.pix_fmt})",
        ),
        (video.hdr and "hdr" not in tags, f"HDR10 mastering data is left out: {encoder.codec} does not carry it"),
        (video.interlaced, "the video is interlaced; it is processed and written as whole, progressive frames"),
        (video.closed_captions, "closed captions inside the video are left out"),
        (
            video.sample_aspect_ratio != 1 and "shape" not in tags,
            f"the pixel shape {video.sample_aspect_ratio} is left out, the picture will look distorted: {pair}",
        ),
        *_colour_losses(video, tags, pair),
        (
            _subsampled(encoding) and video.colour.chroma_location not in _kept_sitings(container, encoding),
            f"the chroma siting ({video.colour.chroma_location}) is left out: {pair}",
        ),
        (
            (video.time_base / output_time_base(video, container)).denominator != 1,
            f"{container.muxer} cannot store the times of the frames exactly: they are rounded",
        ),
    ]
    return [text for lost, text in checks if lost]


def _colour_losses(video: VideoInfo, tags: frozenset[str], pair: str) -> list[tuple[bool, str]]:
    colour = video.colour
    stated = {colour.primaries, colour.transfer} != {UNSTATED}
    said = f"primaries {colour.primaries_name}, transfer {colour.transfer_name}"
    return [
        (stated and "colour" not in tags, f"the colour tags ({said}) are left out: {pair}"),
        (
            colour.matrix != UNSTATED and "matrix" not in tags,
            f"the colour matrix ({colour.matrix_name}) is left out: {pair}",
        ),
    ]


def _subsampled(encoding: Encoding) -> bool:
    return any(plane.height_shift for plane in LAYOUTS[encoding.pix_fmt].planes)


def _kept_sitings(container: Container, encoding: Encoding) -> frozenset[str]:
    return encoding.encoder.sitings | container.sitings | {_USUAL_SITING, "unspecified"}
