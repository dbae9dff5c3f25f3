"""Integration, compared with closed forms and properties of rotations."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gyro.errors import LogError
from gyro.estimate import integrate
from gyro.estimate.integrate import accumulate, increments
from gyro.log import GyroLog
from tests.gyro.estimate import simulate


def angle(a: Rotation, b: Rotation) -> np.ndarray:
    return np.asarray((a.inv() * b).magnitude())


@given(st.integers(1, 90), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_accumulate_is_the_plain_product(n: int, seed: int) -> None:
    step = np.random.default_rng(seed).normal(0, 0.5, (n, 3))
    plain = Rotation.identity()
    for one in step:
        plain = plain * Rotation.from_rotvec(one)
    found = accumulate(step)
    assert len(found) == n + 1
    assert angle(found[-1], plain) < 1e-9
    assert found[0].magnitude() < 1e-12


@pytest.mark.parametrize("rate_hz", [100.0, 250.0])
def test_shake_is_interpolated_between_samples(rate_hz: float) -> None:
    scene = simulate.Scene("action", rate_hz=rate_hz, noise_deg_s_rthz=0.0, offset_s=0.0, duration_s=4.0)
    track = integrate(simulate.log(scene))
    t = np.random.default_rng(0).uniform(0, 4, 400)
    world = simulate.World(scene)
    truth = world.rotation(np.zeros(1)).inv() * world.rotation(t)
    found = track.evaluate(np.zeros(1)).inv() * track.evaluate(t)
    assert angle(found, truth).max() < 3e-4  # rad; the log turns by up to 3 rad/s and shakes at up to 9 Hz


def test_coning_is_integrated() -> None:
    t = np.arange(0, 4, 0.01)
    rate = np.stack([3 * np.cos(20 * t), 3 * np.sin(20 * t), np.zeros_like(t)], axis=1)
    fine = np.arange(0, t[-1] + 1e-9, 1e-5)
    exact = np.stack([3 * np.cos(20 * fine), 3 * np.sin(20 * fine), np.zeros_like(fine)], axis=1)
    middle = (exact[1:] + exact[:-1]) / 2 * 1e-5
    assert angle(accumulate(increments(t, rate))[-1], accumulate(middle)[-1]) < 1e-3
    assert angle(accumulate((rate[1:] + rate[:-1]) / 2 * 0.01)[-1], accumulate(middle)[-1]) > 1e-2  # trapezoid alone


def test_vqf_levels_the_world_and_finds_the_bias() -> None:
    t = np.arange(0, 20, 0.005)
    tilt = Rotation.from_euler("xyz", [20, -35, 0], degrees=True)
    accel = np.tile(tilt.inv().apply([0, 0, 9.81]), (len(t), 1))
    rate = np.tile(np.deg2rad([0.4, -0.3, 0.5]), (len(t), 1))
    noise = np.random.default_rng(0).normal(0, 1e-3, (2, len(t), 3))
    track = integrate(GyroLog("test", "test", t, rate + noise[0], accel + noise[1]))
    assert track.gravity
    up = track.evaluate(np.array([10.0])).apply(tilt.inv().apply([0, 0, 1]))
    assert np.rad2deg(np.arccos(up[0, 2])) < 0.1
    assert np.abs(track.rate(np.array([15.0]))).max() < 2e-3
    drifted = angle(track.evaluate(np.array([5.0])), track.evaluate(np.array([19.0])))
    assert np.rad2deg(drifted) < 0.2  # 7 degrees with the bias left in


def test_gaps_are_known_and_bridged() -> None:
    t = np.concatenate([np.arange(0, 1, 0.01), np.arange(1.5, 3, 0.01)])
    track = integrate(GyroLog("test", "test", t, np.tile([0.0, 0.0, 1.0], (len(t), 1))))
    assert track.covers(np.array([0.5, 1.2, 2.0, -0.1, 3.5])).tolist() == [True, False, True, False, False]
    turned = track.evaluate(np.array([0.5])).inv() * track.evaluate(np.array([1.25, 2.0]))
    assert np.allclose(turned.as_rotvec()[:, 2], [0.75, 1.5], atol=1e-6)


def test_one_sample_is_refused() -> None:
    with pytest.raises(LogError, match="at least two"):
        integrate(GyroLog("short.csv", "test", np.zeros(1), np.zeros((1, 3))))


HOUR = """
import time, numpy as np
from gyro.log import GyroLog
from gyro.estimate import integrate
n = 1_800_000
t = np.arange(n) / 500
rate = np.empty((n, 3)); rate[:, 0] = np.sin(30 * t); rate[:, 1] = 0.5 * np.cos(12 * t); rate[:, 2] = 0.3 * np.sin(t)
accel = np.zeros((n, 3)); accel[:, 2] = 9.81
log = GyroLog("hour", "test", t, rate, accel)
start = time.process_time(); integrate(log); print(time.process_time() - start)
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])  # ru_maxrss of a child starts at its parent's
"""


@pytest.mark.slow
def test_an_hour_at_500_hz_takes_under_10_s_and_500_mb() -> None:
    out = subprocess.run([sys.executable, "-c", HOUR], capture_output=True, text=True, check=True).stdout.split()
    assert float(out[0]) < 10
    assert int(out[1]) / 1024 < 500
