"""Breathing and the speed of zooms against clips whose scale is known at every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metrics.judging import judge
from metrics.model import Judgement
from metrics.robust.departure import departure, smoothed
from metrics.robust.path import integrate
from tests.metrics import judge_scenes as scenes
from tests.metrics.judge_scenes import figure, similarity, view, write

Scale = Callable[[float], float]  # log scale of the picture at a time
SHAKE_AND_ZOOM_S = 5.0


def breathing(t_s: float) -> float:
    """2 % up and down, once a second."""
    return float(0.02 * np.sin(2 * np.pi * t_s))


def zoomed(path: Path, scale: Scale, shake_px: float = 0.0, fps: int = 30) -> Path:
    """A picture that grows by `scale`, 5 s: what is shown shrinks."""
    at = scenes.shake(shake_px)
    times = [i / fps for i in range(round(SHAKE_AND_ZOOM_S * fps))]
    return write(path, (view(similarity(*at(t), zoom=np.exp(-scale(t)))) for t in times), fps=fps)


def left_by_smoothing(hz: float, sigma_s: float) -> float:
    """Share of a sine's amplitude that remains when its Gaussian smooth is taken off."""
    return 1 - float(np.exp(-0.5 * (2 * np.pi * hz * sigma_s) ** 2))


@pytest.fixture(scope="module")
def breathes(clips: Path) -> Judgement:
    """A breathing zoom made of a shaken clip of even scale."""
    before = zoomed(clips / "zoom_before.mkv", lambda t: 0.0, shake_px=1.0)
    return judge(zoomed(clips / "zoom_after.mkv", breathing), before)


def test_breathing_is_the_known_rms(breathes: Judgement) -> None:
    expected = 2.0 / np.sqrt(2) * left_by_smoothing(1, 0.5)  # %
    assert breathes["breathing"].value == pytest.approx(expected, rel=0.04)
    speed = 2.0 * 2 * np.pi * (1 - left_by_smoothing(1, 0.1))  # % a second, where the sine is steepest
    assert breathes["zoom_speed"].value == pytest.approx(speed, rel=0.04)


def test_shake_is_no_breathing(breathes: Judgement) -> None:
    assert breathes["shake"].input is not None and breathes["shake"].input > 0.5
    assert breathes["breathing"].input is not None and breathes["breathing"].input < 0.02


def test_a_steady_zoom_has_its_speed_and_does_not_breathe(clips: Path) -> None:
    found = judge(zoomed(clips / "zoom_in.mkv", lambda t: 0.08 * t))
    assert figure(found, "breathing") < 0.03
    assert found["zoom_speed"].value == pytest.approx(8, rel=0.05)
    assert figure(found, "shake") < 0.02


def test_the_columns_follow_the_scale(breathes: Judgement) -> None:
    t_s, scale = breathes.frames["t_s"], breathes.frames["zoom_out_percent"]
    expected = 100 * np.exp([breathing(t) for t in t_s])
    np.testing.assert_allclose(scale, expected, atol=0.15)
    np.testing.assert_allclose(breathes.frames["zoom_in_percent"], 100, atol=0.7)  # errors of 150 pairs add up


@pytest.mark.parametrize("fps", [24, 60])
def test_departure_does_not_depend_on_the_frame_rate(fps: int) -> None:
    t_s = np.arange(10 * fps) / fps
    x = np.stack([np.sin(2 * np.pi * 0.7 * t_s) * amplitude for amplitude in (0.03, 0.04, 0.01, 0.02)], axis=1)
    found = departure(integrate(t_s, np.diff(x, axis=0)))
    assert found is not None
    left = left_by_smoothing(0.7, 0.5) / np.sqrt(2)
    assert found.shift == pytest.approx(0.05 * left, rel=0.02)
    assert found.roll == pytest.approx(0.01 * left, rel=0.02)
    assert found.log_scale == pytest.approx(0.02 * left, rel=0.02)


def test_a_gap_is_bridged_and_a_long_one_splits_the_path() -> None:
    t_s = np.arange(240) / 30
    step = np.zeros((239, 4))
    step[:, 3] = 0.001  # a zoom of 3 % a second
    for first, last in ((50, 53), (120, 135)):
        step[first:last] = np.nan
    step[128] = np.nan
    found = departure(integrate(t_s, step))
    assert found is not None and found.log_scale < 1e-9
    assert found.zoom_speed == pytest.approx(0.03)
    assert departure(integrate(t_s[:25], step[:25][:24])) is None  # shorter than a second


def test_a_straight_path_is_its_own_smooth() -> None:
    t_s = np.arange(90) / 30
    x = np.outer(t_s, [1.0, -2.0])
    np.testing.assert_allclose(smoothed(t_s, x, 0.5), x, atol=1e-12)
