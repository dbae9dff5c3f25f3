"""Motions are saved and loaded; other files are refused."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stabilize import solve
from stabilize.artifacts import MATCH_ARRAYS, MOTION, fingerprint, load_motion, save_motion
from stabilize.core import FrameGeometry, Motion, MotionModel, PairStatus, Timeline
from stabilize.errors import InputError, MotionError, SolveError
from stabilize.matches import Matches
from stabilize.path.similarity import SimilarityPath

HOSTILE = Path(__file__).parents[3] / "shared" / "data" / "hostile"
HOSTILE_MOTIONS = ["H_next_prev_zeros", "deepjson", "encrypted", "flip2", "geo_width_nan", "geo_width_st"]
HOSTILE_MOTIONS += ["hugeshape", "method99", "notnpy", "tb_big"]
Header = dict[str, Any]


def make_motion(frames: int = 5) -> Motion:
    rng = np.random.default_rng(0)
    pairs = frames - 1
    return Motion(
        Timeline(np.cumsum(rng.integers(1, 9, frames)).astype(np.int64), Fraction(1001, 30000)),
        FrameGeometry(640, 360, 1.5),
        np.eye(3) + rng.normal(0, 0.01, (pairs, 3, 3)),
        rng.normal(0, 0.01, (pairs, 10, 17, 2)).astype(np.float16),
        np.zeros(pairs, np.uint8),
        np.full(pairs, 5, np.uint8),
        np.ones(pairs, np.float32),
        np.ones(pairs, np.float32),
        np.ones(frames, np.float32),
        make_matches(rng, pairs),
    )


def make_matches(rng: np.random.Generator, pairs: int) -> Matches:
    pair = np.repeat(np.arange(pairs), 3)
    prev_unit, next_unit = rng.uniform(-1, 1, (2, len(pair), 2)).astype(np.float32)
    return Matches(pair, prev_unit, next_unit, rng.uniform(0.1, 1, len(pair)).astype(np.float32))


def test_saved_motion_is_loaded_unchanged(tmp_path: Path) -> None:
    source, file = tmp_path / "clip", tmp_path / "motion.npz"
    source.write_bytes(b"some video" * 1000)
    motion, source_fingerprint = make_motion(), fingerprint(source)
    save_motion(motion, file, source_fingerprint)
    loaded, loaded_fingerprint = load_motion(file)
    assert loaded_fingerprint == source_fingerprint and loaded.geometry == motion.geometry
    assert loaded.timeline.time_base == motion.timeline.time_base
    for name in ("H_next_prev", "mesh", "status", "model", "coverage", "residual", "sharpness"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(motion, name))
    for name in MATCH_ARRAYS:
        np.testing.assert_array_equal(getattr(loaded.matches, name), getattr(motion.matches, name))
    assert [p.name for p in tmp_path.iterdir()] != [] and not list(tmp_path.glob("*.part"))


def test_fingerprints_of_different_files_differ(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(bytes(3 << 20))
    b.write_bytes(bytes(3 << 20)[:-1] + b"\x01")
    assert fingerprint(a) != fingerprint(b)
    with pytest.raises(InputError):
        fingerprint(tmp_path / "absent")


@pytest.mark.timeout(20)
def test_fingerprint_of_a_pipe_is_refused(tmp_path: Path) -> None:
    """Opening it would block until another process writes."""
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match="not a regular file"):
        fingerprint(tmp_path / "pipe.mp4")


def test_motion_is_saved_under_the_longest_file_name(tmp_path: Path) -> None:
    """File names are limited in bytes, which also applies to the name of the temporary file."""
    target = tmp_path / ("\N{VIDEO CAMERA}" * 62 + ".npz")  # 252 bytes
    save_motion(make_motion(), target)
    assert load_motion(target)[1] is None and list(tmp_path.iterdir()) == [target]


def test_files_that_are_not_motions_are_refused(tmp_path: Path) -> None:
    text, archive, pickled = tmp_path / "text.npz", tmp_path / "zip.npz", tmp_path / "pickle.npz"
    text.write_text("not an archive")
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("header.npy", "nothing")
    np.savez(pickled, header=np.array([{"schema": 1}], dtype=object))  # a pickle, which could run code
    for file in (text, archive, pickled, tmp_path / "absent.npz", tmp_path):
        with pytest.raises(MotionError):
            load_motion(file)


def _save(tmp_path: Path, frames: int = 5) -> Path:
    file = tmp_path / "motion.npz"
    save_motion(make_motion(frames), file)
    return file


def _rewrite(file: Path, change: Callable[[Header, dict[str, Any]], object]) -> Path:
    """Change header and arrays of a file, and write it as a valid archive."""
    with np.load(file) as data:
        arrays = dict(data)
    header = json.loads(arrays.pop("header").tobytes())
    change(header, arrays)
    np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return file


def _set_item(name: str, where: Any, value: Any) -> Callable[[Header, dict[str, Any]], object]:
    return lambda _, arrays: arrays[name].__setitem__(where, value)


def _set_array(name: str, change: Callable[[Any], Any]) -> Callable[[Header, dict[str, Any]], object]:
    return lambda _, arrays: arrays.update({name: change(arrays[name])})


def _set_header(**parts: Any) -> Callable[[Header, dict[str, Any]], object]:
    return lambda header, _: header.update(parts)


def _set_geometry(**parts: Any) -> Callable[[Header, dict[str, Any]], object]:
    return lambda header, _: header["geometry"].update(parts)


IDENTITY = np.eye(3)
CHANGES = {
    "H zero": (_set_item("H_next_prev", 0, 0 * IDENTITY), "H_next_prev"),
    "H singular": (_set_item("H_next_prev", 0, np.ones((3, 3))), "H_next_prev"),
    "H mirrored": (_set_item("H_next_prev", 0, np.diag([-1.0, 1, 1])), "H_next_prev"),
    "H scale 0.001": (_set_item("H_next_prev", 0, np.diag([1e-3, 1e-3, 1])), "H_next_prev"),
    "H scale 1000": (_set_item("H_next_prev", 0, np.diag([1e3, 1e3, 1])), "H_next_prev"),
    "H translation too large": (_set_item("H_next_prev", (0, 0, 2), 1e6), "H_next_prev"),
    "H maps a corner to infinity": (_set_item("H_next_prev", (0, 2, 0), -1.0), "H_next_prev"),
    "H maps a corner behind the camera": (_set_item("H_next_prev", (0, 2, 0), -3.0), "H_next_prev"),
    "H not a number": (_set_item("H_next_prev", (0, 0, 0), np.nan), "H_next_prev"),
    "mesh infinite": (_set_item("mesh", (0, 0, 0, 0), np.inf), "mesh"),
    "mesh offset too large": (_set_item("mesh", (0, 0, 0, 0), 1000), "mesh"),
    "mesh shape": (_set_array("mesh", lambda mesh: mesh[:, :5, :5]), "mesh"),
    "status unknown": (_set_item("status", 0, 99), "status"),
    "model unknown": (_set_item("model", 0, 99), "model"),
    "cut with a measured motion": (_set_item("status", 0, PairStatus.CUT), "contradict"),
    "measured motion without a model": (_set_item("model", 0, MotionModel.NONE), "contradict"),
    "coverage above 1": (_set_item("coverage", 0, 1.5), "coverage"),
    "coverage not a number": (_set_item("coverage", 0, np.nan), "coverage"),
    "residual negative": (_set_item("residual", 0, -1), "residual"),
    "sharpness infinite": (_set_item("sharpness", 0, np.inf), "sharpness"),
    "sharpness length": (_set_array("sharpness", lambda values: values[:-1]), "sharpness"),
    "match of a pair after the last": (_set_item("matches_pair", -1, 4), "matches"),
    "match of a pair before the first": (_set_item("matches_pair", 0, -1), "pair"),
    "matches not sorted": (_set_item("matches_pair", 0, 3), "pair"),
    "match too far away": (_set_item("matches_next_unit", (0, 0), 1e9), "next_unit"),
    "match not a number": (_set_item("matches_prev_unit", (0, 0), np.nan), "prev_unit"),
    "match weight zero": (_set_item("matches_weight", 0, 0), "weight"),
    "match weights length": (_set_array("matches_weight", lambda values: values[:-1]), "weight"),
    "pts not increasing": (_set_item("pts", 1, 0), "pts"),
    "pts difference beyond 64 bits": (_set_array("pts", lambda pts: np.array([-(2**63), 0, 1, 2, 2**63 - 1])), "pts"),
    "pts type": (_set_array("pts", lambda pts: pts.astype(float)), "pts"),
    "pts empty": (_set_array("pts", lambda pts: pts[:0]), "no frame"),
    "status of objects": (_set_array("status", lambda status: status.astype(object)), "status"),
    "H type": (_set_array("H_next_prev", lambda H: H.astype(np.float32)), "H_next_prev"),
    "status length": (_set_array("status", lambda status: status[:-1]), "status"),
    "pts scalar": (_set_array("pts", lambda pts: pts[0]), "pts"),
    "array missing": (lambda _, arrays: arrays.pop("model"), "model"),
    "schema unknown": (_set_header(schema=MOTION.schema - 1), "schema"),
    "schema of many digits": (_set_header(schema=10**400), "schema"),
    "width not a number": (_set_geometry(width=float("nan")), "width"),
    "width string": (_set_geometry(width="640"), "width"),
    "width zero": (_set_geometry(width=0), "width"),
    "width too large": (_set_geometry(width=10**12), "width"),
    "pixel aspect not a number": (_set_geometry(pixel_aspect=float("nan")), "pixel_aspect"),
    "pixel aspect zero": (_set_geometry(pixel_aspect=0), "pixel_aspect"),
    "geometry with an unknown field": (_set_geometry(depth=3), "depth"),
    "geometry list": (_set_header(geometry=[640, 360]), "mapping"),
    "time base of 400 digits": (_set_header(time_base=f"1/{10**400}"), "time base"),
    "time base with a huge exponent": (_set_header(time_base="1e999999999"), "time base"),
    "time base with denominator zero": (_set_header(time_base="1/0"), "1, 0"),
    "time base beyond 32 bits": (_set_header(time_base="1/9999999999"), "time_base"),
    "time base missing": (_set_header(time_base=None), "time base"),
    "source string": (_set_header(source="clip.mp4"), "source"),
    "source without hash": (_set_header(source={"size_bytes": 5}), "sha256"),
    "source with wrong types": (_set_header(source={"size_bytes": "5", "sha256": 6}), "fingerprint"),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("change, message", CHANGES.values(), ids=CHANGES.keys())
def test_valid_archive_with_invalid_motion_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(MotionError, match=message) as caught:
        load_motion(_rewrite(_save(tmp_path), change))
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_rewritten_motion_without_changes_is_loaded(tmp_path: Path) -> None:
    """Otherwise the test above would not prove anything."""
    assert len(load_motion(_rewrite(_save(tmp_path), lambda *_: None))[0].timeline) == 5


@pytest.mark.parametrize(
    "header", [b"[" * 50_000, b"[]", b"{}", b"nothing", b"\xff", b'{"schema": ' + b"9" * 5_000 + b"}"]
)
def test_invalid_header_is_refused(header: bytes, tmp_path: Path) -> None:
    with np.load(_save(tmp_path)) as data:
        arrays = dict(data) | {"header": np.frombuffer(header, np.uint8)}
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(MotionError):
        load_motion(tmp_path / "other.npz")


def test_damaged_byte_is_detected_or_harmless(tmp_path: Path) -> None:
    whole, rng = bytearray(_save(tmp_path).read_bytes()), np.random.default_rng(0)
    file = tmp_path / "damaged.npz"
    for position, flip in zip(rng.integers(0, len(whole), 400), rng.integers(1, 256, 400), strict=True):
        damaged = bytearray(whole)
        damaged[position] ^= int(flip)
        file.write_bytes(damaged)
        try:
            loaded, _ = load_motion(file)
        except MotionError:
            continue
        np.testing.assert_array_equal(loaded.H_next_prev, make_motion().H_next_prev)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    whole = _save(tmp_path).read_bytes()
    for length in range(1, len(whole), len(whole) // 60):
        (tmp_path / "short.npz").write_bytes(whole[:length])
        with pytest.raises(MotionError):
            load_motion(tmp_path / "short.npz")


def _rezip(whole: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Return the archive with changed members and valid checksums."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


NAMES = ["header", "pts", "H_next_prev", "mesh", "status", "model", "coverage", "sharpness", "matches_pair"]


@pytest.mark.parametrize("name", NAMES)
def test_damaged_value_is_refused_or_gives_a_finite_path(name: str, tmp_path: Path) -> None:
    """With valid checksums: whatever is accepted must give finite pixel coordinates."""
    whole, rng = _save(tmp_path).read_bytes(), np.random.default_rng(1)
    file = tmp_path / "damaged.npz"
    for _ in range(40):

        def damaged(member: str, data: bytes) -> bytes:
            if member != f"{name}.npy":
                return data
            out = bytearray(data)
            out[rng.integers(len(out))] ^= int(rng.integers(1, 256))
            return bytes(out)

        file.write_bytes(_rezip(whole, damaged))
        try:
            path = solve(load_motion(file)[0])
        except (MotionError, SolveError):
            continue
        assert isinstance(path, SimilarityPath)
        fields = [path.field(i, path.timeline.time_at(i)).source_px for i in range(len(path.crop_pose))]
        assert np.isfinite(fields).all()


def _zeros(shape: str, data_bytes: int, kind: str = "<f8") -> bytes:
    """Return an .npy of zeros whose header claims a shape."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(data_bytes)


