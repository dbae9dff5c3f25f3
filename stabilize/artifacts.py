"""Motion on disk: a .npz of plain arrays with a JSON header (schema, what it was made from, by which versions)."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from localfiles import local_file, pending_file
from stabilize.core import FrameGeometry, Matches, Motion, Timeline
from stabilize.errors import InputError, MotionError, OutputError, file_errors

SCHEMA = 2
LARGEST = 8 << 30
SAMPLE_BYTES = 1 << 20
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
    target = Path(path)
    header = {
        "schema": SCHEMA,
        "versions": {name: _version(name) for name in ("stabilize", "numpy", "opencv-contrib-python-headless", "av")},
        "source": asdict(source) if source else None,
        "time_base": str(motion.timeline.time_base),
        "geometry": asdict(motion.geometry),
    }
    arrays = {name: getattr(motion, name) for name in ARRAYS}
    arrays |= {f"matches_{name}": getattr(motion.matches, name) for name in MATCHES}
    try:
        with file_errors(), pending_file(target, overwrite=True) as pending, pending.open("wb") as file:
            np.savez_compressed(
                file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), pts=motion.timeline.pts, **arrays
            )
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror})") from error


def load_motion(path: str | os.PathLike[str]) -> tuple[Motion, Fingerprint | None]:
    """A saved motion and the fingerprint of its source; raises MotionError where the file is not one."""
    try:
        _check_size(path)
        with np.load(path, allow_pickle=False) as data:
            header = json.loads(bytes(data["header"]))
            if header["schema"] != SCHEMA:
                raise MotionError(f"{path}: schema {header['schema']}, this version reads {SCHEMA}; analyse again")
            timeline = Timeline(data["pts"], Fraction(header["time_base"]))
            matches = Matches(**{name: data[f"matches_{name}"] for name in MATCHES})
            arrays = {name: data[name] for name in ARRAYS}
            motion = Motion(timeline, FrameGeometry(**header["geometry"]), **arrays, matches=matches)
        source = Fingerprint(**header["source"]) if header["source"] else None
    except OSError as error:
        raise MotionError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError, ZeroDivisionError) as error:
        raise MotionError(f"{path}: is not a motion saved by `stabilize analyse` ({error})") from error
    return motion, source


def _check_size(path: str | os.PathLike[str]) -> None:
    """Refuse an archive that would unpack to more than any motion needs."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
            raise MotionError(f"{path}: unpacks to more than {LARGEST >> 30} GiB; that is no motion")


def _version(name: str) -> Any:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
