"""Opening a video: nothing that names other files or the network, and any name that a file may have."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest

from localfiles import ReadError
from localfiles.videos import MAX_SIDE, check_size, open_video, pick_video


def clip(path: Path) -> Path:
    with av.open(os.fspath(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    return path


PLAYLISTS = {
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.4,\nclip.mp4\n#EXT-X-ENDLIST\n",
    "hls after a mark": b"\xef\xbb\xbf#EXTM3U\n#EXTINF:0.4,\nclip.mp4\n",
    "concat": b"ffconcat version 1.0\nfile clip.mp4\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "pls": b"[playlist]\nFile1=clip.mp4\n",
    "dash": b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>\n',
    "smil": b"<smil><body><video src='clip.mp4'/></body></smil>\n",
    "asx": b"<asx version='3.0'><entry><ref href='clip.mp4'/></entry></asx>\n",
}


@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".mkv", ".txt"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_is_refused_by_any_name(kind, suffix, tmp_path):
    clip(tmp_path / "clip.mp4")
    path = tmp_path / f"list{suffix}"
    path.write_bytes(PLAYLISTS[kind])
    with pytest.raises(ReadError, match="a playlist, which would open other files"):
        open_video(path)


OTHER = {"svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "text": b"text\n" * 50, "noise": bytes(range(256)) * 9}


@pytest.mark.parametrize("kind", OTHER)
def test_files_that_are_not_videos_are_refused(kind, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(OTHER[kind])
    with pytest.raises(ReadError, match="not a readable video file"):
        open_video(path)


@pytest.mark.parametrize(
    "name",
    ["-x.mp4", "http:x.mp4", "concat:a.mp4|b.mp4", "file:x.mp4", "x%03d.mp4", "pipe:0.mp4", "a\nb.mp4", "b\udcff.mp4"],
)
def test_any_name_opens_only_that_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clip(tmp_path / "real.mp4").rename(tmp_path / name)
    with open_video(name) as container:
        assert sum(1 for _ in container.decode(pick_video(container, name))) == 3


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/a.mp4", "file:///etc/passwd", "concat:a.mp4|b.mp4", "pipe:0", "-"]
)
def test_a_url_is_not_a_file(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReadError, match="cannot be read"):
        open_video(address)


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-1, 10), (MAX_SIDE + 1, 2), (MAX_SIDE, MAX_SIDE)])
def test_absurd_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ReadError, match="no usable size"):
        check_size(*size, "a.mp4")
    check_size(MAX_SIDE, MAX_SIDE // 2, "a.mp4")
