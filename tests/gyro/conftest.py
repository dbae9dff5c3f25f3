"""A small log, hostile files, and the command line in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stabilize.cli.boundary import run
from tests.gyro.commandline import HOSTILE, LOG_TEXT, Command


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(LOG_TEXT)
    return path


@pytest.fixture
def hostile() -> Callable[[str], Path]:
    def find(name: str) -> Path:
        if not (HOSTILE / name).exists():
            pytest.skip(f"{HOSTILE / name} is absent")
        return HOSTILE / name

    return find


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Exit code, and what was said on stderr, of `stabilize WORDS`."""

    def call(*words: object) -> tuple[int, str]:
        code = run([str(word) for word in words])
        return code, capsys.readouterr().err

    return call


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Following features or looking for chessboards would be work."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("work was done")

    monkeypatch.setattr("stabilize.cli.gyroscope.tracks_in", refuse)
    monkeypatch.setattr(sys.modules["gyro.lens.calibrate"], "_corners", refuse)
