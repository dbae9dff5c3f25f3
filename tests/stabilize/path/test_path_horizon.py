"""A level horizon, and the static crop around a camera that rolls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stabilize.core import CameraPath
from stabilize.path.similarity import SimilarityPath
from stabilize.path.solve import solve_path
from stabilize.settings import PathConfig
from tests.stabilize.path.shaking_camera import camera_of, stays_inside


def _rolling_camera(roll_deg: float) -> CameraPath:
    """A camera that rolls to and fro by so much within 8 s, and knows where up is but for half a second."""
    roll = np.radians(roll_deg) * np.sin(np.arange(240) / 38)
    turn = np.exp(-1j * np.diff(roll))  # the picture turns against the camera
    step = np.stack([turn.real, turn.imag, np.zeros(239), np.zeros(239)], axis=1)
    known = np.where((np.arange(240) > 100) & (np.arange(240) < 115), np.nan, -roll)
    return replace(camera_of(step), level=known)


def _lean_deg(path: SimilarityPath, roll_deg: float) -> np.ndarray:
    """How far the output's horizon leans, from the poses alone."""
    truth = np.radians(roll_deg) * np.sin(np.arange(240) / 38)
    return np.asarray(np.degrees(np.arctan2(path.crop_pose[:, 1], path.crop_pose[:, 0]) + truth))


@pytest.mark.parametrize("limit", [0.0, 2.0])
def test_the_lean_of_the_horizon_keeps_its_limit(limit: float) -> None:
    camera = _rolling_camera(6.0)
    free = _lean_deg(solve_path(camera, PathConfig(max_crop=0.3)), 6.0)
    levelled = solve_path(camera, PathConfig(max_crop=0.3, horizon_deg=limit))
    assert np.abs(free).max() > limit + 0.5
    assert np.abs(_lean_deg(levelled, 6.0)).max() < limit + 0.1
    assert stays_inside(levelled)


def test_the_edge_of_the_frame_takes_precedence_over_the_horizon() -> None:
    path = solve_path(_rolling_camera(15.0), PathConfig(max_crop=0.1, horizon_deg=0.0))
    assert stays_inside(path)
    assert np.hypot(path.crop_pose[:, 0], path.crop_pose[:, 1]).min() > 0.89
    lean = np.abs(_lean_deg(path, 15.0))
    assert lean.max() > 5
    assert lean.max() < 14


def _swinging_camera(hz: float, wobble: float = 0.002) -> CameraPath:
    """A camera that swings by 15 degrees to either side, and knows where up is."""
    roll = np.radians(15) * np.sin(2 * np.pi * hz * np.arange(180) / 30)
    turn = np.exp(-1j * np.diff(roll))
    return replace(camera_of(np.stack([turn.real, turn.imag, 0 * roll[1:], 0 * roll[1:]], axis=1), wobble), level=-roll)


@pytest.mark.parametrize("hz, max_crop", [(0.15, 0.4), (0.7, 0.4), (1.0, 0.2)])
def test_a_static_crop_has_one_scale_however_it_turns(hz: float, max_crop: float) -> None:
    """Held level, the window turns by up to 15 degrees in the frame: its real part alone would breathe by 3 %."""
    path = solve_path(_swinging_camera(hz), PathConfig(zoom="static", max_crop=max_crop, horizon_deg=0.0))
    scale = np.hypot(path.crop_pose[:, 0], path.crop_pose[:, 1])
    assert np.ptp(np.arctan2(path.crop_pose[:, 1], path.crop_pose[:, 0])) > np.radians(14)
    assert np.ptp(scale) < 2e-4
    assert scale.min() > 1 - max_crop - 1e-3
    assert stays_inside(path)


def test_a_static_crop_is_as_large_as_the_tightest_frame_allows() -> None:
    """One scale is no excuse for a small one."""
    camera = _swinging_camera(1.0)
    dynamic, static = (solve_path(camera, PathConfig(zoom=zoom, horizon_deg=0.0)) for zoom in ("dynamic", "static"))
    tightest = np.hypot(dynamic.crop_pose[:, 0], dynamic.crop_pose[:, 1]).min()
    assert np.hypot(static.crop_pose[:, 0], static.crop_pose[:, 1]).min() > 0.995 * tightest
