"""Spooled arrays keep their values when released, and are in memory if there is no space for a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stabilize import spool

VALUES = np.random.default_rng(0).normal(size=(5000, 40)).astype(np.float32)


def test_values_remain_after_release() -> None:
    array = spool.zeros(VALUES.shape, np.float32)
    assert not array.any()
    for part in spool.chunks(len(VALUES), array):
        array[part] = VALUES[part]
    spool.release(array[10:20])
    np.testing.assert_array_equal(array, VALUES)


@pytest.mark.parametrize("length", [0, 100, 5000, 9000])
def test_resized_array_is_truncated_or_padded_with_zeros(length: int) -> None:
    array = spool.zeros(VALUES.shape, np.float32)
    array[:] = VALUES
    resized = spool.resized(array, length)
    rows = min(length, len(VALUES))
    np.testing.assert_array_equal(resized[:rows], VALUES[:rows])
    assert resized.shape == (length, 40) and not resized[rows:].any()


def test_chunks_cover_all_rows_once() -> None:
    covered = np.zeros(2500, int)
    for part in spool.chunks(2500):
        covered[part] += 1
    assert (covered == 1).all()


def test_array_is_in_memory_if_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", raise_disk_full, raising=False)
    array = spool.zeros(VALUES.shape, np.float32)
    array[:] = VALUES
    spool.release(array)
    np.testing.assert_array_equal(array, VALUES)
    (warning,) = spool.memory_warning(array[5:], spool.zeros((2, 2), np.float32))
    assert "TMPDIR" in warning and str(spool.folders()[0]) in warning


def test_no_memory_warning_for_arrays_in_files_and_empty_arrays() -> None:
    assert spool.memory_warning(spool.zeros((10, 4), np.float32)[2:], spool.zeros((0, 4), np.float32)) == ()
    assert spool.memory_warning(np.zeros(3)) != ()


def test_space_is_written_without_posix_fallocate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    array = spool.zeros((300_000, 2), np.float64)  # 4.6 blocks
    assert spool.memory_warning(array) == () and not array.any()
    array[-1] = 7
    assert array.sum() == 14


def _mount_table(folder: Path, file_system: str, tmp_path: Path) -> str:
    """Write a mount table in which `folder` is on a file system of this type."""
    device = folder.stat().st_dev
    table = tmp_path / "mountinfo"
    name = f"{os.major(device)}:{os.minor(device)}"
    table.write_text(f"23 1 {name} / / rw,relatime shared:1 - {file_system} none rw\nnonsense\n")
    return str(table)


@pytest.mark.parametrize("file_system", ["tmpfs", "ramfs"])
def test_folders_in_memory_are_not_used(file_system: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(spool, "FALLBACK_FOLDER", str(tmp_path))
    monkeypatch.setattr(spool, "MOUNT_TABLE", _mount_table(tmp_path, "ext4", tmp_path))
    assert spool.folders() == [tmp_path]
    monkeypatch.setattr(spool, "MOUNT_TABLE", _mount_table(tmp_path, file_system, tmp_path))
    assert spool.folders() == []
    assert "there is none" in spool.memory_warning(spool.zeros((4, 4), np.float32))[0]


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="/dev/shm is no file system of its own")
def test_output_folder_is_preferred_to_the_fallback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/shm")
    monkeypatch.setattr(spool, "MOUNT_TABLE", _mount_table(Path("/dev/shm"), "tmpfs", tmp_path))
    assert Path("/dev/shm") not in spool.folders() and tmp_path not in spool.folders()
    with spool.use_folder_of(tmp_path / "out.mp4"):
        assert spool.folders()[0] == tmp_path
        assert spool.memory_warning(spool.zeros((4, 4), np.float32)) == ()
    assert tmp_path not in spool.folders()
    with spool.use_folder_of("/dev/shm/out.mp4"):
        assert Path("/dev/shm") not in spool.folders()


def test_all_folders_are_tried_if_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tried: list[Path] = []

    def raise_disk_full(**options: Any) -> Any:
        tried.append(Path(options["dir"]))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", raise_disk_full)
    monkeypatch.setattr(spool, "MOUNT_TABLE", str(tmp_path / "absent"))
    with spool.use_folder_of(tmp_path / "out.mp4"):
        spool.zeros((4, 4), np.float32)
        assert tried == spool.folders() and tmp_path in tried


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_released_memory_is_returned_to_the_system() -> None:
    def resident_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    array = spool.zeros((200_000, 64), np.float32)  # 49 MB
    array[:] = 1
    filled = resident_mb()
    spool.release(array)
    assert resident_mb() < filled - 40
    assert array[-1, -1] == 1


def test_no_file_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    array = spool.zeros((100, 4), np.float32)
    assert list(tmp_path.iterdir()) == []
    assert array.shape == (100, 4)
