"""Arrays in files are arrays, whatever is released, and are in memory where there is no room for a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stabilize import spool

VALUES = np.random.default_rng(0).normal(size=(5000, 40)).astype(np.float32)


def test_values_stay_when_their_memory_is_released() -> None:
    array = spool.zeros(VALUES.shape, np.float32)
    assert not array.any()
    for part in spool.chunks(len(VALUES), array):
        array[part] = VALUES[part]
    spool.release(array[10:20])
    np.testing.assert_array_equal(array, VALUES)


@pytest.mark.parametrize("length", [0, 100, 5000, 9000])
def test_a_resized_array_keeps_what_fits_and_goes_on_with_zeros(length: int) -> None:
    array = spool.zeros(VALUES.shape, np.float32)
    array[:] = VALUES
    other = spool.resized(array, length)
    kept = min(length, len(VALUES))
    np.testing.assert_array_equal(other[:kept], VALUES[:kept])
    assert other.shape == (length, 40) and not other[kept:].any()


def test_chunks_cover_everything_once() -> None:
    covered = np.zeros(2500, int)
    for part in spool.chunks(2500):
        covered[part] += 1
    assert (covered == 1).all()


def test_without_room_for_a_file_the_array_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    array = spool.zeros(VALUES.shape, np.float32)
    array[:] = VALUES
    spool.release(array)
    np.testing.assert_array_equal(array, VALUES)
    (said,) = spool.memory_warning(array[5:], spool.zeros((2, 2), np.float32))
    assert "TMPDIR" in said and str(spool.folders()[0]) in said


def test_an_array_in_a_file_or_of_nothing_is_nothing_to_note() -> None:
    assert spool.memory_warning(spool.zeros((10, 4), np.float32)[2:], spool.zeros((0, 4), np.float32)) == ()
    assert spool.memory_warning(np.zeros(3)) != ()


def test_where_room_cannot_be_reserved_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    array = spool.zeros((300_000, 2), np.float64)  # 4.6 blocks
    assert spool.memory_warning(array) == () and not array.any()
    array[-1] = 7
    assert array.sum() == 14


def _mounts(folder: Path, kind: str, tmp_path: Path) -> str:
    """A table of mounts that says the file system of `folder` is of this kind."""
    device = folder.stat().st_dev
    table = tmp_path / "mountinfo"
    name = f"{os.major(device)}:{os.minor(device)}"
    table.write_text(f"23 1 {name} / / rw,relatime shared:1 - {kind} none rw\nnonsense\n")
    return str(table)


@pytest.mark.parametrize("kind", ["tmpfs", "ramfs"])
def test_a_folder_in_memory_is_none_for_files(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(spool, "FALLBACK_FOLDER", str(tmp_path))
    monkeypatch.setattr(spool, "MOUNT_TABLE", _mounts(tmp_path, "ext4", tmp_path))
    assert spool.folders() == [tmp_path]
    monkeypatch.setattr(spool, "MOUNT_TABLE", _mounts(tmp_path, kind, tmp_path))
    assert spool.folders() == []
    assert "there is none" in spool.memory_warning(spool.zeros((4, 4), np.float32))[0]


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="/dev/shm is no file system of its own")
def test_the_output_s_folder_goes_before_the_last_resort(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/shm")
    monkeypatch.setattr(spool, "MOUNT_TABLE", _mounts(Path("/dev/shm"), "tmpfs", tmp_path))
    assert Path("/dev/shm") not in spool.folders() and tmp_path not in spool.folders()
    with spool.use_folder_of(tmp_path / "out.mp4"):
        assert spool.folders()[0] == tmp_path
        assert spool.memory_warning(spool.zeros((4, 4), np.float32)) == ()
    assert tmp_path not in spool.folders()
    with spool.use_folder_of("/dev/shm/out.mp4"):
        assert Path("/dev/shm") not in spool.folders()


def test_a_full_folder_leaves_it_to_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Path] = []

    def crowded(**given: Any) -> Any:
        asked.append(Path(given["dir"]))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", crowded)
    monkeypatch.setattr(spool, "MOUNT_TABLE", str(tmp_path / "absent"))
    with spool.use_folder_of(tmp_path / "out.mp4"):
        spool.zeros((4, 4), np.float32)
        assert asked == spool.folders() and tmp_path in asked


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_released_memory_is_given_back() -> None:
    def resident_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    array = spool.zeros((200_000, 64), np.float32)  # 49 MB
    array[:] = 1
    filled = resident_mb()
    spool.release(array)
    assert resident_mb() < filled - 40
    assert array[-1, -1] == 1


def test_no_file_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    array = spool.zeros((100, 4), np.float32)
    assert list(tmp_path.iterdir()) == []
    assert array.shape == (100, 4)
