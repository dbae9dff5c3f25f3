"""The collected hostile files with the commands they were made for: no internal error, no crash, bounded memory."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from tests.stabilize.cli.result import ROOT

HOSTILE = ROOT.parent / "shared" / "data" / "hostile"
PEAK_MIB_MAX = 1024
DOCUMENTED_CODES = {0, 1, 2, 3, 4, 5, 6}
RUN = "run {} -o out.mkv --set encode.preset=ultrafast"
LOG = ("gyro info {}", "gyro export {} -o out.gcsv", "run plain.mp4 --gyro {} -o out.mkv")
# According to the README of the folder; the first matching pattern counts.
COMMANDS: dict[str, tuple[str, ...]] = {
    "bad_*.npz": ("render plain.mp4 --motion {} -o out.mkv",),
    "*.toml": ("run plain.mp4 --config {} -o out.mkv", "run --print-config --config {}"),
    "*.gcsv": LOG,
    "*.csv": LOG,
    "playlist.mp4": ("run {}", "info {}", "metrics {}", "gyro sync {} pl.csv", "calibrate {} -o out.json"),
    "hl.m3u8": ("run {}", "info {}", "metrics {}", "gyro sync {} pl.csv", "calibrate {} -o out.json"),
    "v.svg": ("run {}", "metrics {}", "metrics plain.mp4 --ref {}", "gyro sync {} pl.csv", "calibrate {} -o out.json"),
    "*": (RUN, "info {} --json", "analyse {} -o out.npz", "metrics {}"),
}
SLOW = ("analyse", "metrics {}", "gyro export")  # mostly covered by `run`
REFUSED = {"playlist.mp4", "hl.m3u8", "v.svg", "deep.toml", "deep2.toml", "bigint.toml"}


def _cases() -> list[ParameterSet]:
    files = sorted(path.name for path in HOSTILE.glob("*") if path.suffix != ".md")
    cases = []
    for name in files:
        commands = next(commands for pattern, commands in COMMANDS.items() if Path(name).match(pattern))
        for command in commands:
            marks = [pytest.mark.slow] if command.startswith(SLOW) else []
            cases.append(pytest.param(name, command, marks=marks, id=f"{name}: {command.split(' {')[0]}"))
    return cases or [pytest.param("", "", marks=pytest.mark.skip(reason="../shared/data/hostile is absent"))]


@pytest.mark.parametrize("name, command", _cases())
def test_a_hostile_file_does_no_harm(name, command, tmp_path, forked, content):
    for beside in {name, "plain.mp4", "pl.csv", "seg.ts"}:
        shutil.copy(HOSTILE / beside, tmp_path / beside)
    before = content(tmp_path)
    result = forked(*command.format(name).split(), cwd=tmp_path, timeout_s=120)
    assert result.code is not None, "it hangs"
    assert result.code in DOCUMENTED_CODES, (result.code, result.err)
    assert result.peak_mib <= PEAK_MIB_MAX
    assert "Traceback" not in result.err
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", result.out + result.err)
    if name in REFUSED:
        assert result.code != 0 and result.err.splitlines()[-1].startswith("stabilize: ")
    after = {
        file: state for file, state in content(tmp_path).items() if result.code != 0 or not file.startswith("out.")
    }
    assert after == before
