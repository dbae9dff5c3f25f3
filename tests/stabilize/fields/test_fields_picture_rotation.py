"""Focal length and orientations from homographies, against cameras that are formulas and were never drawn."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gyro.lens import Lens
from stabilize.core import FrameGeometry, Motion, MotionModel, PairStatus, Timeline
from stabilize.fields.picture_rotation import picture_rotation
from stabilize.fields.self_calibration import FocalEstimate, estimate_focal
from stabilize.gyroscope.lens import UnitFrameLens
from stabilize.settings import FuseConfig

GEOMETRY = FrameGeometry(1280, 720)
FRAMES = 150
CORNERS = np.array([[x, y] for x in (-1, 0, 1) for y in (-0.56, 0, 0.56)])
NOISE_UNITS = 3e-4  # of a point at the border of the frame: a fifth of a pixel of 1280


def _smooth(rng: np.random.Generator, rms: float, hz: float = 3.0) -> np.ndarray:
    """Random curves (FRAMES, 3) of sines up to a frequency, at 30 frames per second."""
    t = np.arange(FRAMES)[:, None] / 30
    rates, phases = rng.uniform(0.2, hz, (8, 1, 3)), rng.uniform(0, 2 * np.pi, (8, 1, 3))
    return np.asarray(rms / 2 * np.sin(2 * np.pi * rates * t + phases).sum(axis=0))


def _orientations(seed: int, rms_deg: float = 3.0) -> Rotation:
    """R_world_cam of a shaking camera, that of the first frame being the identity."""
    R = Rotation.from_euler("YXZ", _smooth(np.random.default_rng(seed), rms_deg), degrees=True)
    return R[0].inv() * R


def _K(focal: float) -> np.ndarray:
    return np.diag([focal, focal, 1.0])


def _turning(R_world_cam: Rotation, focal: float) -> np.ndarray:
    """Homographies (n-1, 3, 3) of a rotating camera."""
    R = R_world_cam.as_matrix()
    return np.asarray(_K(focal) @ R[1:].transpose(0, 2, 1) @ R[:-1] @ np.linalg.inv(_K(focal)))


def _sliding(position: np.ndarray, normal: tuple[float, float, float], focal: float) -> np.ndarray:
    """Homographies of a camera that moves (n, 3) before a plane at distance 1 from the origin, without turning."""
    n = np.array(normal) / np.linalg.norm(normal)
    H = [np.eye(3) - np.outer(after - before, n) / (1 - n @ before) for before, after in pairwise(position)]
    return np.asarray(_K(focal) @ np.array(H) @ np.linalg.inv(_K(focal)))


def _noisy(H: np.ndarray, seed: int) -> np.ndarray:
    """The homographies through nine points that were measured with errors."""
    rng, noisy = np.random.default_rng(seed), []
    for h in H:
        image = np.column_stack([CORNERS, np.ones(9)]) @ h.T
        q = image[:, :2] / image[:, 2:] + rng.normal(0, NOISE_UNITS, (9, 2))
        rows = []
        for (x, y), (u, v) in zip(CORNERS, q, strict=True):
            rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
        noisy.append(np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3))
    return np.array([h / h[2, 2] for h in noisy])


def _focal(H: np.ndarray) -> FocalEstimate:
    return estimate_focal(H, np.ones(len(H)))


@pytest.mark.parametrize("focal", [0.8, 1.6, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_turning_camera_shows_its_focal_length(focal: float, seed: int) -> None:
    H = _turning(_orientations(seed), focal)
    exact = _focal(H)
    assert exact.basis == "measured" and exact.focal == pytest.approx(focal, rel=1e-3)
    measured = _focal(_noisy(H, seed))
    assert measured.basis == "measured" and measured.focal == pytest.approx(focal, rel=0.03)
    assert abs(measured.focal - focal) < 4 * measured.error


def test_the_stated_error_is_the_spread_over_repeated_measurements() -> None:
    H = _turning(_orientations(7, rms_deg=1.0), 1.6)
    estimates = [_focal(_noisy(H, seed)) for seed in range(40)]
    spread = np.std([e.focal for e in estimates])
    assert 0.5 < np.median([e.error for e in estimates]) / spread < 2


def test_wrong_pairs_and_foreground_motion_hardly_count() -> None:
    rng = np.random.default_rng(3)
    H = _noisy(_turning(_orientations(3), 1.6), 3)
    wrong = rng.choice(len(H), len(H) // 5, replace=False)
    H[wrong, 2, :2] += rng.normal(0, 0.1, (len(wrong), 2))
    estimate = _focal(H)
    assert estimate.basis == "measured" and estimate.focal == pytest.approx(1.6, rel=0.03)


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.5, 0.0, 1.0), (0.0, 1.0, 0.3)])
@pytest.mark.parametrize("seed", [0, 1, 2, 3, 37, 61, 157, 174])  # the last four are the most deceptive of 300
def test_a_translating_camera_shows_none(normal: tuple[float, float, float], seed: int) -> None:
    position = _smooth(np.random.default_rng(seed), 0.05)
    assert _focal(_noisy(_sliding(position, normal, 1.6), seed)).basis != "measured"


def test_what_does_not_move_or_has_a_long_lens_shows_none() -> None:
    still = _focal(_noisy(np.tile(np.eye(3), (FRAMES - 1, 1, 1)), 0))
    assert still.basis == "unknown" and 1 < still.focal < 3
    assert _focal(np.zeros((0, 3, 3))).basis == "unknown"
    assert _focal(_turning(_orientations(0, 0.5), 12.0)).basis == "no perspective"
    estimate = estimate_focal(_turning(_orientations(0), 1.6), np.zeros(FRAMES - 1))
    assert estimate.basis == "unknown"  # nothing is trusted


def _lens(focal: float, k1: float = 0.0) -> UnitFrameLens:
    half = GEOMETRY.half_long_px
    K = np.array([[focal * half, 0, 639.5], [0, focal * half, 359.5], [0, 0, 1]])
    return UnitFrameLens(Lens(1280, 720, K, "polynomial", (k1, 0, 0, 0)), half)


def _motion(H: np.ndarray, status: np.ndarray | None = None) -> Motion:
    pairs = len(H)
    status = np.full(pairs, PairStatus.OK, np.uint8) if status is None else status
    measured = status == PairStatus.OK
    return Motion(
        Timeline(np.arange(pairs + 1, dtype=np.int64), Fraction(1, 30)),
        GEOMETRY,
        np.where(measured[:, None, None], H / H[:, 2:, 2:], np.eye(3)),
        np.zeros((pairs, 10, 17, 2), np.float16),
        status,
        np.where(measured, MotionModel.HOMOGRAPHY, MotionModel.NONE).astype(np.uint8),
        measured.astype(np.float32),
        np.zeros(pairs, np.float32),
    )


def _errors_deg(orientation: np.ndarray, truth: Rotation) -> np.ndarray:
    return np.asarray(np.degrees((truth.inv() * Rotation.from_rotvec(orientation)).magnitude()))


@pytest.mark.parametrize("seed", range(3))
def test_orientations_are_those_of_the_camera(seed: int) -> None:
    R = _orientations(seed)
    H = _turning(R, 1.6)
    rotation = picture_rotation(_motion(H), _lens(1.6), FuseConfig())
    assert _errors_deg(rotation.orientation, R).max() < 0.001
    assert not rotation.line_turn.any() and not rotation.line_shift.any() and not rotation.gravity
    noisy = picture_rotation(_motion(_noisy(H, seed)), _lens(1.6), FuseConfig())
    assert _errors_deg(noisy.orientation, R).max() < 0.1


def test_a_lens_that_bends_lines_is_taken_into_account() -> None:
    """The homography of what a distorting lens shows around the middle: far from it only rays tell the turn."""
    R = _orientations(1)
    lens = _lens(1.2, k1=-0.2)
    turns = (R[1:].inv() * R[:-1]).as_matrix()
    nodes = 0.3 * CORNERS
    H = []
    for turn in turns:
        q = lens.points(lens.rays(nodes) @ turn.T)
        rows = []
        for (x, y), (u, v) in zip(nodes, q, strict=True):
            rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
        H.append(np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3))
    rotation = picture_rotation(_motion(np.array(H)), lens, FuseConfig())
    assert _errors_deg(rotation.orientation, R).max() < 0.5


def test_unmeasured_pairs_are_bridged_and_shots_start_anew() -> None:
    """A camera that turns at a constant rate, seen in four pairs of five; then a cut."""
    R = Rotation.from_rotvec(np.arange(FRAMES)[:, None] * np.radians([0.1, 0.2, 0.05]))
    status = np.full(FRAMES - 1, PairStatus.OK, np.uint8)
    status[2::5] = PairStatus.BLURRED
    status[99] = PairStatus.CUT
    rotation = picture_rotation(_motion(_turning(R, 1.6), status), _lens(1.6), FuseConfig(), ("a note",))
    assert rotation.notes == ("a note",) and rotation.known.all()
    assert _errors_deg(rotation.orientation[:100], R[:100]).max() < 0.01
    assert _errors_deg(rotation.orientation[100:], R[100].inv() * R[100:]).max() < 0.01
    dark = np.full(FRAMES - 1, PairStatus.DARK, np.uint8)
    none = picture_rotation(_motion(_turning(R, 1.6), dark), _lens(1.6), FuseConfig())
    assert not none.orientation.any()


def test_a_turn_that_no_hand_makes_is_bridged() -> None:
    R = Rotation.from_rotvec(np.arange(FRAMES)[:, None] * np.radians([0.0, 0.2, 0.0]))
    H = _turning(R, 1.6)
    H[70] = _turning(Rotation.from_rotvec(np.radians([[0.0, 0.0, 0.0], [0.0, 0.0, 40.0]])), 1.6)[0]
    rotation = picture_rotation(_motion(H), _lens(1.6), FuseConfig())
    assert _errors_deg(rotation.orientation, R).max() < 0.01


def test_a_single_frame_has_an_orientation() -> None:
    rotation = picture_rotation(_motion(np.zeros((0, 3, 3))), _lens(1.6), FuseConfig())
    assert rotation.orientation.shape == (1, 3)


@pytest.mark.parametrize("wobble_s, least, most", [(0.3, 0.0, 0.2), (0.0, 0.8, 1.2)])
def test_what_no_rotation_explains_is_wobble_where_it_is_fast(wobble_s: float, least: float, most: float) -> None:
    """A lens whose focal length flickers by 1 % six times a second: where the world's points are in each frame."""
    R = _orientations(2, rms_deg=1.0)
    flicker = 1 + 0.01 * np.sin(2 * np.pi * 6 * np.arange(FRAMES) / 30 + 0.4)
    K = [_K(1.6 * share) for share in flicker]
    turns = (R[1:].inv() * R[:-1]).as_matrix()
    H = np.array([K[i + 1] @ turns[i] @ np.linalg.inv(K[i]) for i in range(FRAMES - 1)])
    rotation = picture_rotation(_motion(H), _lens(1.6), FuseConfig(wobble_s=wobble_s))
    rays = np.column_stack([0.8 * CORNERS, np.full(9, 1.6)])
    predicted = rotation.project(slice(None), np.broadcast_to(rays, (FRAMES, 9, 3)))
    truth = flicker[:, None, None] * 0.8 * CORNERS
    flicker_rms = np.sqrt(np.mean((truth - 0.8 * CORNERS) ** 2))
    error_rms = np.sqrt(np.mean((predicted - truth)[20:-20] ** 2))
    assert least <= error_rms / flicker_rms < most
