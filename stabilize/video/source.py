"""`localfiles.videos` with the errors of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av

from localfiles import videos
from localfiles.reading import PathLike
from localfiles.videos import is_cover
from stabilize.errors import file_errors

__all__ = ["check_size", "decoder_of", "input_container", "is_cover", "open_input", "pick_video"]
# FFmpeg's own decoders of these do not read the second packet, beside the first, in which transparency lies.
_DECODERS_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

open_input = file_errors()(videos.open_video)
pick_video = file_errors()(videos.pick_video)
check_size = file_errors()(videos.check_size)


@contextmanager
def input_container(path: PathLike) -> Iterator[Any]:
    """`open_input`, closed at the end."""
    with open_input(path) as container:
        yield container


def decoder_of(stream: Any) -> Any:
    """The codec context that decodes all of a video stream's pictures, transparency included."""
    usual = stream.codec_context
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    name = _DECODERS_WITH_ALPHA.get(usual.codec.canonical_name)
    if name is None or tags.get("alpha_mode") != "1":
        return usual
    try:
        return av.CodecContext.create(name, "r")
    except av.codec.codec.UnknownCodecError:  # an FFmpeg without libvpx
        return usual
