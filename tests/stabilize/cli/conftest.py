"""The command line in this process and in one of its own; clips from the makers of the video tests."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stabilize.cli.ended import ROOT, Ended


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line in this process."""
    from stabilize.cli.boundary import run

    def call(*words: object, debug: bool = False) -> Ended:
        capsys.readouterr()
        code = run([str(word) for word in words], debug)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def forked() -> Iterator[Callable[..., Any]]:
    """Run a command line in a process of its own that starts at once, with streams that may be full, closed or left."""
    from tests.fuzz.server import Server

    with Server() as server:
        yield server


@pytest.fixture
def process() -> Callable[..., Ended]:
    """Run `python -m stabilize` as a user does."""

    def call(*words: object, **more: Any) -> Ended:
        command = [sys.executable, "-m", "stabilize", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, **more)
        return Ended(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def content() -> Callable[[Path], dict[str, str]]:
    """Everything in a folder: name and hash of each file, the targets of links."""

    def look(folder: Path) -> dict[str, str]:
        return {str(p.relative_to(folder)): _state(p) for p in sorted(folder.rglob("*"))}

    return look


def _state(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A sound clip of 12 frames, in a folder of its own."""
    from tests.stabilize.video import clipmaker

    (tmp_path / "in").mkdir()
    return clipmaker.write(tmp_path / "in" / "clip.mp4", audio=[{}])
