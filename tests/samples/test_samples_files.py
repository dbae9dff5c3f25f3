"""Files and logs: exact times, the clock and axes of the gyro; what is committed is what the generator makes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from samples import CLIPS, MOTIONS, ClipSpec, Gyro, Ois, generate, sample_log, truth, write_clip

COMMITTED = Path(__file__).parents[2] / "samples" / "clips"


def test_gyro_log_integrates_to_the_rotation(small: ClipSpec) -> None:
    spec = replace(small, duration_s=3.0, motion=MOTIONS["action"], gyro=Gyro(rate_hz=500))
    log, R = sample_log(spec), truth(spec).rotation_world_cam
    turn = Rotation.from_rotvec((log.gyro_rad_s[1:] + log.gyro_rad_s[:-1]) / 2 * np.diff(log.video_t_s)[:, None])
    pose = R(log.video_t_s[:1])[0]
    for step in turn:
        pose = pose * step
    error = (R(log.video_t_s[-1:])[0].inv() * pose).magnitude()
    assert np.rad2deg(error) < 0.02


def test_log_has_the_stated_clock_axes_and_bias(small: ClipSpec) -> None:
    base = replace(small, duration_s=4.0, motion=MOTIONS["handheld"])
    plain = sample_log(replace(base, gyro=Gyro()))
    odd = sample_log(replace(base, gyro=Gyro(offset_s=0.3, drift=0.01, axes="yXz", bias_deg_s=(1, 2, 3))))
    np.testing.assert_allclose(odd.t_s, plain.t_s * 1.01 + 0.3, atol=1e-12)
    x, y, z = plain.gyro_rad_s.T
    np.testing.assert_allclose(odd.gyro_rad_s, np.c_[-y, x, -z] + np.deg2rad([1, 2, 3]), atol=1e-12)


def test_white_noise_has_the_stated_density(small: ClipSpec) -> None:
    spec = replace(small, duration_s=30, motion=MOTIONS["tripod"])
    log = sample_log(replace(spec, gyro=Gyro(rate_hz=400, noise_deg_s_rthz=0.01)))
    np.testing.assert_allclose(np.rad2deg(log.gyro_rad_s.std(axis=0)), 0.01 * np.sqrt(200), rtol=0.05)


def test_accelerometer_feels_gravity_and_motion(small: ClipSpec) -> None:
    still = sample_log(replace(small, motion=MOTIONS["tripod"], gyro=Gyro()))
    assert still.accel_m_s2 is not None
    np.testing.assert_allclose(still.accel_m_s2, np.tile([0, -9.80665, 0], (len(still.t_s), 1)), atol=1e-9)
    spec = replace(small, motion=MOTIONS["walk"], gyro=Gyro())
    log, true = sample_log(spec), truth(spec)
    assert log.accel_m_s2 is not None
    t, h = log.video_t_s, 1e-4
    position = [true.track.position_m(t + dt) for dt in (-h, 0, h)]
    acceleration = (position[0] - 2 * position[1] + position[2]) / h**2
    world = true.rotation_world_cam(t).apply(log.accel_m_s2)
    np.testing.assert_allclose(world, acceleration - [0, 9.80665, 0], atol=1e-4)


def test_variable_frame_times_increase_on_the_files_clock() -> None:
    times = truth(replace(CLIPS["vfr"], time_jitter=0.9, duration_s=20)).time_s
    assert times[0] == 0 and len(times) == 600 and (np.diff(times) > 0).all()
    assert np.diff(times).std() > 0.005
    np.testing.assert_allclose(times * 90000, np.round(times * 90000), atol=1e-6)


def test_written_files_carry_the_clip_and_its_truth(small: ClipSpec, tmp_path: Path) -> None:
    spec = replace(small, height=180, time_jitter=0.5, gyro=Gyro(axes="ZXY"), ois=Ois(), audio=True)
    write_clip(spec, tmp_path / "clip.mp4", crf=8)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert [s.type for s in container.streams] == ["video", "audio"]
        decoded = list(container.decode(video=0))
    true = truth(spec)
    assert [f.time for f in decoded] == pytest.approx(true.time_s.tolist(), abs=1e-9)
    for frame, (_, picture) in zip(decoded, generate(spec), strict=True):
        rgb = frame.to_ndarray(format="rgb24", src_colorspace="ITU709").astype(float)
        assert np.abs(rgb.mean((0, 1)) - picture.mean((0, 1))).max() < 2  # colours, matrix and range
        assert np.sqrt(np.mean((rgb.mean(2) - picture.mean(2)) ** 2)) < 4
    arrays = np.load(tmp_path / "clip.truth.npz")
    np.testing.assert_array_equal(arrays["H_next_prev"], true.H_next_prev)
    np.testing.assert_array_equal(arrays["R_world_cam"], true.R_world_cam)
    header = json.loads((tmp_path / "clip.truth.json").read_text())
    assert header["spec"]["gyro"]["axes"] == "ZXY" and header["R_gyro_cam"][0] == [0, 0, 1]
    log = np.genfromtxt(tmp_path / "clip.csv", delimiter=",", names=True)
    np.testing.assert_allclose(log["gx"], sample_log(spec).gyro_rad_s[:, 0], atol=1e-6)
    assert (tmp_path / "clip.ois.csv").read_text().startswith("t_s,ois_x_px,ois_y_px\n")


@pytest.mark.parametrize("path", sorted(COMMITTED.glob("*.mp4")), ids=lambda p: p.stem)
def test_committed_clips_are_what_the_generator_makes(path: Path) -> None:
    spec = CLIPS[path.stem]
    with av.open(str(path)) as container:
        decoded = next(container.decode(video=0)).to_ndarray(format="rgb24", src_colorspace="ITU709").astype(float)
    _, picture = next(generate(spec))
    assert np.sqrt(np.mean((decoded.mean(2) - picture.mean(2)) ** 2)) < 8
    log = np.genfromtxt(path.with_suffix(".csv"), delimiter=",", skip_header=1)
    np.testing.assert_allclose(log[:, 1:4], sample_log(spec).gyro_rad_s, atol=1e-6)


def test_committed_clips_are_small() -> None:
    assert sum(p.stat().st_size for p in COMMITTED.iterdir()) < 4e6