BOMBS = {
    "shape of terabytes": ("pts.npy", _zeros("(1000000000000,)", 64, "<i8")),
    "shape beyond 64 bits": ("pts.npy", _zeros(f"({10**30},)", 64, "<i8")),
    "shape negative": ("pts.npy", _zeros("(-5,)", 64, "<i8")),
    "too many frames": ("pts.npy", _zeros("(100000000,)", 64, "<i8")),
    "header of 50 MB": ("header.npy", _zeros("(50000000,)", 50_000_000, "|u1")),
    "50 MB after the array": ("H_next_prev.npy", _zeros("(4, 3, 3)", 50_000_000)),
    "mesh of 50 MB": ("mesh.npy", _zeros("(4, 10000, 10000, 2)", 50_000_000, "<f2")),
    "shape with code": ("pts.npy", _zeros("__import__('os').getpid()", 64)),
    "shape deeply nested": ("pts.npy", _zeros("(" * 5_000 + ")" * 5_000, 64)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("member, data", BOMBS.values(), ids=BOMBS.keys())
def test_claimed_sizes_are_not_allocated(member: str, data: bytes, tmp_path: Path) -> None:
    out = tmp_path / "bomb.npz"
    with zipfile.ZipFile(_save(tmp_path)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, data if name == member else old.read(name))
    assert _peak_mb(out) < 20


def test_huge_zip_directory_is_not_read(tmp_path: Path) -> None:
    """Each entry of 46 bytes would become an object of 500 bytes."""
    file = _save(tmp_path)
    whole = file.read_bytes()
    end = whole.rindex(b"PK\x05\x06")
    first = int.from_bytes(whole[end + 16 : end + 20], "little")
    table = whole[first:end] * (30_000_000 // (end - first))
    record = bytearray(whole[end:])
    record[12:16] = len(table).to_bytes(4, "little")
    file.write_bytes(whole[:first] + table + record)
    assert _peak_mb(file) < 20


def _peak_mb(file: Path) -> float:
    """Return the peak memory in MiB of loading a motion that is refused."""
    tracemalloc.start()
    try:
        with pytest.raises(MotionError):
            load_motion(file)
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "zero"])
def test_endless_files_are_refused(kind: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MotionError, match="not a regular file"):
        load_motion(tmp_path / "pipe" if kind == "pipe" else "/dev/zero")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", HOSTILE_MOTIONS)
def test_recorded_hostile_files_are_refused(name: str) -> None:
    file = HOSTILE / f"bad_{name}.npz"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    with pytest.raises(MotionError, match="is not a motion saved by"):
        load_motion(file)
