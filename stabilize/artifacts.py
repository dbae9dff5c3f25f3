"""Motion on disk, and what every saved file says of the video that it was made from."""

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
from stabilize.archive import Archive, Kind, Shape, read_archive, write_archive
from stabilize.checks import require
from stabilize.core import FrameGeometry, Motion, Timeline
from stabilize.errors import InputError, file_errors
from stabilize.matches import Matches
from stabilize.motion.mesh import mesh_shape

MOTION = Kind(2, "a motion saved by `stabilize analyse`", "analyse again")
SAMPLE_BYTES = 1 << 20
MOST_MATCHES = 1 << 24  # 240 of every pair in 200 s at 340 frames a second
ARRAYS = tuple(f.name for f in fields(Motion) if f.name not in ("timeline", "geometry", "matches"))
MATCHES = tuple(f.name for f in fields(Matches))  # in the file as matches_pair and so on


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What file a motion belongs to: its length, and a hash of its first and last MiB."""

    size_bytes: int
    sha256: str


def fingerprint(path: str | os.PathLike[str]) -> Fingerprint:
    """Fingerprint of a regular file that is not empty; raises InputError where there is none that can be read."""
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
    """Write a motion under its final name only when complete."""
    arrays = {name: getattr(motion, name) for name in ARRAYS}
    arrays |= {f"matches_{name}": getattr(motion.matches, name) for name in MATCHES}
    header = video_header(motion.timeline, motion.geometry, source)
    write_archive(path, MOTION, header, {"pts": motion.timeline.pts} | arrays)


def load_motion(path: PathLike) -> tuple[Motion, Fingerprint | None]:
    """A saved motion and the fingerprint of its source; raises MotionError where the file is not one."""
    with read_archive(path, MOTION) as archive:
        timeline, geometry, source = video_of(archive)
        specs = _arrays(len(timeline), mesh_shape(geometry.half_extent))
        motion = Motion(timeline, geometry, **archive.arrays(specs), matches=_matches(archive))
    return motion, source


def video_header(timeline: Timeline, geometry: FrameGeometry, source: Fingerprint | None) -> dict[str, Any]:
    """The part of a header that says what video a file is for, and who made it; its `pts` are an array."""
    return {
        "versions": _versions(),
        "source": asdict(source) if source else None,
        "time_base": str(timeline.time_base),
        "geometry": asdict(geometry),
    }


def video_of(archive: Archive) -> tuple[Timeline, FrameGeometry, Fingerprint | None]:
    """What `video_header` and `pts` say. Raises one of `archive.DAMAGE`."""
    header = archive.header
    pts = archive.array("pts", np.int64, (None,))
    require(len(pts) > 0, "it has no frame")
    timeline = Timeline(pts, _time_base(header["time_base"]))
    return timeline, FrameGeometry(**header["geometry"]), _source(header["source"])


def _arrays(frames: int, mesh: tuple[int, int]) -> dict[str, tuple[type, Shape]]:
    """Type and shape of the arrays in the file of a motion of so many frames, with such a mesh; None is free."""
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


def _matches(archive: Archive) -> Matches:
    """Raises one of `archive.DAMAGE`."""
    pair = archive.array("matches_pair", np.int64, (None,), MOST_MATCHES)
    shapes = {"prev_unit": (len(pair), 2), "next_unit": (len(pair), 2), "weight": (len(pair),)}
    return Matches(pair, **{name: archive.array(f"matches_{name}", np.float32, shapes[name]) for name in shapes})


def _time_base(text: object) -> Fraction:
    """Of `n` or `n/m`: what else a Fraction takes may keep it busy for ever."""
    require(isinstance(text, str) and re.fullmatch(r"\d{1,10}(/\d{1,10})?", text) is not None, "its time base is none")
    return Fraction(str(text))


def _source(stated: object) -> Fingerprint | None:
    if stated is None:
        return None
    require(isinstance(stated, dict), "its source is no JSON object")
    source = Fingerprint(**stated)  # type: ignore[arg-type]
    require(isinstance(source.size_bytes, int) and isinstance(source.sha256, str), "its source is no fingerprint")
    return source


def _versions() -> dict[str, str | None]:
    """Of ourselves, and of the libraries as their distributions name them: None for one built by hand."""
    found: dict[str, str | None] = {"stabilize": __version__}
    for name in ("numpy", "opencv-contrib-python-headless", "av"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
