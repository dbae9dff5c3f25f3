"""Axes, directions of translation and derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gyro.estimate.axes import align, handedness, nearest_axes, rank_axes, signed_permutations
from gyro.estimate.model import INDEX, PARAMETERS, Camera, observe
from gyro.estimate.problem import SyncSettings, normalize_points
from gyro.estimate.residuals import evaluate, jacobian
from gyro.estimate.translation import directions
from gyro.estimate.visual import pair_rotations
from tests.gyro.estimate import simulate


def test_there_are_24_turns_and_24_mirrors() -> None:
    matrices = signed_permutations()
    assert len({m.tobytes() for m in matrices}) == 48
    assert [round(np.linalg.det(m)) for m in matrices] == [1] * 24 + [-1] * 24


@pytest.mark.parametrize("which", range(48))
def test_every_axis_assignment_is_recovered_from_noise(which: int) -> None:
    rng = np.random.default_rng(which)
    matrix = signed_permutations()[which]
    body = rng.normal(0, (1.0, 0.6, 0.3), (400, 3))
    camera = body @ matrix.T + rng.normal(0, 0.2, (400, 3))
    covariance = camera.T @ body
    best = rank_axes(covariance)[0]
    assert np.array_equal(best.matrix, matrix)
    assert best.improper == (which >= 24)
    assert handedness(covariance) == (which >= 24,)
    mount = align(covariance, best.improper)
    assert nearest_axes(mount, best.improper) == best.name


def test_one_axis_leaves_handedness_open() -> None:
    assert handedness(np.diag([1.0, 1e-3, 1e-4])) == (False, True)


def _rays(rng: np.random.Generator, n: int) -> np.ndarray:
    ray = np.column_stack([rng.uniform(-0.6, 0.6, n), rng.uniform(-0.35, 0.35, n), np.ones(n)])
    return np.asarray(ray / np.linalg.norm(ray, axis=1, keepdims=True))


def _noise(ray: np.ndarray, focal_px: float) -> np.ndarray:
    side = np.stack([np.broadcast_to(unit, ray.shape) for unit in ([1.0, 0, 0], [0, 1.0, 0])]) / focal_px
    return np.stack([np.cross(ray, one) for one in side])


def test_direction_of_a_camera_among_movers() -> None:
    rng = np.random.default_rng(1)
    ray, truth = _rays(rng, 200), np.array([0.3, -0.1, 0.95])
    truth /= np.linalg.norm(truth)
    other = ray - truth * rng.uniform(0.005, 0.05, (200, 1)) + rng.normal(0, 2e-4, (200, 3))
    other[:50] += (0.03, 0.0, 0.0)
    n = np.cross(ray, other)
    m = directions(n, _noise(ray, 500.0), np.zeros(200, int), 1, sigma_px=0.2)[0]
    assert np.rad2deg(np.arccos(abs(m @ truth))) < 1.5


def test_noise_alone_looks_forward_less_than_by_plain_svd() -> None:
    rng = np.random.default_rng(2)
    pairs, each = 300, 60
    ray = _rays(rng, pairs * each)
    n = np.cross(ray, ray + rng.normal(0, 4e-4, ray.shape))
    m = directions(n, _noise(ray, 500.0), np.repeat(np.arange(pairs), each), pairs, sigma_px=0.2)
    forward = np.mean(np.abs(m[:, 2]) > np.cos(np.deg2rad(30)))
    plain = np.array([np.linalg.svd(part)[2][-1] for part in np.split(n, pairs)])
    assert np.mean(np.abs(plain[:, 2]) > np.cos(np.deg2rad(30))) > 0.99
    assert forward < 0.8


def test_visual_rotation_in_spite_of_movers() -> None:
    rng = np.random.default_rng(3)
    theta = np.array([0.012, -0.02, 0.015])
    ray = _rays(rng, 150)
    other = Rotation.from_rotvec(-theta).apply(ray) + rng.normal(0, 3e-4, ray.shape)
    other[:30] += (0.02, 0.0, 0.0)
    found = pair_rotations(ray, np.cross(ray, other), np.zeros(150, int), 1)[0]
    assert np.linalg.norm(found - theta) < 5e-4


@pytest.mark.parametrize("name", PARAMETERS)
def test_derivatives_by_every_parameter(name: str) -> None:
    scene = simulate.Scene("action", duration_s=2.0, translate=False, noise_px=0.0, outliers=0.0, k1=0.0)
    tracks, log = simulate.tracks(scene), simulate.log(scene)
    obs = observe(tracks, normalize_points(tracks, SyncSettings(focal_px=520.0)), np.arange(len(tracks.pair)), 520.0)
    camera = Camera(0.352, 1e-3, Rotation.identity(), np.array([1e-3, 0, 0]), 0.01, np.array([0.01, 0.002]), 0.01, 1.0)
    J = jacobian(obs, evaluate(obs, log, camera, "turns"))[:, :, INDEX[name]]
    delta = np.zeros(len(PARAMETERS))
    delta[INDEX[name]] = 1e-5
    high, low = (evaluate(obs, log, camera.plus(sign * delta), "turns").e for sign in (1, -1))
    numeric = (high - low) / 2e-5
    assert np.sqrt(np.mean((J - numeric) ** 2)) < 0.08 * np.sqrt(np.mean(numeric**2))
