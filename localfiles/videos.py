"""Open a video safely: a local file in an allowed container, which cannot open other files or the network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import av

from localfiles.errors import ReadError
from localfiles.reading import PathLike, local_file

MAX_SIDE = 16384  # px
MAX_PIXELS = MAX_SIDE * MAX_SIDE // 2

# Single-file containers only: playlists and sequences (hls, dash, concat, sdp, rtsp, image2, ...) open further files.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,mxf,ogg,nut,ivf,obu,av1,h261,h263,h264,"
    "hevc,vvc,vc1,vc1test,dv,yuv4mpegpipe,mjpeg,mpjpeg,gxf,lxf,wtv,rm,bink,smk,swf,nsv,nuv,dirac,gif,"
    "mp3,wav,w64,flac,aac,ac3,eac3,aiff,caf,au,amr"  # audio only: for a helpful message
)
# Metadata is not always UTF-8 and is copied byte for byte to the output. PyAV 19 and later always decode it like this.
METADATA_OPTIONS: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"v=0", b"[playlist]", b"<MPD", b"<smil", b"<asx")


def open_video(path: PathLike) -> Any:
    """Open the local file `path` as a PyAV input container. Raises `ReadError` if it is not a video container."""
    file = local_file(path)
    options = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS, "max_pixels": str(MAX_PIXELS)}
    try:
        return av.open(os.fspath(file), options=options, **METADATA_OPTIONS)
    except (av.FFmpegError, ValueError) as error:
        if _is_playlist(file):
            raise ReadError(f"{path}: a playlist, which would open other files; give the video file itself") from error
        cause = getattr(error, "strerror", None) or error
        raise ReadError(
            f"{path}: not a readable video file (damaged, truncated or of an unknown format: {cause})"
        ) from error


def _is_playlist(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(_PLAYLISTS) or b"<MPD" in head


def pick_video(container: Any, path: PathLike) -> Any:
    """Return FFmpeg's best video stream that is not a cover image.

    Raises `ReadError` if there is none or its frame size is not supported.
    """
    streams = [s for s in container.streams.video if not is_cover(s) and s.codec_context is not None]
    if not streams:
        raise ReadError(f"{path}: has no video track that can be decoded")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    check_size(stream.codec_context.width, stream.codec_context.height, path)
    return stream


def is_cover(stream: Any) -> bool:
    """Whether the stream is an image attached to the file, and not a video."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def check_size(width: int, height: int, path: PathLike) -> None:
    """Raise `ReadError` if frames of this size must not be allocated."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        limit = f"{MAX_SIDE} px per side and {MAX_PIXELS >> 20} megapixels"
        raise ReadError(f"{path}: its frames have no usable size ({width}x{height}; the limit is {limit})")
