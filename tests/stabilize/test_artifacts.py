"""Motion saved and loaded; files that are none."""

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
ON_RECORD = ["H_next_prev_zeros", "deepjson", "encrypted", "flip2", "geo_width_nan", "geo_width_st"]
ON_RECORD += ["hugeshape", "method99", "notnpy", "tb_big"]
Header = dict[str, Any]


def _motion(frames: int = 5) -> Motion:
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
        _matches(rng, pairs),
    )


def _matches(rng: np.random.Generator, pairs: int) -> Matches:
    pair = np.repeat(np.arange(pairs), 3)
    prev_unit, next_unit = rng.uniform(-1, 1, (2, len(pair), 2)).astype(np.float32)
    return Matches(pair, prev_unit, next_unit, rng.uniform(0.1, 1, len(pair)).astype(np.float32))


def test_a_saved_motion_comes_back_as_it_was(tmp_path: Path) -> None:
    source, file = tmp_path / "clip", tmp_path / "motion.npz"
    source.write_bytes(b"some video" * 1000)
    motion, mark = _motion(), fingerprint(source)
    save_motion(motion, file, mark)
    loaded, of = load_motion(file)
    assert of == mark and loaded.geometry == motion.geometry
    assert loaded.timeline.time_base == motion.timeline.time_base
    for name in ("H_next_prev", "mesh", "status", "model", "coverage", "residual", "sharpness"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(motion, name))
    for name in MATCH_ARRAYS:
        np.testing.assert_array_equal(getattr(loaded.matches, name), getattr(motion.matches, name))
    assert [p.name for p in tmp_path.iterdir()] != [] and not list(tmp_path.glob("*.part"))


def test_another_file_has_another_fingerprint(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(bytes(3 << 20))
    b.write_bytes(bytes(3 << 20)[:-1] + b"\x01")
    assert fingerprint(a) != fingerprint(b)
    with pytest.raises(InputError):
        fingerprint(tmp_path / "absent")


@pytest.mark.timeout(20)
def test_a_pipe_has_no_fingerprint(tmp_path: Path) -> None:
    """Opened, it would wait for a writer for ever."""
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match="not a regular file"):
        fingerprint(tmp_path / "pipe.mp4")


def test_a_motion_is_saved_under_the_longest_name(tmp_path: Path) -> None:
    """Limits are in bytes: the name of the file in the making must not be longer."""
    target = tmp_path / ("\N{VIDEO CAMERA}" * 62 + ".npz")  # 252 bytes
    save_motion(_motion(), target)
    assert load_motion(target)[1] is None and list(tmp_path.iterdir()) == [target]


def test_files_that_are_no_motion_are_refused(tmp_path: Path) -> None:
    text, archive, pickled = tmp_path / "text.npz", tmp_path / "zip.npz", tmp_path / "pickle.npz"
    text.write_text("not an archive")
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("header.npy", "nothing")
    np.savez(pickled, header=np.array([{"schema": 1}], dtype=object))  # would run code if pickles were allowed
    for file in (text, archive, pickled, tmp_path / "absent.npz", tmp_path):
        with pytest.raises(MotionError):
            load_motion(file)


def _saved(tmp_path: Path, frames: int = 5) -> Path:
    file = tmp_path / "motion.npz"
    save_motion(_motion(frames), file)
    return file


def _changed(file: Path, change: Callable[[Header, dict[str, Any]], object]) -> Path:
    """The file written anew, sound as an archive, after a change to its header and arrays."""
    with np.load(file) as data:
        arrays = dict(data)
    header = json.loads(arrays.pop("header").tobytes())
    change(header, arrays)
    np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return file


def _at(name: str, where: Any, value: Any) -> Callable[[Header, dict[str, Any]], object]:
    return lambda _, arrays: arrays[name].__setitem__(where, value)


def _as(name: str, change: Callable[[Any], Any]) -> Callable[[Header, dict[str, Any]], object]:
    return lambda _, arrays: arrays.update({name: change(arrays[name])})


def _stating(**parts: Any) -> Callable[[Header, dict[str, Any]], object]:
    return lambda header, _: header.update(parts)


def _geometry(**parts: Any) -> Callable[[Header, dict[str, Any]], object]:
    return lambda header, _: header["geometry"].update(parts)


