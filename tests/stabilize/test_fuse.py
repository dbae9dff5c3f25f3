"""How picture and gyroscope log are fused: synthetic motions whose parts are known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from stabilize import spool
from stabilize.core import CameraPath, FrameGeometry, Motion, MotionModel, PairStatus, Timeline
from stabilize.fields.grid import node_positions
from stabilize.fields.smoothing import SIGMA_FRAMES_MAX, gaussian_mean, in_frames
from stabilize.fuse import RESIDUAL_UNITS_MAX, TRUST_MIN, RotationFields, camera_path
from stabilize.path.solve import solve_path
from stabilize.settings import FuseConfig, PathConfig

FRAMES, ROWS, COLS = 90, 10, 17
GEOMETRY = FrameGeometry(640, 360)


def motion(shift: np.ndarray, status: PairStatus = PairStatus.OK, coverage: float = 0.9) -> Motion:
    """A motion of pairs that shift by (n-1, 2) units."""
    pairs = len(shift)
    model = MotionModel.HOMOGRAPHY if status in (PairStatus.OK, PairStatus.FAINT) else MotionModel.NONE
    H = np.repeat(np.eye(3)[None], pairs, axis=0)
    H[:, :2, 2] = shift
    return Motion(
        Timeline(np.arange(pairs + 1, dtype=np.int64), Fraction(1, 30)),
        GEOMETRY,
        H,
        np.zeros((pairs, ROWS, COLS, 2), np.float16),
        np.full(pairs, status, np.uint8),
        np.full(pairs, model, np.uint8),
        np.full(pairs, coverage, np.float32),
        np.zeros(pairs, np.float32),
    )


def fields(shift: np.ndarray, known: np.ndarray | None = None) -> RotationFields:
    """A log by which every node shifts by (n-1, 2) units."""
    pairs = len(shift)
    turned = np.broadcast_to(shift[:, None, None, :], (pairs, ROWS, COLS, 2)).astype(np.float32)
    shutter = np.zeros((pairs + 1, ROWS, COLS, 2), np.float32)
    return RotationFields(turned, shutter, np.ones(pairs, bool) if known is None else known)


def steps(path: CameraPath) -> np.ndarray:
    """The shift of each pair, (n-1, 2)."""
    return np.asarray(path.step[:, 2:])


def shake(rng: np.random.Generator, size: float = 0.02) -> np.ndarray:
    return np.asarray(rng.normal(0, size, (FRAMES - 1, 2)))


def fused(picture: Motion, log: RotationFields | None, doubt: float = 0.0) -> CameraPath:
    return camera_path(picture, FuseConfig(doubt=doubt), log)


@pytest.mark.parametrize(
    "status", [PairStatus.DARK, PairStatus.BLURRED, PairStatus.TEXTURELESS, PairStatus.NO_CONSENSUS]
)
def test_an_unmeasured_pair_follows_the_log(status: PairStatus) -> None:
    turned = shake(np.random.default_rng(1))
    path = fused(motion(np.zeros_like(turned), status), fields(turned))
    np.testing.assert_allclose(steps(path), turned, atol=1e-6)
    doubt = FuseConfig(doubt=1)
    nothing = motion(np.zeros_like(turned), status)
    assert camera_path(nothing, doubt, fields(turned)).weight.tolist() == [1] * len(turned)
    least = camera_path(nothing, doubt, None).weight  # with neither, every pair has the lowest trust
    np.testing.assert_allclose(least, TRUST_MIN)


def test_a_gap_of_the_log_follows_the_picture() -> None:
    turned = shake(np.random.default_rng(2))
    known = np.ones(FRAMES - 1, bool)
    known[30:50] = False
    wrong = turned.copy()
    wrong[30:50] = 0.3  # values in a gap mean nothing
    path = fused(motion(turned), fields(wrong, known))
    np.testing.assert_allclose(steps(path), turned, atol=1e-6)


def test_parallax_is_taken_from_the_picture() -> None:
    """Up to what translation can do; beyond it the picture is wrong, not the log."""
    rng = np.random.default_rng(3)
    turned, parallax = shake(rng), 0.4 * RESIDUAL_UNITS_MAX * np.tanh(rng.normal(0, 1, (FRAMES - 1, 2)))
    np.testing.assert_allclose(steps(fused(motion(turned + parallax), fields(turned))), turned + parallax, atol=1e-6)
    far = fused(motion(turned + 5 * RESIDUAL_UNITS_MAX), fields(turned))
    np.testing.assert_allclose(steps(far), turned + RESIDUAL_UNITS_MAX, atol=1e-6)


def test_a_picture_with_hardly_any_support_is_ignored() -> None:
    rng = np.random.default_rng(4)
    turned = shake(rng)
    path = fused(motion(turned + rng.normal(0, 0.01, turned.shape), coverage=0.05), fields(turned))
    np.testing.assert_allclose(steps(path), turned, atol=1e-6)


def test_the_noise_of_faint_pictures_is_averaged_and_their_parallax_kept() -> None:
    rng = np.random.default_rng(5)
    turned, noise = shake(rng), rng.normal(0, 0.003, (FRAMES - 1, 2))
    sway = 0.01 * np.sin(2 * np.pi * 1.5 * np.arange(FRAMES - 1) / 30)[:, None] * np.ones(2)
    left = steps(fused(motion(turned + sway + noise, PairStatus.FAINT), fields(turned))) - turned
    assert np.diff(left - sway, axis=0).std() < 0.45 * np.diff(noise, axis=0).std()
    assert np.sqrt(np.mean((left - sway)[5:-5] ** 2)) < 0.7 * noise.std()


def test_the_shutter_goes_into_the_wobble_and_not_into_the_path() -> None:
    """A frame whose rows lag appears bent. The log says how, so none of it stays in the steps."""
    rng = np.random.default_rng(6)
    turned = shake(rng, 0.01)
    log = fields(turned)
    lag = np.linspace(-1, 1, ROWS)[None, :, None, None] * rng.normal(0, 0.005, (FRAMES, 1, 1, 2))
    log.shutter[:] = lag
    bent = motion(turned)
    bent.mesh[:] = (lag[1:] - lag[:-1]).astype(np.float16)  # to first order
    path = fused(bent, log)
    np.testing.assert_allclose(steps(path), turned, atol=3e-4)
    np.testing.assert_allclose(path.wobble, np.broadcast_to(lag, path.wobble.shape), atol=2e-3)


def test_a_long_video_is_fused_in_parts_as_if_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks leave no seams: whatever depends on neighbouring frames reaches across them."""
    rng = np.random.default_rng(7)
    turned = rng.normal(0, 0.02, (400, 2))
    picture, log = motion(turned + rng.normal(0, 0.004, turned.shape)), fields(turned)
    picture.mesh[:] = rng.normal(0, 1e-3, picture.mesh.shape)
    picture.coverage[:] = rng.uniform(0, 0.5, 400)
    picture.status[rng.random(400) < 0.3] = PairStatus.FAINT
    picture.status[200] = PairStatus.CUT
    whole = fused(picture, log)
    monkeypatch.setattr(spool, "CHUNK_FRAMES", 32)
    parts = fused(picture, log)
    np.testing.assert_allclose(parts.step, whole.step, atol=1e-6)
    np.testing.assert_allclose(parts.wobble, whole.wobble, atol=1e-4)


