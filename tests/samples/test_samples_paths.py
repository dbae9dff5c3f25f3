"""The figures of `benchmarks.paths` are those of paths that are known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from benchmarks.paths import Row, bars, median
from benchmarks.paths import measure as measured
from stabilize.core import CameraPath, FrameGeometry, Timeline
from stabilize.path.similarity import SimilarityPath

FRAMES, FPS = 601, 30
T_S = np.arange(FRAMES) / FPS


def path(crop: np.ndarray, camera: np.ndarray | None = None, shots: tuple[slice, ...] = ()) -> SimilarityPath:
    """Crop poses z (n,) and w (n,) complex as (2, n), and the camera's steps likewise; without, it stands still."""
    z, w = crop
    step = np.array([np.ones(FRAMES - 1), np.zeros(FRAMES - 1)], complex) if camera is None else camera
    timeline = Timeline(np.arange(FRAMES, dtype=np.int64), Fraction(1, FPS))
    rows = [np.stack([a.real, a.imag, b.real, b.imag], axis=1) for a, b in ((step[0], step[1]), (z, w))]
    wobble = np.zeros((FRAMES, 10, 17, 2), np.float16)
    shots = shots or (slice(0, FRAMES),)
    camera_path = CameraPath(timeline, FrameGeometry(640, 360), rows[0], np.ones(FRAMES - 1), wobble, shots)
    return SimilarityPath(camera_path, rows[1])


def sine(hz: float) -> np.ndarray:
    return np.asarray(np.sin(2 * np.pi * hz * T_S))


def left_by_smoothing(hz: float, sigma_s: float) -> float:
    return 1 - float(np.exp(-0.5 * (2 * np.pi * hz * sigma_s) ** 2))


def test_a_breathing_crop_makes_a_breathing_picture() -> None:
    row = measured("clip", path(np.array([0.9 * np.exp(-0.01 * sine(1)), np.zeros(FRAMES)], complex)))
    expected = left_by_smoothing(1, 0.5) / np.sqrt(2)  # %
    assert row.crop_breathing == pytest.approx(expected, rel=0.01)
    assert row.after.breathing == pytest.approx(expected, rel=0.01)
    assert row.after.slow_breathing == pytest.approx(1 / np.sqrt(2), rel=0.01)
    assert row.after.zoom_speed == pytest.approx(2 * np.pi * (1 - left_by_smoothing(1, 0.1)), rel=0.01)
    assert row.fov == pytest.approx(0.81, abs=0.001)
    assert (row.before.breathing, row.after.jitter_px) == (0, 0)


def test_shake_is_in_pixels_of_the_output_and_roll_in_degrees() -> None:
    row = measured("clip", path(np.array([0.8 * np.exp(1j * np.radians(0.5) * sine(3)), 0.01 * sine(2)], complex)))
    amplitude_px = 0.01 / 0.8 * 320
    assert row.after.jitter_px == pytest.approx(amplitude_px / np.sqrt(2), rel=0.01)
    accel = (2 * np.sin(np.pi * 2 / FPS)) ** 2
    assert row.after.accel_px == pytest.approx(amplitude_px * accel / np.sqrt(2), rel=0.01)
    assert row.after.roll_deg == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_a_crop_that_undoes_the_camera_leaves_the_output_still() -> None:
    moved = 0.02 * sine(1.5) * np.exp(0.3j)
    turned = np.exp(1j * np.radians(2) * sine(0.7))
    camera = np.array([turned[1:] / turned[:-1], moved[1:] - moved[:-1] * turned[1:] / turned[:-1]])
    row = measured("clip", path(np.array([turned, moved]), camera))
    assert row.before.jitter_px > 1 and row.before.roll_deg > 0.5
    assert row.after.jitter_px < 1e-9 and row.after.accel_px < 1e-9 and row.after.roll_deg < 1e-9


def test_a_cut_is_no_motion() -> None:
    z = np.where(np.arange(FRAMES) < 300, 0.9, 0.7).astype(complex)
    row = measured("clip", path(np.array([z, 0 * z]), shots=(slice(0, 300), slice(300, FRAMES))))
    assert row.crop_breathing < 1e-9 and row.after.zoom_speed < 1e-9


def test_bars_name_the_clips_whose_crop_breathes() -> None:
    def row(clip: str, amplitude: float) -> Row:
        return measured(clip, path(np.array([0.9 * np.exp(-amplitude * sine(1)), np.zeros(FRAMES)], complex)))

    rows = [row("calm", 0.002), row("breathes", 0.01)]
    assert bars(rows)[0][1] == "breathes"
    assert median(rows).crop_breathing == pytest.approx(np.mean([r.crop_breathing for r in rows]))
