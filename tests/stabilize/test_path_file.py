"""Paths are saved and loaded; other files are refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
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
EVIDENCE = Evidence(
    unmeasured=2,
    gyro_used=True,
    crop_kept=0.8,
    least_crop_kept=0.7,
    shake_before=Shake(1.0, 0.5),
    shake_after=Shake(0.1, 0.05),
    crop_breathing=0.4,
    crop_limit=0.2,
    at_crop_limit=0.6,
    notes=("left as filmed", "a log"),
)
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
        wobble=rng.normal(0, 0.002, (FRAMES, 10, 17, 2)).astype(np.float16),
    )
    virtual = rng.normal(0, 0.02, (FRAMES, 3))
    return RotationPath(like.timeline, geometry, like.shots, camera, virtual, rng.uniform(1.1, 1.3, FRAMES), 1.2)


PATHS: dict[str, Callable[[], SolvedPath]] = {"similarity": similarity_path, "rotation": rotation_path}
kinds = pytest.mark.parametrize("kind", PATHS)


def _save(kind: str, folder: Path) -> Path:
    save_path(PATHS[kind](), EVIDENCE, folder / "path.npz", SOURCE)
    return folder / "path.npz"


@kinds
def test_saved_path_gives_the_same_fields(kind: str, tmp_path: Path) -> None:
    path = PATHS[kind]()
    loaded, evidence, source = load_path(_save(kind, tmp_path))
    assert evidence == EVIDENCE and source == SOURCE
    assert loaded.geometry == path.geometry and loaded.shots == path.shots
    assert loaded.timeline.time_base == path.timeline.time_base
    for frame in range(FRAMES):
        for time_s in (path.timeline.time_at(frame), 0.02 if frame < 4 else 0.4):
            expected_field, loaded_field = path.field(frame, time_s), loaded.field(frame, time_s)
            np.testing.assert_array_equal(expected_field.source_px, loaded_field.source_px)
    np.testing.assert_array_equal(path.width_share, loaded.width_share)


def test_path_with_very_long_notes_can_be_loaded(tmp_path: Path) -> None:
    noisy = replace(EVIDENCE, notes=("\N{VIDEO CAMERA}" * 5000,) * 5000)
    save_path(similarity_path(), noisy, tmp_path / "path.npz")
    assert load_path(tmp_path / "path.npz")[1].notes


def _rewrite(file: Path, change: Change) -> Path:
    with np.load(file) as data:
        arrays = dict(data)
    header = json.loads(arrays.pop("header").tobytes())
    change(header, arrays)
    np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return file


def _set_evidence(**parts: Any) -> Change:
    return lambda header, _: header["evidence"].update(parts)


def _set_header(**parts: Any) -> Change:
    return lambda header, _: header.update(parts)


def _set_rotation(**parts: Any) -> Change:
    return lambda header, _: header["rotation"].update(parts)


def _set_lens(**parts: Any) -> Change:
    return lambda header, _: header["rotation"]["lens"].update(parts)


def _set_item(name: str, where: Any, value: Any) -> Change:
    return lambda _, arrays: arrays[name].__setitem__(where, value)


def _set_array(name: str, change: Callable[[Any], Any]) -> Change:
    return lambda _, arrays: arrays.update({name: change(arrays[name])})


CHANGES: dict[str, tuple[str, Change, str]] = {
    "kind unknown": ("similarity", _set_header(kind="spline"), "kind"),
    "kind list": ("similarity", _set_header(kind=["similarity"]), "kind"),
    "schema unknown": ("similarity", _set_header(schema=99), "schema"),
    "evidence missing": ("similarity", _set_header(evidence=None), "mapping"),
    "evidence string": ("similarity", _set_evidence(unmeasured="two"), "int"),
    "evidence infinite": ("similarity", _set_evidence(crop_kept=float("inf")), "finite"),
    "evidence not a number": ("similarity", _set_evidence(crop_kept=float("nan")), "finite"),
    "breathing infinite": ("similarity", _set_evidence(crop_breathing=float("inf")), "finite"),
    "crop limit negative": ("similarity", _set_evidence(crop_limit=-0.1), "finite"),
    "frames at the limit not a number": ("similarity", _set_evidence(at_crop_limit=float("nan")), "finite"),
    "shake negative": ("similarity", _set_evidence(shake_before={"shift_percent": -1, "roll_deg": 0}), "shake"),
    "notes of numbers": ("similarity", _set_header(notes=[1, 2]), "str"),
    "rotation of 45 degrees": ("similarity", lambda header, _: header["geometry"].update(rotation=45), "rotation"),
    "shots overlap": ("similarity", _set_item("shot_stops", 0, 0), "shots"),
    "shots beyond the last frame": ("similarity", _set_item("shot_stops", 1, 7), "shots"),
    "shots empty": ("similarity", _set_array("shot_stops", lambda stops: stops[:0]), "shots"),
    "more shots than frames": ("similarity", _set_array("shot_stops", lambda stops: np.arange(9)), "shape"),
    "pts empty": ("similarity", _set_array("pts", lambda pts: pts[:0]), "frame"),
    "step scale zero": ("similarity", _set_item("step", 0, 0), "scale"),
    "step not a number": ("similarity", _set_item("step", 0, np.nan), "step"),
    "weight above 1": ("similarity", _set_item("weight", 0, 2), "weight"),
    "wobble infinite": ("similarity", _set_item("wobble", (0, 0, 0, 0), np.inf), "wobble"),
    "wobble shape": ("similarity", _set_array("wobble", lambda wobble: wobble[:, :5]), "wobble"),
    "crop pose zero": ("similarity", _set_item("crop_pose", 2, 0), "crop_pose"),
    "crop pose too large": ("similarity", _set_item("crop_pose", 2, 1e300), "crop_pose"),
    "crop pose not a number": ("similarity", _set_item("crop_pose", 2, np.nan), "crop_pose"),
    "lens model unknown": ("rotation", _set_lens(model="mirror"), "model"),
    "lens width zero": ("rotation", _set_lens(width=0), "0 x 360"),
    "lens width string": ("rotation", _set_lens(width="wide"), "str"),
    "lens focal length zero": ("rotation", _set_lens(K=[[0, 0, 0], [0, 0, 0], [0, 0, 1]]), "camera matrix"),
    "lens coefficient too large": ("rotation", _set_lens(coefficients=[1e300, 0, 0, 0]), "coefficient of 1e[+]300"),
    "too many lens coefficients": ("rotation", _set_lens(coefficients=[0.0] * 1000), "coefficients"),
    "focal length zero": ("rotation", _set_rotation(focal=0), "focal"),
    "focal length not a number": ("rotation", _set_rotation(focal=float("nan")), "focal"),
    "by_columns string": ("rotation", _set_rotation(by_columns="perhaps"), "bool"),
    "zoom zero": ("rotation", _set_item("zoom", 0, 0), "zoom"),
    "zoom not a number": ("rotation", _set_item("zoom", 0, np.nan), "zoom"),
    "wobble of a rotation infinite": ("rotation", _set_item("wobble", (0, 0, 0, 0), np.inf), "wobble"),
    "virtual camera angle too large": ("rotation", _set_item("virtual", (0, 0), 1e9), "virtual"),
    "orientation not a number": ("rotation", _set_item("orientation", (0, 0), np.nan), "orientation"),
    "line rotation infinite": ("rotation", _set_item("line_turn", (0, 3, 1), np.inf), "line_turn"),
    "line shift too large": ("rotation", _set_item("line_shift", (0, 3, 1), 5), "line_shift"),
    "line rotation shape": ("rotation", _set_array("line_turn", lambda turn: turn[:, :5]), "line_turn"),
    "shots of rotations overlap": ("rotation", _set_item("shot_stops", 0, 0), "shots"),
    "array missing": ("similarity", lambda _, arrays: arrays.pop("crop_pose"), "crop_pose"),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind, change, message", CHANGES.values(), ids=CHANGES.keys())
def test_valid_archive_with_invalid_path_is_refused(kind: str, change: Change, message: str, tmp_path: Path) -> None:
    with pytest.raises(MotionError, match=message):
        load_path(_rewrite(_save(kind, tmp_path), change))


@kinds
def test_rewritten_path_without_changes_is_loaded(kind: str, tmp_path: Path) -> None:
    """Otherwise the test above would not prove anything."""
    assert load_path(_rewrite(_save(kind, tmp_path), lambda *_: None))[1] == EVIDENCE


@kinds
def test_damaged_byte_is_detected_or_harmless(kind: str, tmp_path: Path) -> None:
    whole, rng = _save(kind, tmp_path).read_bytes(), np.random.default_rng(0)
    file, fields = tmp_path / "damaged.npz", PATHS[kind]().field(1, 0.0).source_px
    for position, flip in zip(rng.integers(0, len(whole), 200), rng.integers(1, 256, 200), strict=True):
        damaged = bytearray(whole)
        damaged[position] ^= int(flip)
        file.write_bytes(damaged)
        try:
            loaded = load_path(file)[0]
        except MotionError:
            continue
        np.testing.assert_array_equal(loaded.field(1, 0.0).source_px, fields)


@kinds
def test_damaged_value_is_refused_or_gives_finite_fields(kind: str, tmp_path: Path) -> None:
    """With valid checksums: whatever is accepted must give finite pixel coordinates."""
    saved, rng = _save(kind, tmp_path), np.random.default_rng(1)
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


def test_files_that_are_not_paths_are_refused(tmp_path: Path) -> None:
    from tests.stabilize.test_artifacts import make_motion

    save_motion(make_motion(), tmp_path / "motion.npz")
    whole = _save("similarity", tmp_path).read_bytes()
    (tmp_path / "short.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.npz").write_text("a path")
    for name in ("motion.npz", "short.npz", "text.npz", "absent.npz"):
        with pytest.raises(MotionError):
            load_path(tmp_path / name)
