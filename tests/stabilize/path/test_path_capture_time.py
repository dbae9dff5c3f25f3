"""Time between captures: the camera's motion tells true intervals from those that a recorder made up."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stabilize.core import CameraPath, Timeline
from stabilize.path.capture_time import INTERVAL_MAX, INTERVAL_MIN, capture_intervals
from tests.stabilize.path.shaking_camera import camera_of

TICKS = Fraction(1, 90000)
FRAME_S = 1 / 30


def tremor(time_s: np.ndarray, seed: int, rms: float) -> np.ndarray:
    """The place of a hand-held camera, complex units: sinusoids of 1 to 8 Hz."""
    rng = np.random.default_rng(seed)
    hz, phase = rng.uniform(1, 8, 12), rng.uniform(0, 2 * np.pi, (2, 12))
    height = rms / hz / np.sqrt((1 / hz**2).sum() / 2)
    x, y = (np.sin(2 * np.pi * hz * time_s[:, None] + p) @ height for p in phase)
    return np.asarray(x + 1j * y)


def filmed(capture_s: np.ndarray, stamp_s: np.ndarray, pan: float, shake: float, seed: int = 1) -> CameraPath:
    """A camera that pans, in units per second, and shakes; measured with an error of 0.03 px of 640."""
    place = pan * capture_s + tremor(capture_s, seed, shake)
    shift = place[:-1] - place[1:] + np.random.default_rng(seed).normal(0, 1e-4, (len(place) - 1, 2)) @ [1, 1j]
    step = np.stack([np.ones(len(shift)), np.zeros(len(shift)), shift.real, shift.imag], axis=1)
    return replace(camera_of(step), timeline=Timeline(np.round(stamp_s / float(TICKS)).astype(np.int64), TICKS))


def even(frames: int) -> np.ndarray:
    return np.arange(frames) * FRAME_S


def two_odd(frames: int) -> np.ndarray:
    """Stamps 52 and 100 ms apart among those of 33 ms."""
    intervals = np.full(frames - 1, FRAME_S)
    intervals[[60, 115]] = 0.052, 0.1
    return np.concatenate([[0], np.cumsum(intervals)])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pan", [0.3, 0.5, 1.0], ids=lambda units: f"{units} units per second")
def test_two_odd_stamps_over_an_even_pan_are_not_believed(pan: float, seed: int) -> None:
    camera = filmed(even(180), two_odd(180), pan, 0.003, seed)
    np.testing.assert_allclose(capture_intervals(camera), 1, atol=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_stamps_that_jitter_over_an_even_pan_are_not_believed(seed: int) -> None:
    """A phone's stamps that come late and catch up: intervals of 2.5 to 100 ms."""
    stamps = even(180)
    for late in (20, 70, 130):
        stamps[late : late + 4] = stamps[late + 4] - 0.0025 * np.arange(4, 0, -1)
    camera = filmed(even(180), stamps, 0.5, 0.003, seed)
    assert camera.timeline.intervals.max() > 2.9
    np.testing.assert_allclose(capture_intervals(camera), 1, atol=0.15)


@pytest.mark.parametrize("seed", range(5))
def test_no_stamp_of_a_jittering_clock_is_believed(seed: int) -> None:
    """Every interval is off by up to a half; their running medians wander, and with them what is usual."""
    jitter = np.random.default_rng(seed).uniform(-0.25, 0.25, 180) * FRAME_S
    found = capture_intervals(filmed(even(180), even(180) + jitter, 0.5, 0.003, seed))
    assert np.sqrt(np.mean((found - 1) ** 2)) < 0.08
    assert np.abs(np.diff(found)).mean() < 0.03


