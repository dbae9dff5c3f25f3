"""A path on disk: all that a renderer and a report need, so that neither solves nor synchronises again."""

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

from stabilize.archive import Archive, Kind, Shape, read_archive, write_archive
from stabilize.artifacts import Fingerprint, video_header, video_of
from stabilize.checks import require
from stabilize.core import CameraPath, FrameGeometry, Timeline
from stabilize.fields.rotation import BANDS, CameraRotation
from stabilize.motion.mesh import mesh_shape
from stabilize.path.measure import Evidence, SolvedPath
from stabilize.path.rotation import RotationPath
from stabilize.path.similarity import SimilarityPath

PATH = Kind(1, "a path saved by `stabilize solve`", "solve again")
NOTES_BYTES, NOTE_CHARACTERS = 1 << 15, 1000  # a header has room for them, and a person no time for more
Arrays = dict[str, NDArray[Any]]
Shots = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    """How one kind of path lies in a file: its arrays, what else its header says, and the way back."""

    kind: type
    arrays: Callable[[Any], Arrays]
    more: Callable[[Any], Mapping[str, Any]]
    specs: Callable[[int, FrameGeometry], Mapping[str, tuple[type, Shape]]]
    read: Callable[[Timeline, FrameGeometry, Shots, Arrays, Any], SolvedPath]


def save_path(
    path: SolvedPath, evidence: Evidence, target: str | os.PathLike[str], source: Fingerprint | None = None
) -> None:
    """Write a path, and the evidence for a report, under its final name only when complete. Raises OutputError."""
    name, form = next((name, form) for name, form in FORMS.items() if isinstance(path, form.kind))
    header = video_header(path.timeline, path.geometry, source) | {
        "kind": name,
        "evidence": asdict(replace(evidence, notes=())),
        "notes": _fitting(evidence.notes),
        name: dict(form.more(path)),
    }
    arrays = {
        "pts": path.timeline.pts,
        "shot_stops": np.array([shot.stop for shot in path.shots], np.int64),
        **form.arrays(path),
    }
    write_archive(target, PATH, header, arrays)


def load_path(file: str | os.PathLike[str]) -> tuple[SolvedPath, Evidence, Fingerprint | None]:
    """A saved path, the evidence for a report, and the fingerprint of its source; raises MotionError where the file is
    none.
    """
    with read_archive(file, PATH) as archive:
        timeline, geometry, source = video_of(archive)
        name = archive.header["kind"]
        require(isinstance(name, str) and name in FORMS, f"its kind is {name!r:.20}, there are: {', '.join(FORMS)}")
        form, shots = FORMS[name], _shots(archive, len(timeline))
        arrays = archive.arrays(form.specs(len(timeline), geometry))
        path = form.read(timeline, geometry, shots, arrays, archive.header[name])
        return path, _evidence(archive), source


def _fitting(notes: tuple[str, ...]) -> list[str]:
    """As many notes as a header has room for."""
    kept: list[str] = []
    for note in notes:
        more = [*kept, note[:NOTE_CHARACTERS]]
        if len(json.dumps(more)) > NOTES_BYTES:
            break
        kept = more
    return kept


def _shots(archive: Archive, frames: int) -> Shots:
    stops = archive.array("shot_stops", np.int64, (None,), frames).tolist()
    return tuple(slice(start, stop) for start, stop in pairwise([0, *stops]))


def _evidence(archive: Archive) -> Evidence:
    stated = {**archive.header["evidence"], "notes": archive.header["notes"]}
    return msgspec.convert(stated, Evidence)


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


def _similarity(timeline: Timeline, geometry: FrameGeometry, shots: Shots, arrays: Arrays, _: object) -> SimilarityPath:
    crop_pose = arrays.pop("crop_pose")
    return SimilarityPath(CameraPath(timeline, geometry, shots=shots, **arrays), crop_pose)


def _rotation_arrays(path: RotationPath) -> Arrays:
    camera = path.camera
    arrays = {name: getattr(camera, name) for name in ("orientation", "line_turn", "line_shift")}
    return arrays | {"known": camera.known.astype(np.uint8), "virtual": path.virtual, "zoom": path.zoom}


def _rotation_facts(path: RotationPath) -> dict[str, Any]:
    camera = path.camera
    plain = {"by_columns": camera.by_columns, "gravity": camera.gravity, "focal": path.focal}
    return plain | {"lens": dict(camera.lens.facts())}


def _rotation_specs(frames: int, _: FrameGeometry) -> dict[str, tuple[type, Shape]]:
    return {
        "orientation": (np.float64, (frames, 3)),
        "line_turn": (np.float64, (frames, BANDS, 3)),
        "line_shift": (np.float64, (frames, BANDS, 2)),
        "known": (np.uint8, (frames,)),
        "virtual": (np.float64, (frames, 3)),
        "zoom": (np.float64, (frames,)),
    }


def _rotation(timeline: Timeline, geometry: FrameGeometry, shots: Shots, arrays: Arrays, facts: Any) -> RotationPath:
    from stabilize.gyroscope.lens import lens_from_facts  # most paths need nothing of `gyro`

    camera = CameraRotation(
        **{name: arrays[name] for name in ("orientation", "line_turn", "line_shift")},
        known=arrays["known"].astype(bool),
        by_columns=msgspec.convert(facts["by_columns"], bool),
        gravity=msgspec.convert(facts["gravity"], bool),
        half_extent=geometry.half_extent,
        lens=lens_from_facts(facts["lens"], geometry),
    )
    focal = msgspec.convert(facts["focal"], float)
    return RotationPath(timeline, geometry, shots, camera, arrays["virtual"], arrays["zoom"], focal)


FORMS = {
    "similarity": _Form(SimilarityPath, _similarity_arrays, lambda _: {}, _similarity_specs, _similarity),
    "rotation": _Form(RotationPath, _rotation_arrays, _rotation_facts, _rotation_specs, _rotation),
}
