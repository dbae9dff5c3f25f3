"""Paths saved and loaded; files that are none."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gyro.lens import Lens
from stabilize.artifacts import Fingerprint, save_motion
from stabilize.core import CameraPath, FrameGeometry, Timeline
from stabilize.errors import MotionError
from stabilize.fields.rotation import BANDS, CameraRotation
from stabilize.gyroscope.lens import UnitFrameLens
from stabilize.path.measure import Evidence, Shake, SolvedPath
from stabilize.path.rotation import RotationPath
from stabilize.path.similarity import SimilarityPath
from stabilize.path_file import load_path, save_path

FRAMES = 6
SOURCE = Fingerprint(12, "ab" * 32)
EVIDENCE = Evidence(2, True, 0.8, 0.7, Shake(1.0, 0.5), Shake(0.1, 0.05), ("left as filmed", "a log"))
Header = dict[str, Any]
Change = Callable[[Header, dict[str, Any]], object]


def similarity_path() -> SimilarityPath:
    rng = np.random.default_rng(0)
    step = rng.normal([1, 0, 0, 0], 0.01, (FRAMES - 1, 4))
    wobble = rng.normal(0, 0.01, (FRAMES, 10, 17, 2)).astype(np.float16)
    timeline = Timeline(np.array([3, 5, 9, 11, 13, 20], np.int64), Fraction(1001, 30000))
    shots = (slice(0, 4), slice(4, FRAMES))
    camera = CameraPath(timeline, FrameGeometry(640, 360, 1.5, 90), step, np.full(FRAMES - 1, 0.5), wobble, shots)
    return SimilarityPath(camera, rng.normal([0.8, 0, 0, 0], 0.01, (FRAMES, 4)))


def rotation_path() -> RotationPath:
    rng = np.random.default_rng(1)
    geometry, like = FrameGeometry(640, 360, 1.5, 90), similarity_path()
    K = np.array([[500.0, 0, 479.5], [0, 500, 179.5], [0, 0, 1]])
    camera = CameraRotation(
        orientation=rng.normal(0, 0.02, (FRAMES, 3)),
        line_turn=rng.normal(0, 0.002, (FRAMES, BANDS, 3)),
        line_shift=rng.normal(0, 0.002, (FRAMES, BANDS, 2)),
        by_columns=True,
        known=np.arange(FRAMES) > 0,
        gravity=True,
        half_extent=geometry.half_extent,
        lens=UnitFrameLens(Lens(960, 360, K, "polynomial", (-0.1, 0.01, 0, 0)), geometry.half_long_px),
    )
    virtual = rng.normal(0, 0.02, (FRAMES, 3))
    return RotationPath(like.timeline, geometry, like.shots, camera, virtual, rng.uniform(1.1, 1.3, FRAMES), 1.2)


PATHS: dict[str, Callable[[], SolvedPath]] = {"similarity": similarity_path, "rotation": rotation_path}
kinds = pytest.mark.parametrize("kind", PATHS)


def _saved(kind: str, folder: Path) -> Path:
    save_path(PATHS[kind](), EVIDENCE, folder / "path.npz", SOURCE)
    return folder / "path.npz"


@kinds
def test_a_saved_path_gives_the_same_fields(kind: str, tmp_path: Path) -> None:
    path = PATHS[kind]()
    loaded, evidence, source = load_path(_saved(kind, tmp_path))
    assert evidence == EVIDENCE and source == SOURCE
    assert loaded.geometry == path.geometry and loaded.shots == path.shots
    assert loaded.timeline.time_base == path.timeline.time_base
    for frame in range(FRAMES):
        for time_s in (path.timeline.time_at(frame), 0.02 if frame < 4 else 0.4):
            one, other = path.field(frame, time_s), loaded.field(frame, time_s)
            np.testing.assert_array_equal(one.source_px, other.source_px)
    np.testing.assert_array_equal(path.kept, loaded.kept)


def test_notes_without_end_do_not_make_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    noisy = Evidence(0, False, 1, 1, Shake(0, 0), Shake(0, 0), ("\N{VIDEO CAMERA}" * 5000,) * 5000)
    save_path(similarity_path(), noisy, tmp_path / "path.npz")
    assert load_path(tmp_path / "path.npz")[1].notes


def _changed(file: Path, change: Change) -> Path:
    with np.load(file) as data:
        arrays = dict(data)
    header = json.loads(arrays.pop("header").tobytes())
    change(header, arrays)
    np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return file


def _evidence(**parts: Any) -> Change:
    return lambda header, _: header["evidence"].update(parts)


def _stating(**parts: Any) -> Change:
    return lambda header, _: header.update(parts)


def _rotation(**parts: Any) -> Change:
    return lambda header, _: header["rotation"].update(parts)


def _lens(**parts: Any) -> Change:
    return lambda header, _: header["rotation"]["lens"].update(parts)


def _at(name: str, where: Any, value: Any) -> Change:
    return lambda _, arrays: arrays[name].__setitem__(where, value)


def _as(name: str, change: Callable[[Any], Any]) -> Change:
    return lambda _, arrays: arrays.update({name: change(arrays[name])})


CHANGES: dict[str, tuple[str, Change, str]] = {
    "another kind": ("similarity", _stating(kind="spline"), "kind"),
    "a kind that is no word": ("similarity", _stating(kind=["similarity"]), "kind"),
    "another schema": ("similarity", _stating(schema=99), "schema"),
    "no evidence": ("similarity", _stating(evidence=None), "mapping"),
    "evidence of another type": ("similarity", _evidence(unmeasured="two"), "int"),
    "evidence without end": ("similarity", _evidence(crop_kept=float("inf")), "finite"),
    "evidence that is no number": ("similarity", _evidence(crop_kept=float("nan")), "finite"),
    "shake below nothing": ("similarity", _evidence(shake_before={"shift_percent": -1, "roll_deg": 0}), "shake"),
    "notes that are none": ("similarity", _stating(notes=[1, 2]), "str"),
    "a turn of an eighth": ("similarity", lambda header, _: header["geometry"].update(rotation=45), "rotation"),
    "shots that overlap": ("similarity", _at("shot_stops", 0, 0), "shots"),
    "shots beyond the film": ("similarity", _at("shot_stops", 1, 7), "shots"),
    "no shots": ("similarity", _as("shot_stops", lambda stops: stops[:0]), "shots"),
    "more shots than frames": ("similarity", _as("shot_stops", lambda stops: np.arange(9)), "shape"),
    "no time": ("similarity", _as("pts", lambda pts: pts[:0]), "frame"),
    "a step without a scale": ("similarity", _at("step", 0, 0), "scale"),
    "a step that is no number": ("similarity", _at("step", 0, np.nan), "step"),
    "more than belief": ("similarity", _at("weight", 0, 2), "weight"),
    "a wobble without end": ("similarity", _at("wobble", (0, 0, 0, 0), np.inf), "wobble"),
    "another wobble": ("similarity", _as("wobble", lambda wobble: wobble[:, :5]), "wobble"),
    "a crop that is none": ("similarity", _at("crop_pose", 2, 0), "crop_pose"),
    "a crop beyond all bounds": ("similarity", _at("crop_pose", 2, 1e300), "crop_pose"),
    "a crop of no number": ("similarity", _at("crop_pose", 2, np.nan), "crop_pose"),
    "a lens of another model": ("rotation", _lens(model="mirror"), "model"),
    "a lens without a size": ("rotation", _lens(width=0), "0 x 360"),
    "a lens of words": ("rotation", _lens(width="wide"), "str"),
    "a lens of no length": ("rotation", _lens(K=[[0, 0, 0], [0, 0, 0], [0, 0, 1]]), "camera matrix"),
    "coefficients without end": ("rotation", _lens(coefficients=[1e300, 0, 0, 0]), "coefficient of 1e[+]300"),
    "coefficients by the thousand": ("rotation", _lens(coefficients=[0.0] * 1000), "coefficients"),
    "no focal length": ("rotation", _rotation(focal=0), "focal"),
    "a focal length of no number": ("rotation", _rotation(focal=float("nan")), "focal"),
    "columns that are perhaps": ("rotation", _rotation(by_columns="perhaps"), "bool"),
    "no zoom": ("rotation", _at("zoom", 0, 0), "zoom"),
    "a zoom of no number": ("rotation", _at("zoom", 0, np.nan), "zoom"),
    "a turn of many turns": ("rotation", _at("virtual", (0, 0), 1e9), "virtual"),
    "an orientation of no number": ("rotation", _at("orientation", (0, 0), np.nan), "orientation"),
    "a line that is elsewhere": ("rotation", _at("line_turn", (0, 3, 1), np.inf), "line_turn"),
    "a shift beyond the picture": ("rotation", _at("line_shift", (0, 3, 1), 5), "line_shift"),
    "other bands": ("rotation", _as("line_turn", lambda turn: turn[:, :5]), "line_turn"),
    "rotations whose shots overlap": ("rotation", _at("shot_stops", 0, 0), "shots"),
    "an array too few": ("similarity", lambda _, arrays: arrays.pop("crop_pose"), "crop_pose"),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind, change, said", CHANGES.values(), ids=CHANGES.keys())
def test_a_sound_archive_of_what_is_no_path_is_refused(kind: str, change: Change, said: str, tmp_path: Path) -> None:
    with pytest.raises(MotionError, match=said):
        load_path(_changed(_saved(kind, tmp_path), change))


@kinds
def test_what_is_only_written_anew_is_a_path(kind: str, tmp_path: Path) -> None:
    """Or the test above would refuse for a reason of its own."""
    assert load_path(_changed(_saved(kind, tmp_path), lambda *_: None))[1] == EVIDENCE


@kinds
def test_a_damaged_byte_anywhere_is_found_or_harmless(kind: str, tmp_path: Path) -> None:
    whole, rng = _saved(kind, tmp_path).read_bytes(), np.random.default_rng(0)
    file, fields = tmp_path / "damaged.npz", PATHS[kind]().field(1, 0.0).source_px
    for at, flip in zip(rng.integers(0, len(whole), 200), rng.integers(1, 256, 200), strict=True):
        damaged = bytearray(whole)
        damaged[at] ^= int(flip)
        file.write_bytes(damaged)
        try:
            loaded = load_path(file)[0]
        except MotionError:
            continue
        np.testing.assert_array_equal(loaded.field(1, 0.0).source_px, fields)


@kinds
def test_a_damaged_value_is_refused_or_gives_fields(kind: str, tmp_path: Path) -> None:
    """Under a checksum that agrees: whatever is let in must be fit for the whole way to the last pixel."""
    saved, rng = _saved(kind, tmp_path), np.random.default_rng(1)
    with zipfile.ZipFile(saved) as old:
        members = {name: old.read(name) for name in old.namelist()}
    file = tmp_path / "damaged.npz"
    for _ in range(150):
        name = str(rng.choice(sorted(members)))
        data = bytearray(members[name])
        data[rng.integers(len(data))] ^= int(rng.integers(1, 256))
        with zipfile.ZipFile(file, "w") as new:
            for member, content in members.items():
                new.writestr(member, bytes(data) if member == name else content)
        try:
            path = load_path(file)[0]
        except MotionError:
            continue
        for frame in range(FRAMES):
            assert np.isfinite(path.field(frame, path.timeline.time_at(frame)).source_px).all()


def test_a_motion_is_no_path_and_a_file_that_ends_is_none(tmp_path: Path) -> None:
    from tests.stabilize.test_artifacts import _motion

    save_motion(_motion(), tmp_path / "motion.npz")
    whole = _saved("similarity", tmp_path).read_bytes()
    (tmp_path / "short.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("a path")
    for name in ("motion.npz", "short.npz", "text.npz", "absent.npz"):
        with pytest.raises(MotionError):
            load_path(tmp_path / name)
