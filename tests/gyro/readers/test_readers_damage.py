"""Damage in a log is reported with its line and never filled silently."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyro.errors import LogError
from gyro.readers import clock, read_log

N = 2000
HEADER = "t_s,gx_rad_s,gy_rad_s,gz_rad_s"


def sound_lines() -> list[str]:
    return [f"{i / 500:.6f},{np.sin(i / 40):.6f},{i % 7 / 10:.6f},-0.1" for i in range(N)]


def read(tmp_path: Path, lines: list[str]):
    (tmp_path / "log.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    return read_log(tmp_path / "log.csv")


def test_an_intact_log_has_no_damage(tmp_path):
    log = read(tmp_path, sound_lines())
    assert (len(log.time_s), log.damage, len(log.gaps_s)) == (N, (), 0)


@pytest.mark.parametrize("cell", ["abc", "", "nan", "inf", "1e999", "0x10", "1_000", "--3"])
def test_a_bad_cell_costs_its_row_and_says_where(tmp_path, cell):
    lines = sound_lines()
    lines[700] = f"1.4,{cell},0,0"
    log = read(tmp_path, lines)
    assert [d.line for d in log.damage] == [702]  # the header is line 1
    assert log.damage[0].time_s == pytest.approx(1.398)
    np.testing.assert_allclose(log.gaps_s, [[1.398, 1.402]])
    assert len(log.time_s) == N - 1


def test_many_bad_cells_in_many_places(tmp_path):
    lines = sound_lines()
    broken = [3, 4, 5, 600, 1234, 1999]
    for i in broken:
        lines[i] = "garbage"
    log = read(tmp_path, lines)
    assert [d.line for d in log.damage] == [i + 2 for i in broken]
    np.testing.assert_allclose(log.gaps_s, [[0.004, 0.012], [1.198, 1.202], [2.466, 2.470]])


def test_blank_lines_are_not_damage_and_count_as_lines(tmp_path):
    lines = sound_lines()
    lines.insert(100, "")
    lines[1500] = "x,y,z,w"
    log = read(tmp_path, lines)
    assert [d.line for d in log.damage] == [1502]


def test_a_chunk_of_nothing_but_blank_lines(tmp_path, recwarn):
    lines = sound_lines()
    log = read(tmp_path, [*lines[:900], *["", "  "] * 500, *lines[900:], *[" "] * 300])
    assert len(log.time_s) == N and not log.damage and len(recwarn) == 0


def test_a_lost_row_is_a_gap_even_where_the_clock_jitters(tmp_path):
    """Its step alone could be jitter, but the file has a line there."""
    jitter = np.random.default_rng(1).uniform(0.3, 2.5, N).cumsum() / 500
    lines = [f"{t:.6f},0.1,0.2,{t % 0.3:.4f}" for t in jitter]
    lines[500] = "?"
    np.testing.assert_allclose(read(tmp_path, lines).gaps_s, [[jitter[499], jitter[501]]], atol=1e-6)


def test_a_gap_is_marked(tmp_path):
    lines = sound_lines()
    log = read(tmp_path, lines[:800] + lines[1000:])
    np.testing.assert_allclose(log.gaps_s, [[1.598, 2.0]])
    assert [(d.line, d.reason) for d in log.damage] == [(801, "no data for 0.402 s")]


def test_one_lost_sample_of_a_regular_clock_is_detected_but_jitter_is_not(tmp_path):
    lines = sound_lines()
    assert len(read(tmp_path, lines[:800] + lines[801:]).gaps_s) == 1
    jitter = np.random.default_rng(1).uniform(0.3, 2.5, N).cumsum() / 500
    assert len(read(tmp_path, [f"{t:.6f},0.1,0.2,{t % 0.3:.4f}" for t in jitter]).gaps_s) == 0


@pytest.mark.parametrize("wild", ["1e6", "-5", "0.2"])
def test_a_wild_time_costs_one_row_before_or_behind(tmp_path, wild):
    lines = sound_lines()
    lines[900] = f"{wild},0,0,0"
    log = read(tmp_path, lines)
    assert len(log.time_s) == N - 1
    assert [d.line for d in log.damage] == [902]
    np.testing.assert_allclose(log.gaps_s, [[1.798, 1.802]])


def test_a_duplicate_row_is_not_a_gap(tmp_path):
    lines = sound_lines()
    log = read(tmp_path, [*lines[:900], lines[899], *lines[900:]])
    assert len(log.gaps_s) == 0 and len(log.time_s) == N
    assert "duplicate" in log.damage[0].reason and log.damage[0].line in (901, 902)


def test_a_clock_that_starts_again_keeps_the_longer_part(tmp_path):
    lines = sound_lines()
    log = read(tmp_path, [*lines[:600], *lines])
    assert len(log.time_s) == N
    assert log.damage[0].line == 2 and "600 rows" in log.damage[0].reason


def test_a_coarse_clock_is_spread(tmp_path):
    """1.6 kHz samples stamped in whole milliseconds."""
    true_s = np.arange(4000) / 1600
    lines = [f"{np.floor(t * 1000) / 1000:.3f},{np.sin(t):.4f},0,0.3" for t in true_s]
    log = read(tmp_path, lines)
    assert len(log.time_s) == 4000
    assert np.max(np.abs(log.time_s - true_s)) < 0.001
    assert any("coarser" in note for note in log.notes)


def test_mostly_garbage_is_not_a_log(tmp_path):
    with pytest.raises(LogError, match=r"line 12: .*not a number.* more bad lines than good"):
        read(tmp_path, sound_lines()[:10] + ["a,b,c,d"] * 1500)


def test_an_accelerometer_with_fewer_rows_causes_a_note(tmp_path):
    rows = [f"{i / 400:.5f},0.1,0.2,{i % 5},{'0,0,9.8' if i % 2 == 0 else ',,'}" for i in range(1000)]
    (tmp_path / "log.csv").write_text("\n".join(["t,gx,gy,gz,ax,ay,az", *rows]) + "\n")
    log = read_log(tmp_path / "log.csv")
    assert len(log.time_s) == 1000 and not log.damage
    assert log.accel_m_s2 is not None
    np.testing.assert_allclose(log.accel_m_s2, [[0, 0, 9.8]] * 1000, atol=1e-9)
    assert any("50% of the rows" in note for note in log.notes)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=9))
def test_kept_rows_are_a_longest_increasing_sequence(values):
    kept = clock.increasing_rows(np.array(values, float))
    chosen = [values[i] for i in kept]
    assert all(a < b for a, b in pairwise(chosen))
    longest = max(
        size
        for size in range(1, len(values) + 1)
        for some in combinations(values, size)
        if all(a < b for a, b in pairwise(some))
    )
    assert len(kept) == longest


@pytest.mark.slow
def test_an_hour_at_500_hz_loads_in_ten_seconds_and_500_mb(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "hour.csv"
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write("t_s,gx,gy,gz,ax,ay,az\n")
        for start in range(0, 1_800_000, 100_000):
            block = np.column_stack([np.arange(start, start + 100_000) / 500, rng.normal(0, 1, (100_000, 6))])
            np.savetxt(file, block, fmt="%.6f", delimiter=",")
    code = (
        "import sys, time; from gyro.readers import read_log\n"
        "t = time.process_time(); log = read_log(sys.argv[1]); t = time.process_time() - t\n"
        "peak_kb = open('/proc/self/status').read().split('VmHWM:')[1].split()[0]\n"  # ru_maxrss starts at the parent's
        "print(len(log.time_s), t, int(peak_kb) / 1024)"
    )
    root = Path(__file__).parents[3]
    printed = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=root, capture_output=True, text=True, check=True
    )
    rows, seconds, megabytes = map(float, printed.stdout.split())
    assert rows == 1_800_000
    assert seconds < 10 and megabytes < 500


def test_times_that_differ_by_less_than_a_float_of_seconds_are_one(tmp_path):
    """51e-320 ns is more than 0, but no second."""
    rows = [f"{count},0,1,2,3" for count in ("0", "51e-320", *(5_000_000 * i for i in range(2, 60)))]
    (tmp_path / "x_gyro.csv").write_text("\n".join(["time,seconds_elapsed,z,y,x", *rows]) + "\n")
    assert len(read_log(tmp_path / "x_gyro.csv").time_s) == 59
