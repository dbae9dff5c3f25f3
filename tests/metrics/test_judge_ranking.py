"""Clips with graded shake, every second one on top of a pan: a judge must rank them by their shake."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from metrics.judging import judge
from tests.metrics import judge_scenes as scenes

AMPLITUDES_PX = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
PAN_PX_PER_S = 30.0


@pytest.fixture(scope="module")
def graded(clips: Path) -> list[Path]:
    """From still to strongly shaken, 4.1 s each."""
    paths = []
    for grade, amplitude in enumerate(AMPLITUDES_PX):
        at, pan = scenes.shake(amplitude), PAN_PX_PER_S * (grade % 2)
        frames = (scenes.view(scenes.similarity(at(i / 30)[0] + pan * i / 30, at(i / 30)[1])) for i in range(123))
        paths.append(scenes.write(clips / f"grade{grade}.mkv", frames))
    return paths


def stabilities(paths: list[Path], mode: str) -> list[float | None]:
    ref = None if mode == "robust" else paths
    return [judge(p, ref[i] if ref else None, mode)["stability"].value for i, p in enumerate(paths)]


def is_falling(values: list[float | None]) -> bool:
    known = [v for v in values if v is not None]
    return all(a > b for a, b in pairwise(known))


def test_robust_ranks_graded_shake(graded: list[Path]) -> None:
    values = stabilities(graded, "robust")
    assert None not in values
    assert is_falling(values), values
    assert values[0] == 1.0
    assert values[-1] is not None and values[-1] < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["difrint", "difrint-v0", "dvs", "nndvs"])
def test_the_published_programs_do_not_rank_graded_shake(mode: str, graded: list[Path]) -> None:
    values = stabilities(graded[1:], mode)  # without the still clip, which scores 0/0
    assert not is_falling(values), values
