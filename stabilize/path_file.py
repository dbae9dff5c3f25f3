"""Save and load paths, with all that rendering and reports need, so that nothing is solved or synchronised again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stabilize.archive import Archive, FileKind, Shape, read_archive, write_archive
from stabilize.artifacts import Fingerprint, read_video_header, video_header
from stabilize.checks import require
from stabilize.core import CameraPath, FrameGeometry, Timeline
from stabilize.fields.rotation import BANDS, CameraRotation
from stabilize.motion.mesh import mesh_shape
from stabilize.path.measure import Evidence, SolvedPath
from stabilize.path.rotation import RotationPath
from stabilize.path.similarity import SimilarityPath

PATH = FileKind(2, "a path saved by `stabilize solve`", "solve again")
NOTES_BYTES_MAX, NOTE_CHARACTERS_MAX = 1 << 15, 1000  # so that they fit into the header, and are readable
Arrays = dict[str, NDArray[Any]]
Shots = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class _PathFormat:
    """How one type of path is stored in a file."""

    kind: type
    """Class of the path."""
    arrays: Callable[[Any], Arrays]
    """Arrays to store, from a path."""
    facts: Callable[[Any], Mapping[str, Any]]
    """Header fields to store, from a path."""
    specs: Callable[[int, FrameGeometry], Mapping[str, tuple[type, Shape]]]
    """Types and shapes of the arrays, from the number of frames and the geometry."""
    read: Callable[[Timeline, FrameGeometry, Shots, Arrays, Any], SolvedPath]
    """The path, from what was stored."""


def save_path(
    path: SolvedPath, evidence: Evidence, target: str | os.PathLike[str], source: Fingerprint | None = None
) -> None:
    """Save a path and its evidence. The file gets its name only when it is complete. Raises OutputError."""
    name, fmt = next((name, fmt) for name, fmt in PATH_FORMATS.items() if isinstance(path, fmt.kind))
    header = video_header(path.timeline, path.geometry, source) | {
        "kind": name,
        "evidence": asdict(replace(evidence, notes=())),
        "notes": _limit_notes(evidence.notes),
        name: dict(fmt.facts(path)),
    }
    arrays = {
        "pts": path.timeline.pts,
        "shot_stops": np.array([shot.stop for shot in path.shots], np.int64),
        **fmt.arrays(path),
    }
    write_archive(target, PATH, header, arrays)


def load_path(file: str | os.PathLike[str]) -> tuple[SolvedPath, Evidence, Fingerprint | None]:
    """Load a path, its evidence, and the fingerprint of its source video.

    Raises MotionError if the file is not a valid path.
    """
    with read_archive(file, PATH) as archive:
        timeline, geometry, source = read_video_header(archive)
        name = archive.header["kind"]
        require(
            isinstance(name, str) and name in PATH_FORMATS,
            f"its kind is {name!r:.20}, not one of: {', '.join(PATH_FORMATS)}",
        )
        fmt, shots = PATH_FORMATS[name], _read_shots(archive, len(timeline))
        arrays = archive.arrays(fmt.specs(len(timeline), geometry))
        path = fmt.read(timeline, geometry, shots, arrays, archive.header[name])
        return path, _read_evidence(archive), source


def _limit_notes(notes: tuple[str, ...]) -> list[str]:
    """Return as many notes as fit into the header, each of limited length."""
    limited: list[str] = []
    for note in notes:
        longer = [*limited, note[:NOTE_CHARACTERS_MAX]]
        if len(json.dumps(longer)) > NOTES_BYTES_MAX:
            break
        limited = longer
    return limited


def _read_shots(archive: Archive, frames: int) -> Shots:
    stops = archive.array("shot_stops", np.int64, (None,), frames).tolist()
    return tuple(slice(start, stop) for start, stop in pairwise([0, *stops]))


def _read_evidence(archive: Archive) -> Evidence:
    fields = {**archive.header["evidence"], "notes": archive.header["notes"]}
    return msgspec.convert(fields, Evidence)


def _similarity_arrays(path: SimilarityPath) -> Arrays:
    camera = path.camera
    return {"step": camera.step, "weight": camera.weight, "wobble": camera.wobble, "crop_pose": path.crop_pose}


def _similarity_specs(frames: int, geometry: FrameGeometry) -> dict[str, tuple[type, Shape]]:
    return {
        "step": (np.float64, (frames - 1, 4)),
        "weight": (np.float64, (frames - 1,)),
        "wobble": (np.float16, (frames, *mesh_shape(geometry.half_extent), 2)),
        "crop_pose": (np.float64, (frames, 4)),
    }


def _read_similarity(
    timeline: Timeline, geometry: FrameGeometry, shots: Shots, arrays: Arrays, _: object
) -> SimilarityPath:
    crop_pose = arrays.pop("crop_pose")
    return SimilarityPath(CameraPath(timeline, geometry, shots=shots, **arrays), crop_pose)


def _rotation_arrays(path: RotationPath) -> Arrays:
    camera = path.camera
    arrays = {name: getattr(camera, name) for name in ("orientation", "line_turn", "line_shift")}
    shape = (len(path.timeline), *mesh_shape(path.geometry.half_extent), 2)
    arrays["wobble"] = np.zeros(shape, np.float16) if camera.wobble is None else camera.wobble
    return arrays | {"known": camera.known.astype(np.uint8), "virtual": path.virtual, "zoom": path.zoom}


def _rotation_facts(path: RotationPath) -> dict[str, Any]:
    camera = path.camera
    scalars = {"by_columns": camera.by_columns, "gravity": camera.gravity, "focal": path.focal}
    return scalars | {"lens": dict(camera.lens.facts())}


def _rotation_specs(frames: int, geometry: FrameGeometry) -> dict[str, tuple[type, Shape]]:
    return {
        "orientation": (np.float64, (frames, 3)),
        "line_turn": (np.float64, (frames, BANDS, 3)),
        "line_shift": (np.float64, (frames, BANDS, 2)),
        "wobble": (np.float16, (frames, *mesh_shape(geometry.half_extent), 2)),
        "known": (np.uint8, (frames,)),
        "virtual": (np.float64, (frames, 3)),
        "zoom": (np.float64, (frames,)),
    }


def _read_rotation(
    timeline: Timeline, geometry: FrameGeometry, shots: Shots, arrays: Arrays, facts: Any
) -> RotationPath:
    from stabilize.gyroscope.lens import lens_from_facts  # most paths need nothing of `gyro`

    camera = CameraRotation(
        orientation=arrays["orientation"],
        line_turn=arrays["line_turn"],
        line_shift=arrays["line_shift"],
        known=arrays["known"].astype(bool),
        by_columns=msgspec.convert(facts["by_columns"], bool),
        gravity=msgspec.convert(facts["gravity"], bool),
        half_extent=geometry.half_extent,
        lens=lens_from_facts(facts["lens"], geometry),
        wobble=arrays["wobble"] if arrays["wobble"].any() else None,
    )
    focal = msgspec.convert(facts["focal"], float)
    return RotationPath(timeline, geometry, shots, camera, arrays["virtual"], arrays["zoom"], focal)


PATH_FORMATS = {
    "similarity": _PathFormat(SimilarityPath, _similarity_arrays, lambda _: {}, _similarity_specs, _read_similarity),
    "rotation": _PathFormat(RotationPath, _rotation_arrays, _rotation_facts, _rotation_specs, _read_rotation),
}
