"""Arrays in files are arrays, whatever is released, and are in memory where there is no room for a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

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
