"""Motion on generated clips with known truth, and on pictures that show nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from samples import CLIPS, generate, truth
from stabilize.core import FrameGeometry, Motion, MotionModel, PairStatus
from stabilize.errors import MotionError
from stabilize.motion import pair
from stabilize.motion.estimate import estimate_motion
from stabilize.motion.mesh import least_stretch
from stabilize.motion.sources import SOURCES
from stabilize.motion.stream import analysis_size
from stabilize.settings import MotionConfig

RATE = 90_000


def _grays(name: str, duration_s: float) -> Iterator[tuple[int, np.ndarray]]:
    spec = replace(CLIPS[name], duration_s=duration_s)
    for time_s, picture in generate(spec):
        yield round(time_s * RATE), cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture


def _motion(name: str, duration_s: float = 1.0, **config: object) -> Motion:
    spec = CLIPS[name]
    geometry = FrameGeometry(spec.width, spec.height)
    return estimate_motion(_grays(name, duration_s), geometry, Fraction(1, RATE), MotionConfig(**config))  # type: ignore[arg-type]


def _corner_errors_px(motion: Motion, name: str, duration_s: float) -> np.ndarray:
    """Mean distance over the four corner pixels, (pairs,)."""
    T = motion.geometry.T_px_unit
    w, h = motion.geometry.width - 1, motion.geometry.height - 1
    corners = np.array([[0, 0, 1], [w, 0, 1], [0, h, 1], [w, h, 1.0]]).T
    errors = []
    for H, true in zip(motion.H_next_prev, truth(replace(CLIPS[name], duration_s=duration_s)).H_next_prev, strict=True):
        a, b = T @ H @ np.linalg.inv(T) @ corners, true @ corners
        errors.append(np.linalg.norm(a[:2] / a[2] - b[:2] / b[2], axis=0).mean())
    return np.array(errors)


@pytest.mark.parametrize(
    "name", ["flat-handheld", "flat-walk", "flat-large", "flat-exposure", "flat-blur", "flat-noise"]
)
def test_homographies_are_within_a_tenth_of_a_pixel(name: str) -> None:
    motion = _motion(name)
    assert (motion.status == PairStatus.OK).all()
    assert _corner_errors_px(motion, name, 1.0).mean() < 0.1


@pytest.mark.parametrize("flow", SOURCES)
def test_a_faint_picture_is_measured_where_noise_would_stand_still(flow: str) -> None:
    """A wall without texture, noise above what shades there are: rotation alone, so the true flow is known."""
    motion = _motion("plain", 0.7, flow=flow)
    assert (motion.status == PairStatus.FAINT).all()
    spec = replace(CLIPS["plain"], duration_s=0.7)
    still = np.linalg.norm(truth(spec).H_next_prev[:, :2, 2], axis=1).mean()
    assert still > 1  # px that standing still would be wrong by
    assert _corner_errors_px(motion, "plain", 0.7).mean() < 0.6


@pytest.mark.parametrize("flow", SOURCES)
def test_every_flow_measures_a_hand_held_camera(flow: str) -> None:
    motion = _motion("flat-handheld", 0.5, flow=flow)
    assert _corner_errors_px(motion, "flat-handheld", 0.5).mean() < 0.3


def test_half_a_picture_of_foreground_does_not_carry_the_camera() -> None:
    motion = _motion("flat-foreground", 2.0)
    assert np.median(_corner_errors_px(motion, "flat-foreground", 2.0)) < 0.1


@pytest.mark.slow
def test_a_tripod_behind_a_moving_foreground_stands_still() -> None:
    motion = _motion("tripod", 2.0)
    still = motion.model == MotionModel.STILL
    assert still.mean() > 0.95
    np.testing.assert_array_equal(motion.H_next_prev[still], np.tile(np.eye(3), (still.sum(), 1, 1)))


def test_reference_mode_does_not_drift() -> None:
    """Added-up motion against the truth at the end: from key frames it is bounded by the fit, not by the length."""
    true = truth(replace(CLIPS["flat-handheld"], duration_s=2.0)).H_next_prev
    motion = _motion("flat-handheld", 2.0, reference=True)
    T = motion.geometry.T_px_unit
    whole, whole_true = np.eye(3), np.eye(3)
    for H, t in zip(motion.H_next_prev, true, strict=True):
        whole, whole_true = T @ H @ np.linalg.inv(T) @ whole, t @ whole_true
    centre = np.array([319.5, 179.5, 1])
    a, b = whole @ centre, whole_true @ centre
    assert np.linalg.norm(a[:2] / a[2] - b[:2] / b[2]) < 0.2


@pytest.mark.slow
def test_a_cut_is_found_and_splits_the_shots() -> None:
    spec = CLIPS["cuts"]
    at = round(spec.cuts[0][0] * spec.fps)
    motion = _motion("cuts", spec.cuts[0][0] + 0.5)
    assert np.flatnonzero(motion.status == PairStatus.CUT).tolist() == [at - 1]
    assert [s.start for s in motion.shots] == [0, at]


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "name", [pytest.param("fade", marks=SLOW), pytest.param("fastpan", marks=SLOW), "flat-exposure"]
)
def test_fades_pans_and_flashes_are_no_cuts(name: str) -> None:
    assert len(_motion(name, 3.0).shots) == 1


def _estimate(pictures: list[np.ndarray], **config: object) -> Motion:
    height, width = pictures[0].shape
    timed = ((i, p) for i, p in enumerate(pictures))
    return estimate_motion(timed, FrameGeometry(width, height), Fraction(1, 30), MotionConfig(**config))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "level, expected", [(0, PairStatus.DARK), (128, PairStatus.TEXTURELESS), (255, PairStatus.TEXTURELESS)]
)
def test_empty_pictures_fail_by_name(level: int, expected: PairStatus) -> None:
    motion = _estimate([np.full((180, 320), level, np.uint8)] * 4)
    assert motion.status.tolist() == [expected] * 3


def test_a_still_camera_before_nothing_but_noise_and_shades_stays_still() -> None:
    rng, (y, x) = np.random.default_rng(3), np.mgrid[:360, :640]
    shades = 120 + 8 * np.sin(x / 60) * np.cos(y / 45)
    motion = _estimate([np.clip(shades + rng.normal(0, 3, shades.shape), 0, 255).astype(np.uint8) for _ in range(30)])
    assert (motion.status == PairStatus.FAINT).all()
    assert (motion.model == MotionModel.STILL).all()


def test_unrelated_noise_is_no_motion() -> None:
    rng = np.random.default_rng(0)
    motion = _estimate([rng.integers(0, 255, (180, 320), dtype=np.uint8) for _ in range(4)])
    assert not motion.measured.any()


def test_black_frames_in_the_middle_are_bridged_by_the_caller() -> None:
    frames = [p for _, p in _grays("flat-handheld", 0.4)]
    frames[5] = np.zeros_like(frames[5])
    motion = _estimate(frames)
    assert motion.status[4] == motion.status[5] == PairStatus.DARK
    assert (np.delete(motion.status, [4, 5]) == PairStatus.OK).all()


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (64, 8)])
def test_tiny_pictures_do_not_crash(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    base = cv2.GaussianBlur(rng.integers(0, 255, (size[1], size[0]), dtype=np.uint8), (3, 3), 0)
    motion = _estimate([np.roll(base, k, axis=1) for k in range(4)])
    assert np.isfinite(motion.H_next_prev).all()


def test_one_frame_is_a_motion_without_pairs() -> None:
    assert len(_estimate([np.zeros((90, 160), np.uint8)]).H_next_prev) == 0


@pytest.mark.parametrize("pts", [[0, 2**63], [-(2**63), 2**63 - 1], [5, 5]])
def test_times_beyond_use_are_said_to_be_so(pts: list[int]) -> None:
    pictures = [(at, np.zeros((90, 160), np.uint8)) for at in pts]
    with pytest.raises(MotionError, match="times of the video's frames"):
        estimate_motion(pictures, FrameGeometry(160, 90), Fraction(1, 30), MotionConfig())


def test_a_motion_that_no_camera_makes_is_no_consensus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a fit makes of points on a line: what is handed on is a motion, or a reason for none."""
    crushed = np.diag([1.0, 1e-6, 1.0])
    monkeypatch.setattr(pair, "choose", lambda *_: (MotionModel.AFFINE, crushed))
    motion = _estimate([p for _, p in _grays("flat-handheld", 0.2)])
    assert (motion.status == PairStatus.NO_CONSENSUS).all()
    assert (motion.model == MotionModel.NONE).all()


def test_the_mesh_never_folds() -> None:
    motion = _motion("walk", 1.0)
    assert min(least_stretch(m, motion.geometry.half_extent) for m in motion.mesh) > 0.2


def test_the_same_video_gives_the_same_motion() -> None:
    a, b = _motion("walk", 0.5), _motion("walk", 0.5)
    np.testing.assert_array_equal(a.H_next_prev, b.H_next_prev)
    np.testing.assert_array_equal(a.mesh, b.mesh)


def test_analysis_keeps_the_shape_in_square_pixels() -> None:
    assert analysis_size(FrameGeometry(1920, 1080), 640) == (640, 360)
    assert analysis_size(FrameGeometry(1440, 1080, 4 / 3), 640) == (640, 360)
    assert analysis_size(FrameGeometry(320, 240), 640) == (320, 240)
