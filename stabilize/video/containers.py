"""Which tracks each output container takes: an allow-list, since one unsupported track makes the muxer fail."""

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
_TEXT_SUBTITLES = frozenset({"subrip", "ass", "ssa", "webvtt", "text"})
_BITMAP_SUBTITLES = frozenset({"dvd_subtitle", "hdmv_pgs_subtitle", "dvb_subtitle"})
_MILLISECOND = Fraction(1, 1000)
_TELEMETRY = frozenset({"gpmd"})  # GoPro's telemetry
_COVER_CODECS = frozenset({"mjpeg", "png"})
_ALL_TAGS = frozenset({"colour", "matrix", "range", "aspect"})


@dataclass(frozen=True, slots=True)
class Container:
    """A muxer and what it supports."""

    muxer: str
    """FFmpeg's name."""
    video: frozenset[str]
    """Video codecs."""
    audio: frozenset[str]
    """Audio codecs."""
    subtitle: frozenset[str] = frozenset()
    """Subtitle codecs."""
    data: frozenset[str] = frozenset()
    """Four-character codes of data tracks."""
    attachments: bool = False
    """Whether it holds attached files."""
    covers: bool = False
    """Whether it holds cover images; as attachments if it has those."""
    chapters: bool = False
    """Whether it holds chapters."""
    rotation: bool = False
    """Whether it holds a display rotation."""
    timecode: bool = False
    """Whether it writes a time code track from metadata."""
    time_base: Fraction | None = None
    """The only time base that it stores; 0: one tick per frame; None: any."""
    negative_times: bool = False
    """Whether it stores times below zero."""
    options: tuple[tuple[str, str], ...] = ()
    """FFmpeg options of the muxer."""
    tags: frozenset[str] = frozenset()
    """Tags that it stores outside the bitstream (see `Encoder.tags`)."""
    sitings: frozenset[str] = frozenset()
    """Chroma sitings that it stores outside the bitstream."""
    separate_alpha: bool = False
    """Whether it holds additional packets for transparency, as VP9 needs."""
    audio_tracks_max: int | None = None
    """Largest number of audio tracks; None: no limit."""

    @property
    def is_matroska(self) -> bool:
        """Whether it is Matroska or its subset WebM."""
        return self.muxer in ("matroska", "webm")


_MP4 = Container(
    "mp4",
    frozenset({"h264", "hevc", "av1", "vp9"}),
    _MP4_AUDIO,
    frozenset({"mov_text", "dvd_subtitle"}),
    _TELEMETRY,
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
    _TELEMETRY,
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
    _TEXT_SUBTITLES | _BITMAP_SUBTITLES,
    attachments=True,
    covers=True,
    chapters=True,
    rotation=True,
    time_base=_MILLISECOND,
    tags=_ALL_TAGS,
    sitings=frozenset({"left", "center", "topleft", "top"}),
    separate_alpha=True,
)
_WEBM = Container(
    "webm",
    frozenset({"av1", "vp9"}),
    frozenset({"opus", "vorbis"}),
    frozenset({"webvtt"}),
    chapters=True,
    rotation=True,
    time_base=_MILLISECOND,
    tags=_ALL_TAGS,
    sitings=frozenset({"left", "center", "topleft", "top"}),
    separate_alpha=True,
)
_TS = Container(
    "mpegts",
    frozenset({"h264", "hevc"}),
    frozenset({"aac", "mp2", "mp3", "ac3", "eac3", "dts", "truehd", "opus"}),
    frozenset({"dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"}),
    time_base=Fraction(1, 90000),
)
_M2TS = replace(_TS, options=(("mpegts_m2ts_mode", "1"),))  # camcorders write 192-byte packets
_AVI = Container(
    "avi",
    frozenset({"h264", "ffv1"}),
    frozenset({"mp3", "mp2", "ac3", "pcm_s16le", "pcm_s24le", "pcm_u8"}),
    time_base=Fraction(0),
)
_FLV = Container("flv", frozenset({"h264"}), frozenset({"aac", "mp3"}), time_base=_MILLISECOND, audio_tracks_max=1)
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
    """Return the container for an output file name. Raises `UsageError` for an unsupported extension."""
    suffix = Path(path).suffix.lower()
    if suffix not in CONTAINERS:
        raise UsageError(
            f"{path}: cannot write {suffix or 'a file without extension'}; choose one of {', '.join(CONTAINERS)}"
        )
    return CONTAINERS[suffix]


def default_output(source: PathLike) -> Path:
    """Return `<stem>_stabilized.<ext>` beside the input; .mkv if the input's container is not supported."""
    path = Path(source)
    suffix = path.suffix if path.suffix.lower() in CONTAINERS else ".mkv"
    return path.with_name(f"{path.stem}_stabilized{suffix}")


def refusal(track: Track, container: Container) -> str | None:
    """Return why the container cannot hold a track other than the main video; None if it can."""
    if track.kind == "video":
        if not track.is_cover:
            return "only one video track is processed"
        is_supported = container.covers and track.codec in _COVER_CODECS
        return None if is_supported else f"{container.muxer} holds no cover images of this kind"
    if track.kind == "attachment":
        return None if container.attachments else f"{container.muxer} holds no attachments"
    if track.kind == "data":
        return _data_refusal(track, container)
    allowed = {"audio": container.audio, "subtitle": container.subtitle}.get(track.kind, frozenset())
    return None if track.codec in allowed else f"{container.muxer} cannot hold {track.codec} {track.kind}"


def _data_refusal(track: Track, container: Container) -> str | None:
    if is_regenerated(track, container) or track.tag in container.data:
        return None
    return f"{container.muxer} cannot hold {track.tag or track.codec} data"


def is_regenerated(track: Track, container: Container) -> bool:
    """Return whether the muxer generates this track from metadata.

    Copying QuickTime's time code or chapter track makes the muxer fail.
    """
    generated = {"tmcd": container.timecode, "text": container.chapters}
    return track.kind == "data" and generated.get(track.tag, False)


def check_tracks(info: MediaInfo, container: Container) -> list[tuple[Track, str | None]]:
    """Return all tracks but the main video, each with the reason why it is dropped (None: it is kept)."""
    checked, audio_tracks = [], 0
    for track in info.tracks:
        if track.index == info.video.index:
            continue
        reason = refusal(track, container)
        if reason is None and track.kind == "audio":
            audio_tracks += 1
            if container.audio_tracks_max is not None and audio_tracks > container.audio_tracks_max:
                reason = f"{container.muxer} holds no more than {container.audio_tracks_max} audio track"
        checked.append((track, reason))
    return checked
