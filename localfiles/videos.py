"""Opening a video safely: an existing local file, a container on the list, nothing that would open other files or the
network.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import av

from localfiles.errors import ReadError
from localfiles.reading import PathLike, local_file

MAX_SIDE = 16384
MAX_PIXELS = MAX_SIDE * MAX_SIDE // 2

# Containers of one file. Playlists and sequences (hls, dash, concat, sdp, rtsp, image2, ...) would open further files.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,mxf,ogg,nut,ivf,obu,av1,h261,h263,h264,"
    "hevc,vvc,vc1,vc1test,dv,yuv4mpegpipe,mjpeg,mpjpeg,gxf,lxf,wtv,rm,bink,smk,swf,nsv,nuv,dirac,gif,"
    "mp3,wav,w64,flac,aac,ac3,eac3,aiff,caf,au,amr"  # sound only: so that the message can say so
)
# Metadata is not always UTF-8, and goes to the output byte for byte: so asked for, and from PyAV 19 on the only way.
METADATA_KEPT: dict[str, Any] = {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"v=0", b"[playlist]", b"<MPD", b"<smil", b"<asx")


def open_video(path: PathLike) -> Any:
    """A PyAV input container over the local file `path`; `ReadError` where it is not a video container."""
    file = local_file(path)
    options = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS, "max_pixels": str(MAX_PIXELS)}
    try:
        return av.open(os.fspath(file), options=options, **METADATA_KEPT)
    except (av.FFmpegError, ValueError) as error:
        if _is_playlist(file):
            raise ReadError(f"{path}: a playlist, which would open other files; give the video file itself") from error
        cause = getattr(error, "strerror", None) or error
        raise ReadError(
            f"{path}: not a readable video file (damaged, cut short or of an unknown kind: {cause})"
        ) from error


def _is_playlist(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(_PLAYLISTS) or b"<MPD" in head


def pick_video(container: Any, path: PathLike) -> Any:
    """The video stream to work on: FFmpeg's best one that is no cover picture. `ReadError` if there is none or its
    size is absurd.
    """
    streams = [s for s in container.streams.video if not is_cover(s) and s.codec_context is not None]
    if not streams:
        raise ReadError(f"{path}: has no video track that can be decoded")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    check_size(stream.codec_context.width, stream.codec_context.height, path)
    return stream


def is_cover(stream: Any) -> bool:
    """Whether the stream is a picture that is attached to the file, and no video."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def check_size(width: int, height: int, path: PathLike) -> None:
    """`ReadError` where a picture of this size is not to be allocated."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        limit = f"{MAX_SIDE} pixels a side, {MAX_PIXELS >> 20} megapixels in all"
        raise ReadError(f"{path}: its pictures have no usable size ({width}x{height}; the limit is {limit})")
