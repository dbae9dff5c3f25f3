"""Clips that several tests judge, written once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.metrics import judge_scenes as scenes

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for generated clips."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def shaken(clips: Path) -> Path:
    """8 s of stationary shake of 2 px amplitude a sine, 320x192 at 30 fps, lossless."""
    at = scenes.shake(2.0)
    return scenes.write(clips / "shaken.mkv", (scenes.view(scenes.similarity(*at(i / 30))) for i in range(240)))


@pytest.fixture(scope="session")
def walk_before(clips: Path) -> Path:
    """36 frames of a gentle walk: the input of the known warps."""
    return scenes.write(clips / "walk.mkv", map(scenes.view, scenes.walk_cameras()))


@pytest.fixture
def data() -> Path:
    """The shared recordings, or a skip."""
    if not DATA.is_dir():
        pytest.skip(f"needs the recordings in {DATA}")
    return DATA