def _with_local_motion(rng: np.random.Generator) -> Motion:
    picture = motion(shake(rng))
    picture.mesh[:] = rng.normal(0, 1e-3, picture.mesh.shape)
    return picture


@pytest.mark.parametrize("time_base", [Fraction(1, 2**31), Fraction(1, 10**9), Fraction(2**31)], ids=str)
@pytest.mark.parametrize("widest", [1, 10**9])
def test_any_valid_clock_has_a_camera_path(time_base: Fraction, widest: int) -> None:
    """RuntimeWarnings are errors in all tests; windows are no longer than the longest that a film can need."""
    rng = np.random.default_rng(8)
    steps = np.exp(rng.uniform(0, np.log(widest), FRAMES - 1)).astype(np.int64) + 1
    picture = replace(_with_local_motion(rng), timeline=Timeline(np.concatenate([[0], np.cumsum(steps)]), time_base))
    path = fused(picture, fields(shake(rng)))
    assert np.isfinite(path.step).all() and np.abs(path.wobble).max() <= FuseConfig().wobble_limit * 1.01


def test_a_clock_that_runs_too_fast_is_read_as_30_frames_per_second() -> None:
    picture = _with_local_motion(np.random.default_rng(9))
    fast = replace(picture, timeline=Timeline(picture.timeline.pts, Fraction(1, 10**9)))
    np.testing.assert_array_equal(fused(fast, None).wobble, fused(picture, None).wobble)


