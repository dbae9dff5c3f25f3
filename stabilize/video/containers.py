"""Which tracks each output container takes: an allow-list, since a muxer that chokes on one track loses all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from localfiles.reading import PathLike
from stabilize.errors import UsageError
from stabilize.video.probe import MediaInfo, Track

_MP4_AUDIO = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "alac", "opus", "flac", "dts", "truehd", "vorbis"})
_MKV_PCM = frozenset(
    f"pcm_{name}" for name in ("u8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f64le")
)
_MOV_PCM = _MKV_PCM | {"pcm_s8", "pcm_f32be", "pcm_f64be", "pcm_alaw", "pcm_mulaw"}
_MKV_AUDIO = _MP4_AUDIO | _MKV_PCM | {"wavpack", "tta", "amr_nb", "amr_wb"}
_MKV_TEXT = frozenset({"subrip", "ass", "ssa", "webvtt", "text"})
_BITMAPS = frozenset({"dvd_subtitle", "hdmv_pgs_subtitle", "dvb_subtitle"})
_MILLISECOND = Fraction(1, 1000)
_GYRO_DATA = frozenset({"gpmd"})  # GoPro's telemetry
_COVERS = frozenset({"mjpeg", "png"})
_ALL_TAGS = frozenset({"colour", "matrix", "range", "shape"})


@dataclass(frozen=True, slots=True)
class Container:
    """A muxer: the codecs that its tracks may have; `data` names tags of data tracks.

    `tags` and `sitings`: what it says of the pictures itself, whatever the encoder writes into them (see `Encoder`).
    """

    muxer: str
    video: frozenset[str]
    audio: frozenset[str]
    subtitle: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()
    attachments: bool = False
    covers: bool = False  # pictures attached to the file; where `attachments` is set, as attachments
    chapters: bool = False
    rotation: bool = False
    timecode: bool = False
    clock: Fraction | None = None  # the only time base that it stores; 0 means one tick a frame
    negative_times: bool = False
    options: tuple[tuple[str, str], ...] = ()  # for the muxer
    tags: frozenset[str] = frozenset()
    sitings: frozenset[str] = frozenset()
    side_alpha: bool = False  # room beside each packet for a second one, in which VP9 keeps transparency
    most_sounds: int | None = None

    @property
    def is_matroska(self) -> bool:
        return self.muxer in ("matroska", "webm")


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
    tags=_ALL_TAGS,
)
_MOV = Container(
    "mov",
    frozenset({"h264", "hevc", "prores"}),
    _MP4_AUDIO - {"vorbis", "opus", "flac"} | _MOV_PCM | {"amr_nb"},
    frozenset({"mov_text", "eia_608"}),
    _GYRO_DATA,
    chapters=True,
    rotation=True,
    timecode=True,
    negative_times=True,
    tags=_ALL_TAGS,
)
_MKV = Container(
    "matroska",
    frozenset({"h264", "hevc", "av1", "vp9", "prores", "ffv1"}),
    _MKV_AUDIO,
    _MKV_TEXT | _BITMAPS,
    attachments=True,
    covers=True,
    chapters=True,
    rotation=True,
    clock=_MILLISECOND,
    tags=_ALL_TAGS,
    sitings=frozenset({"left", "center", "topleft", "top"}),
    side_alpha=True,
)
_WEBM = Container(
    "webm",
    frozenset({"av1", "vp9"}),
    frozenset({"opus", "vorbis"}),
    frozenset({"webvtt"}),
    chapters=True,
    rotation=True,
    clock=_MILLISECOND,
    tags=_ALL_TAGS,
    sitings=frozenset({"left", "center", "topleft", "top"}),
    side_alpha=True,
)
_TS = Container(
    "mpegts",
    frozenset({"h264", "hevc"}),
    frozenset({"aac", "mp2", "mp3", "ac3", "eac3", "dts", "truehd", "opus"}),
    frozenset({"dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"}),
    clock=Fraction(1, 90000),
)
_M2TS = replace(_TS, options=(("mpegts_m2ts_mode", "1"),))  # camcorders write packets of 192 bytes
_AVI = Container(
    "avi",
    frozenset({"h264", "ffv1"}),
    frozenset({"mp3", "mp2", "ac3", "pcm_s16le", "pcm_s24le", "pcm_u8"}),
    clock=Fraction(0),
)
_FLV = Container("flv", frozenset({"h264"}), frozenset({"aac", "mp3"}), clock=_MILLISECOND, most_sounds=1)
_3GP = Container("3gp", frozenset({"h264"}), frozenset({"aac", "amr_nb", "amr_wb"}), rotation=True, negative_times=True)
_NUT = Container(
    "nut", frozenset({"h264", "hevc", "av1", "vp9", "ffv1"}), _MKV_AUDIO - {"truehd", "alac", "eac3", "tta"}
)

CONTAINERS: dict[str, Container] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": _MOV,
    ".qt": _MOV,
    ".mkv": _MKV,
    ".webm": _WEBM,
    ".ts": _TS,
    ".mts": _M2TS,
    ".m2ts": _M2TS,
    ".avi": _AVI,
    ".flv": _FLV,
    ".3gp": _3GP,
    ".nut": _NUT,
}


def container_of(path: PathLike) -> Container:
    """The container that the name of an output asks for; `UsageError` for a suffix that is not written here."""
    suffix = Path(path).suffix.lower()
    if suffix not in CONTAINERS:
        raise UsageError(
            f"{path}: cannot write {suffix or 'a file without suffix'}; choose one of {', '.join(CONTAINERS)}"
        )
    return CONTAINERS[suffix]


def default_output(source: PathLike) -> Path:
    """`<stem>_stabilized.<ext>` beside the input; .mkv where the input's container is not written here."""
    path = Path(source)
    suffix = path.suffix if path.suffix.lower() in CONTAINERS else ".mkv"
    return path.with_name(f"{path.stem}_stabilized{suffix}")


def refusal(track: Track, container: Container) -> str | None:
    """Why a track other than the main video cannot be kept in the container; None if it can."""
    if track.kind == "video":
        if not track.is_cover:
            return "only one video track is processed"
        kept = container.covers and track.codec in _COVERS
        return None if kept else f"{container.muxer} has no cover pictures of this kind"
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
    """Whether the muxer writes this track anew from metadata: a copy of QuickTime's time code or chapters breaks it."""
    remade = {"tmcd": container.timecode, "text": container.chapters}
    return track.kind == "data" and remade.get(track.tag, False)


def carried(info: MediaInfo, container: Container) -> list[tuple[Track, str | None]]:
    """Every track but the main video, with the reason why it is left out of such an output (None: it is kept)."""
    verdicts, sounds = [], 0
    for track in info.tracks:
        if track.index == info.video.index:
            continue
        reason = refusal(track, container)
        if reason is None and track.kind == "audio":
            sounds += 1
            if container.most_sounds is not None and sounds > container.most_sounds:
                reason = f"{container.muxer} holds no more than {container.most_sounds} sound track"
        verdicts.append((track, reason))
    return verdicts