def test_most_frames_dropped_by_a_hand_held_camera_are_recognised_and_odd_stamps_too() -> None:
    """Without any pan: at some moments its tremor cannot tell, and then the interval lies between."""
    dropped = np.delete(even(180), [40, 90, 91, 140])
    true = np.diff(dropped) / FRAME_S
    drops, stamps = [], []
    for seed in range(20):
        found = capture_intervals(filmed(dropped, dropped, 0.0, 0.03, seed))
        drops += (found / true)[true > 1.5].tolist()
        stamps += capture_intervals(filmed(even(180), two_odd(180), 0.0, 0.03, seed))[[60, 115]].tolist()
    assert np.mean(np.abs(np.log(drops)) < np.log(1.25)) > 0.6
    assert np.mean(np.abs(np.log(stamps)) < np.log(1.25)) > 0.95


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("drops", [[60], [40, 90, 140], [40, 41, 100, 101]], ids=str)
def test_where_frames_were_dropped_the_intervals_are_true(drops: list[int], seed: int) -> None:
    """The picture moves on by as much as the interval says."""
    capture_s = np.delete(even(180), drops)
    camera = filmed(capture_s, capture_s, 0.5, 0.003, seed)
    np.testing.assert_allclose(capture_intervals(camera), np.diff(capture_s) / FRAME_S, rtol=0.1)


@pytest.mark.parametrize("shake", [0.0, 0.003, 0.02])
@pytest.mark.parametrize("rate", [0.5, 2.0])
def test_a_change_of_rate_that_lasts_is_kept(rate: float, shake: float) -> None:
    """A phone that films slower or faster from some moment on: no interval there is odd."""
    intervals = np.where(np.arange(199) < 110, FRAME_S, FRAME_S / rate)
    capture_s = np.concatenate([[0], np.cumsum(intervals)])
    found = capture_intervals(filmed(capture_s, capture_s, 0.3, shake))
    np.testing.assert_allclose(found, intervals / FRAME_S, rtol=0.25)
    np.testing.assert_allclose(found[[*range(100), *range(125, 199)]], np.repeat([1, 1 / rate], [100, 74]), rtol=1e-3)


def test_a_camera_that_stands_still_says_nothing_and_odd_stamps_are_doubted() -> None:
    """Between the usual interval and the stated one, nearer to the usual."""
    found = capture_intervals(filmed(even(180), two_odd(180), 0.0, 0.0))
    assert 1 <= found[60] < 1.25 and 1 <= found[115] < np.sqrt(3)
    np.testing.assert_allclose(np.delete(found, [60, 115]), 1, atol=1e-3)


def test_even_stamps_stay_as_they_are_however_the_camera_moves() -> None:
    camera = filmed(np.delete(even(180), [60, 90]), even(178), 0.5, 0.02)
    np.testing.assert_allclose(capture_intervals(camera), 1, atol=1e-3)


def test_a_shot_is_judged_by_itself() -> None:
    """The other side of a cut does not change what is found."""
    capture_s = np.delete(even(181), [60])
    camera = filmed(capture_s, capture_s, 0.5, 0.003)
    wild = replace(camera, step=camera.step.copy(), shots=(slice(0, 100), slice(100, 180)))
    calm = replace(camera, shots=wild.shots)
    wild.step[100:, 2:] = np.random.default_rng(0).normal(0, 0.2, (79, 2))
    np.testing.assert_array_equal(capture_intervals(wild)[:99], capture_intervals(calm)[:99])


@given(
    st.lists(st.integers(1, 10**7), min_size=1, max_size=60),
    st.integers(0, 2**32 - 1),
    st.floats(0, 4),
    st.integers(0, 60),
)
@settings(deadline=None, max_examples=100)
def test_intervals_are_finite_positive_and_bounded(ticks: list[int], seed: int, shake: float, cut: int) -> None:
    frames = len(ticks) + 1
    rng = np.random.default_rng(seed)
    step = np.concatenate([np.tile([1.0, 0.0], (len(ticks), 1)), rng.normal(0, shake, (len(ticks), 2))], axis=1)
    shots = (slice(0, cut), slice(cut, frames)) if 0 < cut < frames else (slice(0, frames),)
    timeline = Timeline(np.concatenate([[0], np.cumsum(ticks)]).astype(np.int64), TICKS)
    found = capture_intervals(replace(camera_of(step, shots=shots), timeline=timeline))
    assert found.shape == (len(ticks),)
    assert (found >= INTERVAL_MIN / 1.01).all() and (found <= INTERVAL_MAX * 1.01).all()
