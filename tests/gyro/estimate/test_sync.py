"""Synchronisation of simulated clips: values, standard errors, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import samples
from gyro.errors import SyncError
from gyro.estimate import (
    LensShift,
    SyncResult,
    SyncSettings,
    Tracks,
    camera_orientation,
    estimate_shift,
    logged_shift,
    remove_lens_shift,
    self_calibrated_lens,
    synchronize,
)
from gyro.lens import simple_lens, unproject
from gyro.log import GyroLog, OisLog
from tests.gyro.estimate import simulate
from tests.gyro.estimate.simulate import Scene, changed

TURNED = Rotation.from_euler("xyz", [90, 0, 180], degrees=True) * Rotation.from_rotvec([0.01, -0.02, 0.015])
BASE = Scene(duration_s=5.0, bias_deg_s=(0.5, -0.3, 0.4), offset_s=-0.73, features=60)
SCENES = {
    "walk, 1 % drift": changed(BASE, drift=0.01, R_cam_gyro=TURNED, readout_s=0.02, movers=0.15, seed=1),
    "pan, mirrored log": changed(BASE, motion="pan", translate=False, improper=True, readout_s=-0.016, seed=2),
    "hand, 100 Hz, global": changed(BASE, motion="hand", translate=False, rate_hz=100.0, readout_s=0.0, seed=3),
    "action, columns": changed(BASE, motion="action", columns=True, readout_s=0.02, rate_hz=500.0, seed=4),
}


@pytest.fixture(scope="module", params=SCENES, ids=str)
def case(request: pytest.FixtureRequest) -> tuple[Scene, Tracks, GyroLog, SyncResult]:
    scene = SCENES[request.param]
    tracks, log = simulate.tracks(scene), simulate.log(scene)
    return scene, tracks, log, synchronize(tracks, log)


def test_values_are_right_within_their_standard_errors(case: tuple[Scene, Tracks, GyroLog, SyncResult]) -> None:
    scene, _, _, found = case
    assert found.accepted
    assert found.improper == scene.improper
    assert found.readout_axis == ("columns" if scene.columns else "rows")
    turn = (found.R_cam_gyro * scene.R_cam_gyro.inv()).as_rotvec()
    bias = found.bias_rad_s - np.deg2rad(scene.bias_deg_s)
    error = {
        "offset_s": found.offset_s - scene.offset_s,
        "drift": found.drift - scene.drift,
        "focal_px": found.focal_px - scene.focal_px,
        "readout_s": found.readout_s - scene.readout_s,
        **{f"rotation_{axis}": turn[i] for i, axis in enumerate("xyz")},
        **{f"bias_{axis}": bias[i] for i, axis in enumerate("xyz")},
    }
    middle = found.log_time(np.array(found.mid_s)) - (found.mid_s * (1 + scene.drift) + scene.offset_s)
    assert abs(middle) < 0.5e-3
    assert abs(error["readout_s"]) < 1e-3
    assert abs(error["focal_px"]) < 0.01 * scene.focal_px
    assert np.linalg.norm(turn) < np.deg2rad(1.5)
    assert {name: abs(value) < 3.5 * found.std[name] for name, value in error.items()} == dict.fromkeys(error, True)


def test_rows_are_where_the_camera_was(case: tuple[Scene, Tracks, GyroLog, SyncResult]) -> None:
    scene, tracks, log, found = case
    track, world = camera_orientation(log, found), simulate.World(scene)
    frame, bands = tracks.time_s[90], 9
    share = (np.arange(bands) + 0.5) / bands - 0.5
    bands_R = track.evaluate(frame + found.readout_s * share)
    truth = world.rotation(frame + scene.readout_s * share)
    turned = (truth[0].inv() * truth).inv() * (bands_R[0].inv() * bands_R)
    assert turned.magnitude().max() * scene.focal_px < 0.5  # px between the lines of one frame


def test_video_and_log_time_are_inverse(case: tuple[Scene, Tracks, GyroLog, SyncResult]) -> None:
    t = np.linspace(-3, 20, 50)
    assert np.allclose(case[3].video_time(case[3].log_time(t)), t, atol=1e-12)


def test_self_calibrated_lens_is_the_division_model(case: tuple[Scene, Tracks, GyroLog, SyncResult]) -> None:
    found = case[3]
    lens = self_calibrated_lens(found, 640, 360)
    px = np.random.default_rng(0).uniform((0, 0), (639, 359), (50, 2))
    r_d = (px - (319.5, 179.5)) / found.focal_px
    plain = np.column_stack([r_d / (1 + found.k1 * np.sum(r_d**2, axis=1, keepdims=True)), np.ones(50)])
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    assert np.abs(unproject(lens, px) - plain).max() * found.focal_px < 0.05


def test_another_log_is_refused() -> None:
    found = synchronize(simulate.tracks(BASE), simulate.log(changed(BASE, seed=77)))
    assert found.refusal is not None
    assert "contradictory" in found.refusal


@pytest.mark.slow
def test_a_clip_stabilised_in_the_camera_is_refused() -> None:
    """The video has the slow pan without the shake; the log has both."""
    scene = changed(BASE, motion="pan", translate=False, readout_s=0.0)
    shaken, still = simulate.World(scene), simulate.RMS_DEG["pan"]
    simulate.RMS_DEG["pan"] = 0.02
    try:
        tracks = simulate.tracks(scene)
    finally:
        simulate.RMS_DEG["pan"] = still
    found = synchronize(tracks, simulate.log(scene))
    assert shaken.rate(np.linspace(0, 5, 50)).std() > 0.05
    assert found.refusal is not None
    assert found.evidence.explained_shake < 0.3


def test_a_wrong_frame_rate_is_named() -> None:
    tracks = simulate.tracks(BASE)
    slow = Tracks(tracks.time_s / 3, tracks.width, tracks.height, tracks.pair, tracks.prev_px, tracks.next_px)
    found = synchronize(slow, simulate.log(BASE, pad_s=0.1))
    assert found.refusal is not None
    assert "frame rate" in found.refusal


def test_a_static_camera_determines_nothing() -> None:
    scene = changed(BASE, motion="still")
    found = synchronize(simulate.tracks(scene), simulate.log(scene))
    assert found.refusal is not None


def test_a_given_lens_is_not_changed() -> None:
    scene = changed(BASE, seed=5)
    settings = SyncSettings(lens=simple_lens(640, 360, 520.0), focal_rel_std=0.0, k1_std=0.0)
    found = synchronize(simulate.tracks(scene), simulate.log(scene), settings)
    assert found.accepted
    assert found.focal_px == pytest.approx(520.0)
    assert {"focal_px", "k1"} <= set(found.unobservable)
    assert abs(found.log_time(np.array(3.0)) - (3.0 + scene.offset_s)) < 0.3e-3


def test_too_few_matches_are_an_error() -> None:
    empty = Tracks(np.arange(30) / 30, 640, 360, np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2)))
    with pytest.raises(SyncError, match="matches"):
        synchronize(empty, simulate.log(BASE))


def _with_lens_shift(tracks: Tracks, shift: np.ndarray) -> Tracks:
    prev, next_ = tracks.prev_px + shift[tracks.pair], tracks.next_px + shift[tracks.pair + 1]
    return Tracks(tracks.time_s, tracks.width, tracks.height, tracks.pair, prev, next_)


@pytest.mark.slow
def test_a_lens_shift_is_estimated_and_parallax_is_not() -> None:
    scene = changed(BASE, motion="hand", depth_m=(4.0, 40.0), readout_s=0.0, seed=6)
    log, clean = simulate.log(scene), simulate.tracks(scene)
    t = clean.time_s[:, None]
    shift = 3 * np.sin(2 * np.pi * np.array([1.7, 2.3]) * t + np.array([0.3, 1.0])) * (1, 0.7)
    tracks = _with_lens_shift(clean, shift)
    found = synchronize(tracks, log)
    assert found.kind == "shifts"
    lens = estimate_shift(tracks, log, found)
    assert lens.helps
    left = lens.at(clean.time_s) - shift
    left -= left.mean(axis=0)
    assert np.sqrt(np.mean(left**2)) < 0.3 * np.sqrt(np.mean(shift**2))
    walk = changed(BASE, seed=7)
    walked = simulate.tracks(walk)
    assert not estimate_shift(walked, simulate.log(walk), synchronize(walked, simulate.log(walk))).helps


def test_logged_shift_is_that_of_the_formula() -> None:
    scene = changed(BASE, motion="hand", translate=False, seed=3)
    tracks, log = simulate.tracks(scene), simulate.log(scene)
    found = synchronize(tracks, log)
    ois = OisLog(log.time_s, np.stack([40.32 * np.sin(log.time_s), np.full(len(log.time_s), 22.72)], axis=1))
    lens = logged_shift(ois, found, 1920, 1080)
    t_video = np.linspace(1.9, 2.1, 5)
    shift_px = lens.at(t_video)
    assert np.allclose(shift_px[:, 0], 0.01 * 1920 * np.sin(found.log_time(t_video)), atol=1e-3)
    assert np.allclose(shift_px[:, 1], 0.01 * 1080, atol=1e-9)


def _far_tracks(spec: samples.ClipSpec, features: int = 60) -> Tracks:
    """Matches of points at infinity, with a tenth of a pixel of noise."""
    true, rng = samples.truth(spec), np.random.default_rng(7)
    pairs = len(true.time_s) - 1
    prev = rng.uniform((0, 0), (spec.width - 1, spec.height - 1), (pairs, features, 2))
    next_ = np.array(
        [true.project(true.position_m[i] + 1e7 * true.directions_world(prev[i], i), i + 1) for i in range(pairs)]
    )
    next_ += rng.normal(0, 0.1, next_.shape)
    inside = ((next_ >= 0) & (next_ <= (spec.width - 1, spec.height - 1))).all(axis=2)
    pair = np.repeat(np.arange(pairs), features).reshape(pairs, features)
    return Tracks(true.time_s, spec.width, spec.height, pair[inside], prev[inside], next_[inside])


@pytest.mark.slow
def test_without_the_logged_lens_shift_the_camera_only_rotates() -> None:
    spec = samples.ClipSpec(
        "c",
        duration_s=4,
        motion=samples.MOTIONS["turning"],
        shutter=samples.Shutter(0.02),
        ois=samples.Ois(gain=0.8, wander_px=3.0),
        gyro=samples.Gyro(noise_deg_s_rthz=0.007),
        seed=4,
    )
    drawn, t = samples.sample_log(spec), np.arange(-0.5, 4.5, 0.002)
    log, tracks = GyroLog("c", "test", drawn.t_s, drawn.gyro_rad_s), _far_tracks(spec)
    first = synchronize(tracks, log)
    assert first.kind == "shifts"
    lens = LensShift(t, samples.truth(spec).lens_shift_px(t), True, 1.0, 1.0, 0.0)
    again = synchronize(remove_lens_shift(tracks, lens, first), log)
    assert again.kind == "turns"
    assert again.evidence.noise_px < 0.2  # of a tenth on both ends
    assert abs(again.offset_s) < 2e-4 and abs(again.focal_px / 520 - 1) < 0.005


@pytest.mark.parametrize(
    "motion, refusal", [("jello", None), pytest.param("sinus", "ambiguous", marks=pytest.mark.slow)]
)
def test_a_periodic_shake_is_ambiguous_unless_there_is_other_motion(motion: str, refusal: str | None) -> None:
    """5 Hz fits at every fifth of a second; the tremor and drift of `jello` at one offset only."""
    shutter, gyro = samples.Shutter(0.033), samples.Gyro(offset_s=0.2, noise_deg_s_rthz=0.007)
    spec = samples.ClipSpec("c", duration_s=4, motion=samples.MOTIONS[motion], shutter=shutter, gyro=gyro, seed=3)
    drawn = samples.sample_log(spec)
    found = synchronize(_far_tracks(spec), GyroLog("c", "test", drawn.t_s, drawn.gyro_rad_s))
    if refusal:
        assert found.refusal is not None and refusal in found.refusal
    else:
        assert found.accepted
        assert abs(found.offset_s - 0.2) < 5e-4
        assert abs(found.readout_s - 0.033) < 1e-3
