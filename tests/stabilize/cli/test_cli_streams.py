"""Standard streams that cannot be written - full disk, closed stream, broken pipe - cause no traceback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.stabilize.cli.result import ROOT
from tests.stabilize.video import clipmaker

OUTPUT = 4
CLIPS = ROOT / "samples" / "clips"
COMMANDS = {  # run in the folder of their input files
    "help": "--help",
    "version": "--version",
    "help of a command": "run --help",
    "help of another package": "gyro --help",
    "settings": "run --print-config",
    "info": "info clip.mp4",
    "info json": "info clip.mp4 --json",
    "run": "run clip.mp4 -o run.mkv -y",
    "run json": "run clip.mp4 -o run.mkv -y --json",
    "analyse": "analyse clip.mp4 -o new.npz -y",
    "analyse json": "analyse clip.mp4 -o new.npz -y --json",
    "solve": "solve clip.npz -o path.npz -y",
    "solve json": "solve clip.npz -o path.npz -y --json",
    "render path": "render clip.mp4 --path solved.npz -o render.mkv -y",
    "render": "render clip.mp4 --motion clip.npz -o render.mkv -y",
    "render json": "render clip.mp4 --motion clip.npz -o render.mkv -y --json",
    "metrics": "metrics clip.mp4",
    "metrics json": "metrics clip.mp4 --json",
    "gyro info": "gyro info log.csv",
    "gyro info json": "gyro info log.csv --json",
    "gyro export": "gyro export log.csv -o log.gcsv",
    "score": "score dataset --jobs 1",
    "score json": "score dataset --jobs 1 --json",
    "calibrate": "calibrate boards -o lens.json --pattern 6x4",
}
SLOW_COMMANDS = {
    "gyro sync": "gyro sync shutter.mp4 shutter.csv",
}
FAST = {"help", "settings", "info", "info json", "run json", "metrics", "gyro info", "gyro info json"}
ALL = [*COMMANDS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_COMMANDS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, forked: Callable[..., Any]) -> Path:
    """A clip, its motion, its path, logs, views of a chessboard, a dataset."""
    folder = tmp_path_factory.mktemp("streams")
    clip = clipmaker.write(folder / "clip.mp4")
    assert forked("analyse", clip, "-o", folder / "clip.npz").code == 0
    assert forked("solve", folder / "clip.npz", "-o", folder / "solved.npz").code == 0
    shutil.copy(CLIPS / "walk.csv", folder / "log.csv")
    for name in ("shutter.mp4", "shutter.csv"):
        shutil.copy(CLIPS / name, folder / name)
    boards(folder / "boards")
    for name in ("input", "method"):
        (folder / "dataset" / name).mkdir(parents=True)
        shutil.copy(clip, folder / "dataset" / name / "a.mp4")
    return folder


def boards(folder: Path) -> None:
    """Views of a chessboard with 6 x 4 inner corners from several sides."""
    import cv2

    folder.mkdir()
    flat = np.full((7 * 40, 9 * 40), 255, np.uint8)
    for row in range(5):
        for column in range(7):
            flat[40 + 40 * row : 80 + 40 * row, 40 + 40 * column : 80 + 40 * column] = 255 * ((row + column) % 2)
    corners = np.array([[0, 0], [360, 0], [360, 280], [0, 280]], np.float32)
    for view, turn in enumerate(np.linspace(-0.3, 0.3, 8)):
        depth = 1 + turn * (corners[:, 0] - 180) / 360 + (view % 3 - 1) * 0.15 * (corners[:, 1] - 140) / 280
        projected = (corners - [180, 140]) * 1.1 / depth[:, None] + [180 + 40 * view, 240]
        H = cv2.getPerspectiveTransform(corners, projected.astype(np.float32))
        image = cv2.warpPerspective(flat, H, (640, 480), borderValue=255)
        cv2.imwrite(str(folder / f"{view}.png"), image)


def errors(text: str) -> list[str]:
    """Lines of stderr without progress and warnings."""
    return [line for line in text.splitlines() if line.startswith("stabilize: ") or "Traceback" in line]


def words(name: str, folder: Path) -> list[str]:
    """The arguments of a command; removes the output of an earlier call."""
    for output in ("log.gcsv", "lens.json"):
        (folder / output).unlink(missing_ok=True)
    return (COMMANDS | SLOW_COMMANDS)[name].split()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("stream, reason", [("full", "no space left on device"), ("closed", "it is closed")])
def test_unwritable_stdout_is_one_line_and_exit_code_4(stream, reason, name, folder, forked):
    result = forked(*words(name, folder), cwd=folder, out=stream)
    assert (result.code, errors(result.err)) == (OUTPUT, [f"stabilize: standard output cannot be written ({reason})"])


@pytest.mark.parametrize(
    "name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in COMMANDS | SLOW_COMMANDS]
)
def test_a_broken_pipe_is_not_an_error(name, folder, forked):
    result = forked(*words(name, folder), cwd=folder, out="gone")
    assert result.code == 0 and errors(result.err) == []


@pytest.mark.parametrize("name", ["info", "run", "gyro info", "metrics", "help"])
@pytest.mark.parametrize("stream", ["full", "closed", "gone"])
def test_unwritable_stderr_does_not_change_the_result(stream, name, folder, forked):
    result = forked(*words(name, folder), cwd=folder, err=stream)
    assert result.code == 0 and result.out


@pytest.mark.parametrize("stream", ["full", "closed", "gone"])
def test_unwritable_streams_do_not_change_the_exit_code_of_an_error(stream, folder, forked):
    for line, code in (("info nowhere.mp4", 3), ("nothing", 2), ("run clip.mp4 -o no/where.mp4", 4)):
        assert forked(*line.split(), cwd=folder, err=stream, out=stream).code == code


def test_quiet_writes_nothing_to_stdout(folder, forked):
    result = forked(*["run", "clip.mp4", "-o", "quiet.mp4", "-q"], cwd=folder, out="closed")
    assert (result.code, result.err) == (0, "")


def test_no_file_gets_the_descriptor_of_a_closed_stream(folder, forked):
    """Messages of the encoder on stderr would be written into it."""
    open_result = forked(*["run", "clip.mp4", "-o", "open.mov", "-q", "--codec", "prores"], cwd=folder)
    closed = forked(
        *["run", "clip.mp4", "-o", "closed.mov", "-q", "--codec", "prores"], cwd=folder, out="closed", err="closed"
    )
    assert open_result.code == closed.code == 0
    assert (folder / "closed.mov").read_bytes() == (folder / "open.mov").read_bytes()


@pytest.mark.parametrize("pipe", ["| true", "| head -1", ">&-", "2>&-", ">/dev/full", "2>/dev/full"])
def test_exit_codes_in_a_shell(pipe, folder):
    line = f"'{sys.executable}' -m stabilize info --json clip.mp4 {pipe}; echo ${{PIPESTATUS[0]}} >code"
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )
    code = int((folder / "code").read_text())
    lost = pipe in (">&-", ">/dev/full")
    assert code == (OUTPUT if lost else 0)
    assert done.stderr.count("\n") == int(lost) and "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["iso8859-1", "utf-8"])
def test_characters_that_the_encoding_lacks_are_escaped(encoding, folder):
    name = "東京 \udcff.csv"
    shutil.copy(folder / "log.csv", folder / name)
    for command in (["gyro", "info", name], ["info", name], ["gyro", "export", name, "-o", f"{encoding}{name}.gcsv"]):
        done = subprocess.run(
            [sys.executable, "-m", "stabilize", *command],
            cwd=folder,
            capture_output=True,
            check=False,
            env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding},
        )
        assert done.returncode in (0, 3), done.stderr
        assert b"Traceback" not in done.stderr
        (done.stdout + done.stderr).decode(encoding)
