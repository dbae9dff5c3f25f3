"""`localfiles.videos`, with the exceptions of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av

from localfiles import videos
from localfiles.reading import PathLike
from localfiles.videos import is_cover
from stabilize.errors import file_errors

__all__ = ["check_size", "decoder_of", "is_cover", "open_container", "pick_video"]
# FFmpeg's native decoders of these ignore the separate packets that hold transparency.
_DECODERS_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

_open_video = file_errors()(videos.open_video)
pick_video = file_errors()(videos.pick_video)
check_size = file_errors()(videos.check_size)


@contextmanager
def open_container(path: PathLike) -> Iterator[Any]:
    """Open a local video and close it at the end. Raises `InputError`."""
    with _open_video(path) as container:
        yield container


def decoder_of(stream: Any) -> Any:
    """Return a codec context that decodes a video stream with its transparency."""
    default = stream.codec_context
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    name = _DECODERS_WITH_ALPHA.get(default.codec.canonical_name)
    if name is None or tags.get("alpha_mode") != "1":
        return default
    try:
        return av.CodecContext.create(name, "r")
    except av.codec.codec.UnknownCodecError:  # an FFmpeg without libvpx
        return default