def test_a_kernel_is_of_bounded_length() -> None:
    assert in_frames(0.3, 1 / 30) == pytest.approx(9)
    assert in_frames(5.0, 1e-9) == SIGMA_FRAMES_MAX
    ramp = np.arange(50.0)[:, None]
    mean = gaussian_mean(ramp, in_frames(5.0, 1e-9))
    np.testing.assert_allclose(mean, 24.5, atol=0.5)  # of both end values, repeated


def test_a_step_that_no_camera_can_make_is_bridged() -> None:
    """A mesh or a log that moves every point to the centre is invalid: the path is interpolated there."""
    rng = np.random.default_rng(10)
    nodes = node_positions(ROWS, COLS, GEOMETRY.half_extent)
    collapsed = _with_local_motion(rng)
    collapsed.H_next_prev[:, :2, 2] = [0.01, 0]
    collapsed.mesh[40] = -nodes
    path = fused(collapsed, None, doubt=1.0)
    np.testing.assert_allclose(path.step[40], [1, 0, 0.01, 0], atol=2e-3)
    assert path.weight[40] == pytest.approx(TRUST_MIN)
    log = fields(shake(rng))
    log.displacement[40] = -nodes
    log.displacement[41] = 1e6
    log.shutter[42] = 1e6
    path = fused(motion(shake(rng)), log, doubt=1.0)
    assert path.weight[40:42] == pytest.approx(TRUST_MIN) and np.abs(path.wobble).max() < 4


def test_doubt_follows_support_and_residual_where_no_log_covers_the_pair() -> None:
    picture = motion(shake(np.random.default_rng(3)))
    picture.coverage[[5, 6]] = 0.05, 0.2
    picture.residual[[7, 8, 9]] = 0.003, 0.03, 0.0015
    np.testing.assert_array_equal(fused(picture, None).weight, 1)
    weight = fused(picture, None, doubt=1.0).weight
    np.testing.assert_allclose(weight[4:10], [1, TRUST_MIN, 0.4, 0.5, 1 / 101, 0.8], atol=1e-6)
    np.testing.assert_allclose(fused(picture, None, doubt=0.5).weight, np.sqrt(weight))
    known = np.arange(FRAMES - 1) != 6
    weight = fused(picture, fields(shake(np.random.default_rng(3)), known), doubt=1.0).weight
    np.testing.assert_allclose(weight, np.where(known, 1, 0.4), atol=1e-6)


def test_a_wrong_step_with_little_trust_bends_the_path_less() -> None:
    """A constant pan with one pair that jumps by more than the crop can hide: the path bends before and after it."""
    wrong = 40
    picture = motion(np.tile([0.01, 0.0], (FRAMES - 1, 1)))
    picture.H_next_prev[wrong, 0, 2] += 0.3
    picture.coverage[wrong] = 0.05

    def bend(doubt: float) -> float:
        pose = solve_path(fused(picture, None, doubt), PathConfig(max_crop=0.05)).crop_pose
        return float(np.abs(np.diff(pose[:, 2], 2)).sum())  # a constant pan has none

    assert bend(1.0) < 0.4 * bend(0.0)
