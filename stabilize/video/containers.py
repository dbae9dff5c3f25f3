"""Which tracks each output container takes: an allow-list, since a muxer that chokes on one track loses the whole file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stabilize.errors import UsageError
from stabilize.video.probe import MediaInfo, Track

_PCM = frozenset(f"pcm_{name}" for name in "s16le s16be s24le s24be s32le s32be f32le f32be f64le f64be u8 s8 alaw mulaw".split())
_MP4_AUDIO = frozenset("aac mp3 mp2 ac3 eac3 alac opus flac dts truehd vorbis".split())
_MKV_AUDIO = _MP4_AUDIO | {"wavpack", "tta", "amr_nb", "amr_wb", "adpcm_ima_wav", "adpcm_ms"} | _PCM - {"pcm_s8", "pcm_f32be", "pcm_f64be"}
_MKV_SUBTITLES = frozenset("subrip ass ssa webvtt dvd_subtitle hdmv_pgs_subtitle dvb_subtitle text".split())
_GYRO_DATA = frozenset({"gpmd"})  # GoPro's telemetry


@dataclass(frozen=True, slots=True)
class Container:
    """A muxer: the codecs that its tracks may have; `data` names tags of data tracks. `time_bases`: None if any, else what it rounds to."""

    muxer: str
    video: frozenset[str]
    audio: frozenset[str]
    subtitle: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()
    attachments: bool = False
    covers: bool = False
    chapters: bool = False
    rotation: bool = False
    timecode: bool = False
    milliseconds: bool = False  # stores times in 1/1000 s
    negative_times: bool = False


_MP4 = Container(
    "mp4",
    frozenset({"h264", "hevc", "av1", "vp9"}),
    _MP4_AUDIO,
    frozenset({"mov_text", "dvd_subtitle"}),
    _GYRO_DATA,
    covers=True,
    chapters=True,
    rotation=True,
    timecode=True,
    negative_times=True,
)
_MOV = Container(
    "mov",
    frozenset({"h264", "hevc", "av1", "vp9", "prores"}),
    _MP4_AUDIO - {"vorbis"} | _PCM | {"amr_nb", "adpcm_ima_qt"},
    frozenset({"mov_text", "eia_608"}),
    _GYRO_DATA,
    chapters=True,
    rotation=True,
    timecode=True,
    negative_times=True,
)
_MKV = Container(
    "matroska",
    frozenset({"h264", "hevc", "av1", "vp9", "prores", "ffv1"}),
    _MKV_AUDIO,
    _MKV_SUBTITLES,
    attachments=True,
    chapters=True,
    rotation=True,
    milliseconds=True,
)
_WEBM = Container(
    "webm",
    frozenset({"av1", "vp9"}),
    frozenset({"opus", "vorbis"}),
    frozenset({"webvtt"}),
    chapters=True,
    rotation=True,
    milliseconds=True,
)
_TS = Container(
    "mpegts",
    frozenset({"h264", "hevc"}),
    frozenset("aac mp2 mp3 ac3 eac3 dts truehd opus".split()),
    frozenset({"dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"}),
)
_AVI = Container("avi", frozenset({"h264", "ffv1"}), frozenset({"mp3", "mp2", "ac3", "pcm_s16le", "pcm_s24le", "pcm_u8", "aac"}))
_FLV = Container("flv", frozenset({"h264"}), frozenset({"aac", "mp3"}), milliseconds=True)
_3GP = Container("3gp", frozenset({"h264"}), frozenset({"aac", "amr_nb", "amr_wb"}), rotation=True, negative_times=True)
_NUT = Container("nut", frozenset({"h264", "hevc", "av1", "vp9", "ffv1"}), _MKV_AUDIO - {"truehd"})

CONTAINERS: dict[str, Container] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": _MOV,
    ".qt": _MOV,
    ".mkv": _MKV,
    ".webm": _WEBM,
    ".ts": _TS,
    ".mts": _TS,
    ".m2ts": _TS,
    ".avi": _AVI,
    ".flv": _FLV,
    ".3gp": _3GP,
    ".nut": _NUT,
}


def container_of(path: str | os.PathLike[str]) -> Container:
    """The container that the name of an output asks for; `UsageError` for a suffix that is not written here."""
    suffix = Path(path).suffix.lower()
    if suffix not in CONTAINERS:
        raise UsageError(f"{path}: cannot write {suffix or 'a file without suffix'}; choose one of {', '.join(CONTAINERS)}")
    return CONTAINERS[suffix]


def default_output(source: str | os.PathLike[str]) -> Path:
    """`<stem>_stabilized.<ext>` beside the input; .mkv where the input's container is not written here."""
    path = Path(source)
    suffix = path.suffix if path.suffix.lower() in CONTAINERS else ".mkv"
    return path.with_name(f"{path.stem}_stabilized{suffix}")


def refusal(track: Track, container: Container) -> str | None:
    """Why a track other than the main video cannot be copied into the container; None if it can, or is made anew from metadata."""
    if track.kind == "video":
        copyable = track.is_cover and container.covers and track.codec in ("mjpeg", "png")
        return None if copyable else "cover pictures are not kept here" if track.is_cover else "only one video track is stabilised"
    if track.kind == "attachment":
        return None if container.attachments else f"{container.muxer} has no attachments"
    if track.kind == "data":
        return _data_refusal(track, container)
    allowed = {"audio": container.audio, "subtitle": container.subtitle}.get(track.kind, frozenset())
    return None if track.codec in allowed else f"{container.muxer} cannot hold {track.codec} {track.kind}"


def _data_refusal(track: Track, container: Container) -> str | None:
    if is_remade(track, container) or track.tag in container.data:
        return None
    return f"{container.muxer} cannot hold {track.tag or track.codec} data"


def is_remade(track: Track, container: Container) -> bool:
    """Time code and chapter tracks of QuickTime are written anew by the muxer, from metadata; copied as they are they break it."""
    return track.kind == "data" and ((track.tag == "tmcd" and container.timecode) or (track.tag == "text" and container.chapters))


def carried(info: MediaInfo, container: Container) -> list[tuple[Track, str | None]]:
    """Every track but the main video, with the reason why it is left out of an output of this kind (None: it is kept)."""
    return [(track, refusal(track, container)) for track in info.tracks if track.index != info.video.index]
