"""Motion saved and loaded; files that are none."""

from __future__ import annotations

import os
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stabilize.artifacts import fingerprint, load_motion, save_motion
from stabilize.core import FrameGeometry, Motion, Timeline
from stabilize.errors import InputError, MotionError


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
    )


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


def test_a_motion_of_the_wrong_shape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "motion.npz"
    save_motion(_motion(), file)
    with np.load(file) as data:
        arrays = dict(data)
    arrays["status"] = arrays["status"][:-1]
    np.savez(file, **arrays)
    with pytest.raises(MotionError, match="status"):
        load_motion(file)
