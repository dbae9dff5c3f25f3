"""The compatibility modes against what the original programs printed for the same frames."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from metrics.judging import judge
from metrics.model import Judgement

TOLERANCE = 0.005
NAMES = {
    ("dvs", "distortion_avg_min"): ("distortion", "distortion_min"),
    ("dvs", "stability_avg_trans_rot"): ("stability", "stability_translation", "stability_rotation"),
    ("dvs", "fov_avg_min"): ("field_of_view", "field_of_view_min"),
    ("dvs", "correlation_avg_min"): ("correlation", "correlation_min"),
    ("difrint", "cropping_avg_min"): ("cropping", "cropping_min"),
    ("difrint", "distortion"): ("distortion",),
    ("difrint", "stability_avg_trans_rot"): ("stability", "stability_translation", "stability_rotation"),
}
SLOW = pytest.mark.slow
CASES = [
    pytest.param("difrint", "corridor", "before_after", marks=SLOW),
    pytest.param("difrint", "corridor", "before_before", marks=SLOW),
    pytest.param("difrint", "hippo", "before_after", marks=SLOW),
    pytest.param("difrint", "hippo", "before_before", marks=SLOW),
    pytest.param("dvs", "corridor", "before_after", marks=SLOW),
    pytest.param("dvs", "corridor", "before_before", marks=SLOW),
    pytest.param("dvs", "hippo", "before_after", marks=SLOW),
    pytest.param("dvs", "hippo", "before_before", marks=SLOW),
]


@cache
def judged(folder: Path, mode: str, clip: str, pair: str) -> Judgement:
    before, after = pair.split("_")
    return judge(folder / f"{clip}_{after}.mkv", folder / f"{clip}_{before}.mkv", mode)


@pytest.mark.parametrize("mode, clip, pair", CASES)
@pytest.mark.timeout(900)
def test_every_figure_equals_that_of_the_original_program(mode: str, clip: str, pair: str, data: Path) -> None:
    folder = data / "metrics"
    rows = json.loads((folder / "expected.json").read_text())["rows"]
    expected = next(row for row in rows if (row["clip"], row["pair"]) == (clip, pair))[mode]
    found = judged(folder, mode, clip, pair)
    for group, values in expected.items():
        names = NAMES[mode, group]
        assert [found[name].value for name in names] == pytest.approx(values, abs=TOLERANCE), group


def test_the_input_is_scored_as_the_program_scores_it_against_itself(data: Path) -> None:
    folder = data / "metrics"
    rows = json.loads((folder / "expected.json").read_text())["rows"]
    expected = next(row for row in rows if (row["clip"], row["pair"]) == ("corridor", "before_before"))["difrint"]
    found = judged(folder, "difrint", "corridor", "before_after")
    names = NAMES["difrint", "stability_avg_trans_rot"]
    assert [found[n].input for n in names] == pytest.approx(expected["stability_avg_trans_rot"], abs=TOLERANCE)
