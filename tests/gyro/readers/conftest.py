"""Real recordings, and a motion with ground truth to write logs of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture
def recording() -> Callable[[str], Path]:
    """Return the path of a real recording, or skip the test."""

    def find(name: str) -> Path:
        path = SHARED / "gyro" / name
        if not path.exists():
            pytest.skip(f"{path} is absent")
        return path

    return find


@dataclass(frozen=True)
class Truth:
    """A rotating body: times, rates in rad/s, and the acceleration by gravity in m/s2."""

    time_s: NDArray[np.float64]
    gyro: NDArray[np.float64]
    accel: NDArray[np.float64]

    def rows(self, time: float = 1.0, gyro: float = 1.0, accel: float = 1.0, decimals: int = 9) -> list[list[str]]:
        """Return rows of text: time, rates and acceleration in these units."""
        table = np.column_stack([self.time_s / time, self.gyro / gyro, self.accel / accel])
        return [[f"{value:.{decimals}f}" for value in row] for row in table]


@pytest.fixture(scope="session")
def truth() -> Truth:
    """Return 6 s at 200 Hz, with gravity integrated in steps of 0.5 ms."""
    fine: NDArray[np.float64] = np.arange(12_000) * np.float64(5e-4)

    def rate(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([0.8 * np.sin(5 * t), 0.6 * np.cos(3.1 * t), 0.5 * np.sin(1.7 * t + 1)], axis=-1)

    gravity = np.empty((len(fine), 3))
    gravity[0] = (0.0, -9.80665, 0.0)
    for i, w in enumerate(rate(fine[:-1] + 2.5e-4)):
        middle = gravity[i] - np.cross(w, gravity[i]) * 2.5e-4
        gravity[i + 1] = gravity[i] - np.cross(w, middle) * 5e-4
    return Truth(fine[::10], rate(fine[::10]), gravity[::10])
