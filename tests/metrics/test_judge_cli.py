"""The commands, as a user calls them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from metrics.__main__ import app
from metrics.errors import MetricsError
from tests.metrics import judge_scenes as scenes

RUNNER = CliRunner()


def strict_json(text: str) -> dict[str, object]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    return dict(json.loads(text, parse_constant=refuse))


def test_a_table_names_every_score(walk_before: Path) -> None:
    done = RUNNER.invoke(app(), ["judge", str(walk_before), "--ref", str(walk_before), "-q"])
    assert done.exit_code == 0
    for name in ("stability", "visible", "empty", "distortion", "wobble", "sharpness", "itf", "crop_left"):
        assert name in done.stdout


def test_json_is_strict_and_complete_even_without_measurements(clips: Path) -> None:
    flat = scenes.write(clips / "flat_cli.mkv", (np.full((96, 160), 90, np.uint8) for _ in range(8)))
    done = RUNNER.invoke(app(), ["judge", str(flat), "--ref", str(flat), "--json"])
    assert done.exit_code == 0
    scores = strict_json(done.stdout)["scores"]
    assert isinstance(scores, dict)
    assert scores["stability"]["value"] is None and scores["stability"]["note"]
    assert scores["visible"]["failures"] == 8


def test_csv_has_one_row_per_frame(walk_before: Path, tmp_path: Path) -> None:
    path = tmp_path / "frames.csv"
    arguments = ["judge", str(walk_before), "--ref", str(walk_before), "--csv", str(path), "-q"]
    assert RUNNER.invoke(app(), arguments).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert len(rows) == 36
    assert float(rows[-1]["t_s"]) == pytest.approx(35 / 30, abs=0.002)
    assert float(rows[-1]["visible"]) == pytest.approx(1, abs=0.003)
    assert all(value != "nan" for row in rows for value in row.values())


USAGE, INPUT, OUTPUT = 2, 3, 4


@pytest.mark.parametrize(
    "arguments, message, code",
    [
        (["nowhere.mp4"], "no such file", INPUT),
        (["http://example.com/a.mp4"], "a file on this machine", INPUT),
        (["{clip}", "--mode", "best"], "choose from", USAGE),
        (["{clip}", "--mode", "dvs"], "--ref", USAGE),
        (["{clip}", "--mode", "dvs", "--ref", "{clip}", "--report", "r.html"], "robust", USAGE),
        (["{clip}", "--csv", "x.out", "--report", "./x.out"], "different files", USAGE),
        (["{clip}", "--csv", "{clip}.none/x.csv", "-q"], "folder does not exist", OUTPUT),
        (["{clip}", "--csv", "/proc/x.csv", "-q"], "cannot be written", OUTPUT),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str, code: int, walk_before: Path) -> None:
    done = RUNNER.invoke(app(), ["judge", *(a.format(clip=walk_before) for a in arguments)])
    assert isinstance(done.exception, MetricsError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)
    assert done.exception.exit_code == code


def test_the_program_exits_with_the_code_of_the_error_and_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "metrics", "judge", "nowhere.mp4"], capture_output=True, text=True, check=False
    )
    assert done.returncode == INPUT
    assert done.stderr.startswith("error: nowhere.mp4")
    assert done.stderr.count("\n") == 1


def test_help_loads_no_heavy_library() -> None:
    code = "import sys, metrics, metrics.cli; print([m for m in ('cv2', 'scipy', 'av', 'numpy') if m in sys.modules])"
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert time.monotonic() - started < 20  # a hang, not a stopwatch: other work shares the machine


def test_the_same_call_gives_the_same_result(walk_before: Path) -> None:
    call = ["judge", str(walk_before), "--ref", str(walk_before), "--json"]
    assert RUNNER.invoke(app(), call).stdout == RUNNER.invoke(app(), call).stdout


def test_the_public_names_of_metrics() -> None:
    code = "import metrics.judging; from metrics import *; assert callable(judge); print(sorted(MODES))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['difrint', 'difrint-v0', 'dvs', 'nndvs', 'robust']"
