"""A small log, hostile files, and the command line in this process."""

from __future__ import annotations

import importlib
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
    """Return a function that runs `stabilize WORDS` and returns its exit code and stderr."""

    def call(*words: object) -> tuple[int, str]:
        code = run([str(word) for word in words])
        return code, capsys.readouterr().err

    return call


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where features are tracked or chessboards are detected."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("work was done")

    monkeypatch.setattr("stabilize.cli.gyroscope.measure_tracks", refuse)
    # By its name: `gyro.lens.calibrate` as an attribute is the function.
    monkeypatch.setattr(importlib.import_module("gyro.lens.calibrate"), "_find_corners", refuse)
