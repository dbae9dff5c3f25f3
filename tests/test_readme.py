"""Every command and every line of Python that the README shows works as shown, one after the other, in a clone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stabilize import pipeline
from stabilize.config import Config
from stabilize.core import Motion, StablePath

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
RUN = {"sh": ["bash", "-e", "-u"], "python": ["bash", "-c", ". ../.venv/bin/activate && exec python -"]}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the project whose `.venv` is this very environment, so that `make` has nothing to install."""
    if not Path(sys.prefix, "bin", "activate").exists():
        pytest.skip("the tests run outside a virtual environment")
    home = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "out", "build", "dist", "*.egg-info", "tests")
    shutil.copytree(ROOT, home, ignore=ignored)
    (home / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name != ".installed":
            (home / ".venv" / entry.name).symlink_to(entry)
    (home / ".venv" / ".installed").touch()
    return home


def test_no_block_is_of_an_unknown_kind() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "python", ""}  # without a language: a drawing


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_everything_in_the_readme_can_be_pasted(clone: Path) -> None:
    before = {p for p in clone.rglob("*") if "out" not in p.parts and ".venv" not in p.parts}
    for kind, block in BLOCKS:
        if kind:
            folder = clone / "out" if kind == "python" else clone
            done = subprocess.run(RUN[kind], input=block, capture_output=True, text=True, check=False, cwd=folder)
            assert done.returncode == 0, f"{block}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    made = {p.name for p in (clone / "out").iterdir()}
    named = set(
        re.findall(r"(?:-o|--report|->) (?:out/)?([\w.]+)", "".join(block for kind, block in BLOCKS if kind == "sh"))
    )
    assert named | {"python.mp4", "steps.mp4"} <= made
    after = {p for p in clone.rglob("*") if "out" not in p.parts and ".venv" not in p.parts}
    assert {p for p in after - before if "__pycache__" not in p.parts} == set()  # nothing lands in the clone itself


def test_the_three_calls_know_how_the_video_is_turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a run does: of a clip held upright, x is the other axis of the stored picture."""
    recipe = next(block for kind, block in BLOCKS if kind == "python")
    upright(tmp_path / "walk.mp4")
    monkeypatch.chdir(tmp_path)
    asked = []
    solve = pipeline.solve

    def watched(motion: Motion, config: Config | None = None, *more: Any, **named: Any) -> StablePath:
        asked.append(motion.geometry.rotation)
        return solve(motion, config, *more, **named)

    monkeypatch.setattr(pipeline, "solve", watched)
    exec(recipe, {})
    assert asked == [90, 90]  # of `stabilize_video`, and of the three calls


def upright(path: Path) -> None:
    """A clip that players turn by a quarter: 12 frames of noise that moves."""
    rng = np.random.default_rng(0)
    world = rng.integers(0, 255, (30, 40), dtype=np.uint8).repeat(6, 0).repeat(6, 1)
    quarter = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, width=160, height=96)
        stream.pix_fmt = "yuv420p"
        stream.set_display_matrix(quarter)
        for n in range(12):
            gray = world[n % 3 + 20 :][:96, n % 5 + 20 :][:, :160]
            rgb = np.ascontiguousarray(gray[..., None].repeat(3, 2))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        out.mux(stream.encode())
