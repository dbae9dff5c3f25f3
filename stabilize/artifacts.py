"""Save and load motions, and the header fields on the source video that all saved files share."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from localfiles import local_file
from localfiles.reading import PathLike
from stabilize import __version__
from stabilize.archive import Archive, FileKind, Shape, read_archive, write_archive
from stabilize.checks import require
from stabilize.core import FrameGeometry, Motion, Timeline
from stabilize.errors import InputError, file_errors
from stabilize.matches import Matches
from stabilize.motion.mesh import mesh_shape

MOTION = FileKind(2, "a motion saved by `stabilize analyse`", "analyse again")
SAMPLE_BYTES = 1 << 20
MATCHES_MAX = 1 << 24  # 240 per pair in 200 s at 340 frames/s
MOTION_ARRAYS = tuple(f.name for f in fields(Motion) if f.name not in ("timeline", "geometry", "matches"))
MATCH_ARRAYS = tuple(f.name for f in fields(Matches))  # stored as matches_pair and so on


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Identifies a video file."""

    size_bytes: int
    """Size of the file."""
    sha256: str
    """Hash of the size and the first and last MiB, in hexadecimal."""


def fingerprint(path: str | os.PathLike[str]) -> Fingerprint:
    """Compute the fingerprint of a file. Raises InputError unless it is a readable, regular, non-empty file."""
    try:
        with file_errors(), local_file(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest = hashlib.sha256(size.to_bytes(8, "big"))
            for start in (0, max(0, size - SAMPLE_BYTES)):
                file.seek(start)
                digest.update(file.read(SAMPLE_BYTES))
    except OSError as error:
        raise InputError(f"{os.fspath(path)}: cannot be read ({error.strerror})") from error
    return Fingerprint(size, digest.hexdigest())


def save_motion(motion: Motion, path: str | os.PathLike[str], source: Fingerprint | None = None) -> None:
    """Save a motion. The file gets its name only when it is complete. Raises OutputError."""
    arrays = {name: getattr(motion, name) for name in MOTION_ARRAYS}
    arrays |= {f"matches_{name}": getattr(motion.matches, name) for name in MATCH_ARRAYS}
    header = video_header(motion.timeline, motion.geometry, source)
    write_archive(path, MOTION, header, {"pts": motion.timeline.pts} | arrays)


def load_motion(path: PathLike) -> tuple[Motion, Fingerprint | None]:
    """Load a motion and the fingerprint of its source video. Raises MotionError if the file is not a valid motion."""
    with read_archive(path, MOTION) as archive:
        timeline, geometry, source = read_video_header(archive)
        specs = _array_specs(len(timeline), mesh_shape(geometry.half_extent))
        motion = Motion(timeline, geometry, **archive.arrays(specs), matches=_read_matches(archive))
    return motion, source


def video_header(timeline: Timeline, geometry: FrameGeometry, source: Fingerprint | None) -> dict[str, Any]:
    """Return the header fields on the source video and the versions. The pts are stored as an array."""
    return {
        "versions": _versions(),
        "source": asdict(source) if source else None,
        "time_base": str(timeline.time_base),
        "geometry": asdict(geometry),
    }


def read_video_header(archive: Archive) -> tuple[Timeline, FrameGeometry, Fingerprint | None]:
    """Read the fields of `video_header` and the array `pts`. Raises one of `archive.DAMAGE_ERRORS`."""
    header = archive.header
    pts = archive.array("pts", np.int64, (None,))
    require(len(pts) > 0, "it has no frames")
    timeline = Timeline(pts, _parse_time_base(header["time_base"]))
    return timeline, FrameGeometry(**header["geometry"]), _parse_source(header["source"])


def _array_specs(frames: int, mesh: tuple[int, int]) -> dict[str, tuple[type, Shape]]:
    """Return type and shape of the arrays of a motion with `frames` frames and meshes of shape `mesh`."""
    pairs = frames - 1
    return {
        "H_next_prev": (np.float64, (pairs, 3, 3)),
        "mesh": (np.float16, (pairs, *mesh, 2)),
        "status": (np.uint8, (pairs,)),
        "model": (np.uint8, (pairs,)),
        "coverage": (np.float32, (pairs,)),
        "residual": (np.float32, (pairs,)),
        "sharpness": (np.float32, (None,)),
    }


def _read_matches(archive: Archive) -> Matches:
    """Read the matches. Raises one of `archive.DAMAGE_ERRORS`."""
    pair = archive.array("matches_pair", np.int64, (None,), MATCHES_MAX)
    shapes = {"prev_unit": (len(pair), 2), "next_unit": (len(pair), 2), "weight": (len(pair),)}
    return Matches(pair, **{name: archive.array(f"matches_{name}", np.float32, shapes[name]) for name in shapes})


def _parse_time_base(text: object) -> Fraction:
    """Parse `n` or `n/m`. Other texts, such as 1e999999999, would make Fraction run for ever."""
    require(
        isinstance(text, str) and re.fullmatch(r"\d{1,10}(/\d{1,10})?", text) is not None, "its time base is invalid"
    )
    return Fraction(str(text))


def _parse_source(value: object) -> Fingerprint | None:
    if value is None:
        return None
    require(isinstance(value, dict), "its source is not a JSON object")
    source = Fingerprint(**value)  # type: ignore[arg-type]
    require(isinstance(source.size_bytes, int) and isinstance(source.sha256, str), "its source is not a fingerprint")
    return source


def _versions() -> dict[str, str | None]:
    """Return the versions of stabilize and of the libraries; None for a library without package metadata."""
    versions: dict[str, str | None] = {"stabilize": __version__}
    for name in ("numpy", "opencv-contrib-python-headless", "av"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return versions
