"""Simulated log of a phone's gyroscope and accelerometer for a clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .camera import lens_shift_px
from .motion import camera_track, frame_times
from .spec import ClipSpec, Gyro

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SampleLog:
    """A log with its ground truth."""

    t_s: Float
    """Log clock, (n,)."""
    gyro_rad_s: Float
    """Log axes, (n, 3)."""
    accel_m_s2: Float | None
    """Log axes, (n, 3)."""
    video_t_s: Float
    """Ground truth: video time of each sample, (n,)."""
    bias_rad_s: Float
    """Ground truth: gyroscope bias, (n, 3)."""


def R_gyro_cam(gyro: Gyro) -> Float:
    """Return the matrix from camera axes to log axes: misalignment, then `axes`. Improper if `axes` is left-handed."""
    letters = np.zeros((3, 3))
    for row, letter in enumerate(gyro.axes):
        letters[row, "XYZ".index(letter.upper())] = 1 if letter.isupper() else -1
    return np.asarray(letters @ Rotation.from_rotvec(gyro.misalignment_deg, degrees=True).as_matrix())


def to_log_time(gyro: Gyro, video_t_s: Float) -> Float:
    """Convert video time to log time."""
    return np.asarray((1 + gyro.drift) * video_t_s + gyro.offset_s)


def sample_log(spec: ClipSpec) -> SampleLog:
    """Simulate the log of a clip. Raises ValueError if the specification has no gyroscope."""
    gyro = spec.gyro
    if gyro is None:
        raise ValueError(f"clip {spec.name!r} has no gyro")
    rng, track = np.random.default_rng((spec.seed, 30)), camera_track(spec)
    step = 1 / gyro.rate_hz
    video_t = np.arange(-gyro.pad_s, spec.duration_s + gyro.pad_s, step)
    walk = np.cumsum(rng.standard_normal((len(video_t), 3)), axis=0) * gyro.walk_deg_s_rts * np.sqrt(step)
    bias = np.deg2rad(walk + gyro.bias_deg_s)
    white = rng.standard_normal((len(video_t), 3)) * np.deg2rad(gyro.noise_deg_s_rthz) * np.sqrt(gyro.rate_hz / 2)
    rate = track.rate_cam_rad_s(video_t) @ R_gyro_cam(gyro).T + bias + white
    force = track.specific_force_cam_m_s2(video_t) @ R_gyro_cam(gyro).T
    force += gyro.accel_noise_m_s2 * rng.standard_normal(force.shape)
    return SampleLog(to_log_time(gyro, video_t), rate, force if gyro.accel else None, video_t, bias)


def write_log(log: SampleLog, path: Path) -> None:
    """Write CSV with a header: t_s,gx,gy,gz in rad/s and, with an accelerometer, ax,ay,az in m/s^2."""
    columns, header = [log.t_s[:, None], log.gyro_rad_s], "t_s,gx,gy,gz"
    if log.accel_m_s2 is not None:
        columns, header = [*columns, log.accel_m_s2], header + ",ax,ay,az"
    np.savetxt(path, np.hstack(columns), fmt="%.7f", delimiter=",", header=header, comments="")


def ois_log(spec: ClipSpec) -> tuple[Float, Float]:
    """Return video times (n,) and the lens shift (n, 2) in px. Raises ValueError if the clip has no OIS."""
    if spec.ois is None:
        raise ValueError(f"clip {spec.name!r} has no OIS")
    t_s = np.arange(-0.5, spec.duration_s + 0.5, 1 / spec.ois.rate_hz)
    return t_s, lens_shift_px(spec, t_s)


def write_ois_log(spec: ClipSpec, path: Path) -> None:
    """Write CSV: t_s,ois_x_px,ois_y_px."""
    t_s, shift_px = ois_log(spec)
    np.savetxt(
        path, np.column_stack([t_s, shift_px]), fmt="%.6f", delimiter=",", header="t_s,ois_x_px,ois_y_px", comments=""
    )


# Back camera of a phone that lies on its side, top to the left: its x is the image's up, y left, z towards the eye.
R_PHONE_CAM = np.array([[0.0, -1, 0], [-1, 0, 0], [0, 0, -1]])
DVS_COUNTS = (4032, 2272)  # of the lens shift, over the width and height of the image
DVS_START_S = 5000.0  # phone clock at the first frame


def write_dvs(spec: ClipSpec, stem: Path) -> Path:
    """Write the three files of the DVS data set (Shi et al. 2022): `stem`_gyro.txt, _ois.txt, _frame.txt, on one clock.

    Returns the path of the first. Raises ValueError if the clip has no gyroscope or no OIS.
    """
    if spec.gyro is None:
        raise ValueError(f"clip {spec.name!r} has no gyro")
    log, (ois_t_s, shift_px) = sample_log(spec), ois_log(spec)
    rate = log.gyro_rad_s @ R_gyro_cam(spec.gyro) @ R_PHONE_CAM.T
    gyro = [
        f"{round((t + DVS_START_S) * 1e6)} {x:.7f} {y:.7f} {z:.7f} 0 0"
        for t, (x, y, z) in zip(log.video_t_s, rate, strict=True)
    ]
    counts = shift_px * np.array(DVS_COUNTS) / (spec.width, spec.height)
    ois = [f"0 {x:.3f} {y:.3f} {round((t + DVS_START_S) * 1e9)}" for t, (x, y) in zip(ois_t_s, counts, strict=True)]
    readout, exposure = spec.shutter.readout_s, spec.shutter.exposure_s
    ends = frame_times(spec) - readout / 2 + exposure / 2 + DVS_START_S
    frames = [
        f"{round(t * 1e9)} {round(exposure * 1e9)} 0 {round(readout * 1e9)} {round(t * 1e9)} 1 {i}"
        for i, t in enumerate(ends)
    ]
    for end, lines in (("_gyro.txt", gyro), ("_ois.txt", ois), ("_frame.txt", frames)):
        stem.with_name(stem.name + end).write_text("\n".join(lines) + "\n")
    return stem.with_name(stem.name + "_gyro.txt")