ONE = np.eye(3)
CHANGES = {
    "no scale": (_at("H_next_prev", 0, 0 * ONE), "H_next_prev"),
    "singular": (_at("H_next_prev", 0, np.ones((3, 3))), "H_next_prev"),
    "mirrored": (_at("H_next_prev", 0, np.diag([-1.0, 1, 1])), "H_next_prev"),
    "crushed": (_at("H_next_prev", 0, np.diag([1e-3, 1e-3, 1])), "H_next_prev"),
    "blown up": (_at("H_next_prev", 0, np.diag([1e3, 1e3, 1])), "H_next_prev"),
    "far away": (_at("H_next_prev", (0, 0, 2), 1e6), "H_next_prev"),
    "a corner at infinity": (_at("H_next_prev", (0, 2, 0), -1.0), "H_next_prev"),
    "a corner behind it": (_at("H_next_prev", (0, 2, 0), -3.0), "H_next_prev"),
    "no number": (_at("H_next_prev", (0, 0, 0), np.nan), "H_next_prev"),
    "no finite mesh": (_at("mesh", (0, 0, 0, 0), np.inf), "mesh"),
    "a mesh that is torn": (_at("mesh", (0, 0, 0, 0), 1000), "mesh"),
    "another mesh": (_as("mesh", lambda mesh: mesh[:, :5, :5]), "mesh"),
    "status beyond its kinds": (_at("status", 0, 99), "status"),
    "model beyond its kinds": (_at("model", 0, 99), "model"),
    "a cut that was measured": (_at("status", 0, PairStatus.CUT), "contradict"),
    "measured without a model": (_at("model", 0, MotionModel.NONE), "contradict"),
    "more than all of it": (_at("coverage", 0, 1.5), "coverage"),
    "no share": (_at("coverage", 0, np.nan), "coverage"),
    "a distance below 0": (_at("residual", 0, -1), "residual"),
    "no gradient": (_at("sharpness", 0, np.inf), "sharpness"),
    "sharpness of other frames": (_as("sharpness", lambda values: values[:-1]), "sharpness"),
    "matches of no pair": (_at("matches_pair", -1, 4), "matches"),
    "matches before the first pair": (_at("matches_pair", 0, -1), "pair"),
    "matches out of order": (_at("matches_pair", 0, 3), "pair"),
    "matches out of the world": (_at("matches_next_unit", (0, 0), 1e9), "next_unit"),
    "matches that are no number": (_at("matches_prev_unit", (0, 0), np.nan), "prev_unit"),
    "matches of no weight": (_at("matches_weight", 0, 0), "weight"),
    "weights of other matches": (_as("matches_weight", lambda values: values[:-1]), "weight"),
    "time that stands still": (_at("pts", 1, 0), "pts"),
    "time beyond 64 bits": (_as("pts", lambda pts: np.array([-(2**63), 0, 1, 2, 2**63 - 1])), "pts"),
    "times of another type": (_as("pts", lambda pts: pts.astype(float)), "pts"),
    "no times": (_as("pts", lambda pts: pts[:0]), "no frame"),
    "a type of objects": (_as("status", lambda status: status.astype(object)), "status"),
    "coarser numbers": (_as("H_next_prev", lambda H: H.astype(np.float32)), "H_next_prev"),
    "another shape": (_as("status", lambda status: status[:-1]), "status"),
    "no shape": (_as("pts", lambda pts: pts[0]), "pts"),
    "an array too few": (lambda _, arrays: arrays.pop("model"), "model"),
    "another schema": (_stating(schema=MOTION.schema - 1), "schema"),
    "a schema of many digits": (_stating(schema=10**400), "schema"),
    "a width that is none": (_geometry(width=float("nan")), "width"),
    "a width in words": (_geometry(width="640"), "width"),
    "no width": (_geometry(width=0), "width"),
    "a width of a planet": (_geometry(width=10**12), "width"),
    "an aspect that is none": (_geometry(pixel_aspect=float("nan")), "pixel_aspect"),
    "no aspect": (_geometry(pixel_aspect=0), "pixel_aspect"),
    "something else as well": (_geometry(depth=3), "depth"),
    "a list for a geometry": (_stating(geometry=[640, 360]), "mapping"),
    "a time base of 400 digits": (_stating(time_base=f"1/{10**400}"), "time base"),
    "one that takes for ever": (_stating(time_base="1e999999999"), "time base"),
    "one of nothing": (_stating(time_base="1/0"), "1, 0"),
    "one of more than 32 bits": (_stating(time_base="1/9999999999"), "time_base"),
    "no time base": (_stating(time_base=None), "time base"),
    "a source in words": (_stating(source="clip.mp4"), "source"),
    "a source without its hash": (_stating(source={"size_bytes": 5}), "sha256"),
    "a source of another type": (_stating(source={"size_bytes": "5", "sha256": 6}), "fingerprint"),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("change, said", CHANGES.values(), ids=CHANGES.keys())
def test_a_sound_archive_of_what_is_no_motion_is_refused(change: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(MotionError, match=said) as refused:
        load_motion(_changed(_saved(tmp_path), change))
    assert len(str(refused.value)) < 400 + len(str(tmp_path))


def test_what_is_only_written_anew_is_a_motion(tmp_path: Path) -> None:
    """Or the test above would refuse for a reason of its own."""
    assert len(load_motion(_changed(_saved(tmp_path), lambda *_: None))[0].timeline) == 5


@pytest.mark.parametrize(
    "header", [b"[" * 50_000, b"[]", b"{}", b"nothing", b"\xff", b'{"schema": ' + b"9" * 5_000 + b"}"]
)
def test_a_header_that_is_none_is_refused(header: bytes, tmp_path: Path) -> None:
    with np.load(_saved(tmp_path)) as data:
        arrays = dict(data) | {"header": np.frombuffer(header, np.uint8)}
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(MotionError):
        load_motion(tmp_path / "other.npz")


def test_a_damaged_byte_anywhere_is_found_or_harmless(tmp_path: Path) -> None:
    whole, rng = bytearray(_saved(tmp_path).read_bytes()), np.random.default_rng(0)
    file = tmp_path / "damaged.npz"
    for at, flip in zip(rng.integers(0, len(whole), 400), rng.integers(1, 256, 400), strict=True):
        damaged = bytearray(whole)
        damaged[at] ^= int(flip)
        file.write_bytes(damaged)
        try:
            loaded, _ = load_motion(file)
        except MotionError:
            continue
        np.testing.assert_array_equal(loaded.H_next_prev, _motion().H_next_prev)


def test_a_file_that_ends_early_anywhere_is_refused(tmp_path: Path) -> None:
    whole = _saved(tmp_path).read_bytes()
    for length in range(1, len(whole), len(whole) // 60):
        (tmp_path / "short.npz").write_bytes(whole[:length])
        with pytest.raises(MotionError):
            load_motion(tmp_path / "short.npz")


def _packed_anew(whole: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The archive with changed members, and checksums that agree with them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


NAMES = ["header", "pts", "H_next_prev", "mesh", "status", "model", "coverage", "sharpness", "matches_pair"]


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_value_is_refused_or_gives_a_path(name: str, tmp_path: Path) -> None:
    """Under a checksum that agrees: whatever is let in must be fit for the whole way to the last pixel."""
    whole, rng = _saved(tmp_path).read_bytes(), np.random.default_rng(1)
    file = tmp_path / "damaged.npz"
    for _ in range(40):

        def damaged(member: str, data: bytes) -> bytes:
            if member != f"{name}.npy":
                return data
            out = bytearray(data)
            out[rng.integers(len(out))] ^= int(rng.integers(1, 256))
            return bytes(out)

        file.write_bytes(_packed_anew(whole, damaged))
        try:
            path = solve(load_motion(file)[0])
        except (MotionError, SolveError):
            continue
        assert isinstance(path, SimilarityPath)
        fields = [path.field(i, path.timeline.time_at(i)).source_px for i in range(len(path.crop_pose))]
        assert np.isfinite(fields).all()


def _zeros(shape: str, bytes_there: int, kind: str = "<f8") -> bytes:
    """An .npy of zeros that says it has a shape."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(bytes_there)


BOMBS = {
    "a shape of terabytes": ("pts.npy", _zeros("(1000000000000,)", 64, "<i8")),
    "a shape beyond 64 bits": ("pts.npy", _zeros(f"({10**30},)", 64, "<i8")),
    "a shape below nothing": ("pts.npy", _zeros("(-5,)", 64, "<i8")),
    "more frames than a film has": ("pts.npy", _zeros("(100000000,)", 64, "<i8")),
    "50 MB of a header": ("header.npy", _zeros("(50000000,)", 50_000_000, "|u1")),
    "50 MB behind it": ("H_next_prev.npy", _zeros("(4, 3, 3)", 50_000_000)),
    "50 MB of a mesh": ("mesh.npy", _zeros("(4, 10000, 10000, 2)", 50_000_000, "<f2")),
    "a shape that is a program": ("pts.npy", _zeros("__import__('os').getpid()", 64)),
    "a shape that is deep": ("pts.npy", _zeros("(" * 5_000 + ")" * 5_000, 64)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("member, data", BOMBS.values(), ids=BOMBS.keys())
def test_what_a_file_claims_is_not_allocated(member: str, data: bytes, tmp_path: Path) -> None:
    out = tmp_path / "bomb.npz"
    with zipfile.ZipFile(_saved(tmp_path)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, data if name == member else old.read(name))
    assert _peak_mb(out) < 20


def test_a_table_of_contents_of_millions_is_not_read(tmp_path: Path) -> None:
    """Each entry of 46 bytes would become an object of half a kilobyte."""
    file = _saved(tmp_path)
    whole = file.read_bytes()
    end = whole.rindex(b"PK\x05\x06")
    first = int.from_bytes(whole[end + 16 : end + 20], "little")
    table = whole[first:end] * (30_000_000 // (end - first))
    record = bytearray(whole[end:])
    record[12:16] = len(table).to_bytes(4, "little")
    file.write_bytes(whole[:first] + table + record)
    assert _peak_mb(file) < 20


def _peak_mb(file: Path) -> float:
    """Of a motion that is refused."""
    tracemalloc.start()
    try:
        with pytest.raises(MotionError):
            load_motion(file)
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "zero"])
def test_what_never_ends_is_no_motion(kind: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MotionError, match="not a regular file"):
        load_motion(tmp_path / "pipe" if kind == "pipe" else "/dev/zero")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "name",
    [
        "H_next_prev_zeros",
        "deepjson",
        "encrypted",
        "flip2",
        "geo_width_nan",
        "geo_width_st",
        "hugeshape",
        "method99",
        "notnpy",
        "tb_big",
    ],
)
def test_the_hostile_files_on_record_are_refused(name: str) -> None:
    file = HOSTILE / f"bad_{name}.npz"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    with pytest.raises(MotionError, match="is not a motion saved by"):
        load_motion(file)
