"""What is in a file, and what a run would write."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from stabilize.cli.names import default_output
from stabilize.config import Config
from stabilize.video.codecs import Encoding
from stabilize.video.containers import check_tracks, is_regenerated
from stabilize.video.plan import OutputPlan, plan_output
from stabilize.video.probe import MediaInfo, Track


@dataclass(frozen=True, slots=True)
class Plan:
    """A file, and the output that a run would write with the given settings."""

    info: MediaInfo
    """Content of the file."""
    output: OutputPlan
    """The output."""
    tracks: tuple[tuple[Track, str | None], ...]
    """All tracks but the video, each with the reason why it is left out (None: it is kept)."""


def plan(info: MediaInfo, target: Path | None, config: Config) -> Plan:
    """Plan the output. Raises UsageError for settings that the video or the container does not allow."""
    output = plan_output(info, target or default_output(info.path, config.encode.codec), config.encode)
    return Plan(info, output, tuple(check_tracks(info, output.container)))


def as_dict(plan: Plan) -> dict[str, Any]:
    """The plan as plain values for JSON; fractions become text."""
    info, output, encoding = plan.info, plan.output, plan.output.encoding
    return {
        "path": str(info.path),
        "container": info.container,
        "size_bytes": info.size_bytes,
        "duration_s": info.duration_s,
        "video": _plain(asdict(info.video) | {"layout": info.video.layout.name}),
        "tracks": [asdict(track) | {"kept": reason is None, "reason": reason or ""} for track, reason in plan.tracks],
        "chapters": [asdict(chapter) for chapter in info.chapters],
        "metadata": info.metadata,
        "output": {
            "path": str(output.target),
            "exists": output.target.exists(),
            "container": output.container.muxer,
            "codec": encoding.encoder.codec,
            "encoder": encoding.encoder.library,
            "pix_fmt": encoding.pix_fmt,
            "width": encoding.size[0],
            "height": encoding.size[1],
            "options": encoding.options,
        },
        "warnings": list(output.warnings),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Fraction) else value


def rows(plan: Plan) -> list[tuple[str, str]]:
    """Rows (label, text) of a table. Strings from the file are not escaped."""
    info, output = plan.info, plan.output
    return [
        ("container", f"{info.container}, {_size(info.size_bytes)}, {info.duration_s:.2f} s"),
        ("video", _video(info)),
        ("colour", _colour(info)),
        *(("chapter", f"{c.start_s:.2f} to {c.end_s:.2f} s {c.title}".rstrip()) for c in info.chapters),
        *(
            (f"track {track.index}", f"{_track(track)}: {_track_handling(track, reason, plan)}")
            for track, reason in plan.tracks
        ),
        ("output", f"{output.target}{' (exists already)' if output.target.exists() else ''}"),
        ("written as", _encoding(output.encoding)),
        *(("warning", warning) for warning in output.warnings),
    ]


def _track_handling(track: Track, reason: str | None, plan: Plan) -> str:
    if reason is not None:
        return f"LEFT OUT: {reason}"
    return "written anew" if is_regenerated(track, plan.output.container) else "kept"


def _video(info: MediaInfo) -> str:
    video = info.video
    variable = ", variable rate" if video.variable_rate else ""
    facts = [
        " ".join(filter(None, (video.codec, video.profile))),
        f"{video.width}x{video.height}",
        video.pix_fmt,
        f"{float(video.average_rate):.6g} frames/s{variable}",
        f"about {video.frames} frames" if video.frames else "",
        f"pixel aspect ratio {video.sample_aspect_ratio}" if video.sample_aspect_ratio != 1 else "",
        f"rotated by {video.rotation} degrees" if video.rotation else "",
        "interlaced" if video.interlaced else "",
    ]
    return ", ".join(filter(None, facts))


def _colour(info: MediaInfo) -> str:
    colour = info.video.colour
    range_name = {1: "limited", 2: "full"}.get(colour.range, "unspecified")
    hdr = ", HDR10 mastering data" if info.video.hdr else ""
    return (
        f"primaries {colour.primaries_name}, transfer {colour.transfer_name}, matrix {colour.matrix_name}, "
        f"{range_name} range, chroma {colour.chroma_location}{hdr}"
    )


def _track(track: Track) -> str:
    title = f'"{track.title}"' if track.title else ""
    return " ".join(filter(None, (track.kind, track.codec, track.tag, track.language, title)))


def _encoding(encoding: Encoding) -> str:
    options = " ".join(f"{key}={value}" for key, value in encoding.options.items() if value)
    width, height = encoding.size
    return f"{encoding.encoder.codec} by {encoding.encoder.library}, {width}x{height} {encoding.pix_fmt}, {options}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.1f} kB"
