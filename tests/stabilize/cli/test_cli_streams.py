"""Whatever becomes of what a command says - a full disk, a closed stream, a reader who leaves - it ends in peace."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.stabilize.cli.ended import ROOT
from tests.stabilize.video import clipmaker

OUTPUT = 4
CLIPS = ROOT / "samples" / "clips"
WORDS = {  # what they work on lies in the folder that they run in
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
LONG = {
    "gyro sync": "gyro sync shutter.mp4 shutter.csv",
}
QUICK = {"help", "settings", "info", "info json", "run json", "metrics", "gyro info", "gyro info json"}
EVERY = [*WORDS, *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)]


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
        seen = (corners - [180, 140]) * 1.1 / depth[:, None] + [180 + 40 * view, 240]
        H = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
        picture = cv2.warpPerspective(flat, H, (640, 480), borderValue=255)
        cv2.imwrite(str(folder / f"{view}.png"), picture)


def said(text: str) -> list[str]:
    """Lines of stderr without those that tell of progress and of what a command warns of."""
    return [line for line in text.splitlines() if line.startswith("stabilize: ") or "Traceback" in line]


def words(name: str, folder: Path) -> list[str]:
    """The words of a command line, for a folder in which it has not run yet."""
    for result in ("log.gcsv", "lens.json"):
        (folder / result).unlink(missing_ok=True)
    return (WORDS | LONG)[name].split()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("stream, why", [("full", "no space left on device"), ("closed", "it is closed")])
def test_output_that_cannot_be_written_is_one_line_and_exit_4(stream, why, name, folder, forked):
    ended = forked(*words(name, folder), cwd=folder, out=stream)
    assert (ended.code, said(ended.err)) == (OUTPUT, [f"stabilize: standard output cannot be written ({why})"])


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in WORDS | LONG])
def test_a_reader_who_leaves_is_no_error(name, folder, forked):
    ended = forked(*words(name, folder), cwd=folder, out="gone")
    assert ended.code == 0 and said(ended.err) == []


@pytest.mark.parametrize("name", ["info", "run", "gyro info", "metrics", "help"])
@pytest.mark.parametrize("stream", ["full", "closed", "gone"])
def test_messages_that_cannot_be_written_change_no_result(stream, name, folder, forked):
    ended = forked(*words(name, folder), cwd=folder, err=stream)
    assert ended.code == 0 and ended.out


@pytest.mark.parametrize("stream", ["full", "closed", "gone"])
def test_an_error_keeps_its_code_where_nobody_hears_of_it(stream, folder, forked):
    for given, code in (("info nowhere.mp4", 3), ("nothing", 2), ("run clip.mp4 -o no/where.mp4", 4)):
        assert forked(*given.split(), cwd=folder, err=stream, out=stream).code == code


def test_quiet_needs_no_output(folder, forked):
    ended = forked(*["run", "clip.mp4", "-o", "quiet.mp4", "-q"], cwd=folder, out="closed")
    assert (ended.code, ended.err) == (0, "")


def test_no_file_is_opened_in_the_place_of_a_closed_stream(folder, forked):
    """What the encoder says on stderr would be written into it."""
    open_ended = forked(*["run", "clip.mp4", "-o", "open.mov", "-q", "--codec", "prores"], cwd=folder)
    closed = forked(
        *["run", "clip.mp4", "-o", "closed.mov", "-q", "--codec", "prores"], cwd=folder, out="closed", err="closed"
    )
    assert open_ended.code == closed.code == 0
    assert (folder / "closed.mov").read_bytes() == (folder / "open.mov").read_bytes()


@pytest.mark.parametrize("pipe", ["| true", "| head -1", ">&-", "2>&-", ">/dev/full", "2>/dev/full"])
def test_the_shell_sees_the_same(pipe, folder):
    line = f"'{sys.executable}' -m stabilize info --json clip.mp4 {pipe}; echo ${{PIPESTATUS[0]}} >code"
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )
    code = int((folder / "code").read_text())
    lost = pipe in (">&-", ">/dev/full")
    assert code == (OUTPUT if lost else 0)
    assert done.stderr.count("\n") == int(lost) and "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["iso8859-1", "utf-8"])
def test_letters_that_a_terminal_does_not_know_are_shown_as_escapes(encoding, folder):
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
