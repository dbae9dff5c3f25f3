"""The command line in this process and in a new one; a clip."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stabilize.cli.result import ROOT, CommandResult


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """Run a command line in this process."""
    from stabilize.cli.boundary import run

    def call(*words: object, debug: bool = False) -> CommandResult:
        capsys.readouterr()
        code = run([str(word) for word in words], debug)
        printed = capsys.readouterr()
        return CommandResult(code, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def forked() -> Iterator[Callable[..., Any]]:
    """Run a command line in a forked process, with streams that may be full, closed or broken pipes."""
    from tests.fuzz.server import Server

    with Server() as server:
        yield server


@pytest.fixture
def process() -> Callable[..., CommandResult]:
    """Run `python -m stabilize` as a user does."""

    def call(*words: object, **more: Any) -> CommandResult:
        command = [sys.executable, "-m", "stabilize", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, **more)
        return CommandResult(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def content() -> Callable[[Path], dict[str, str]]:
    """Content of a folder: the hash of each file by its name, the targets of links."""

    def hashes(folder: Path) -> dict[str, str]:
        return {str(p.relative_to(folder)): _state(p) for p in sorted(folder.rglob("*"))}

    return hashes


def _state(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """An intact clip of 12 frames, in a new folder."""
    from tests.stabilize.video import clipmaker

    (tmp_path / "in").mkdir()
    return clipmaker.write(tmp_path / "in" / "clip.mp4", audio=[{}])
