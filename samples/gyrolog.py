"""What a phone's gyroscope and accelerometer would have written while the clip was taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .camera import lens_shift_px
from .motion import camera_track
from .spec import ClipSpec, Gyro

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SampleLog:
    """`t_s` (n,) on the log's own clock; `gyro_rad_s` (n, 3) and `accel_m_s2` (n, 3) or None in the log's own axes.

    `video_t_s` and `bias_rad_s` (n, 3) are the truth: when each sample was taken on the video's clock, and the bias in
    it.
    """

    t_s: Float
    gyro_rad_s: Float
    accel_m_s2: Float | None
    video_t_s: Float
    bias_rad_s: Float


def R_gyro_cam(gyro: Gyro) -> Float:
    """Maps vectors in camera axes to the log's axes: misalignment, then the axes' letters. Improper where the letters
    are.
    """
    letters = np.zeros((3, 3))
    for row, letter in enumerate(gyro.axes):
        letters[row, "XYZ".index(letter.upper())] = 1 if letter.isupper() else -1
    return np.asarray(letters @ Rotation.from_rotvec(gyro.misalignment_deg, degrees=True).as_matrix())


def to_log_time(gyro: Gyro, video_t_s: Float) -> Float:
    """The log's clock at times of the video's."""
    return np.asarray((1 + gyro.drift) * video_t_s + gyro.offset_s)


def sample_log(spec: ClipSpec) -> SampleLog:
    """The log of a clip. Raises ValueError where the specification has no gyro."""
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
    """CSV with a header: t_s,gx,gy,gz in rad/s and, where there is one, ax,ay,az in m/s2."""
    columns, header = [log.t_s[:, None], log.gyro_rad_s], "t_s,gx,gy,gz"
    if log.accel_m_s2 is not None:
        columns, header = [*columns, log.accel_m_s2], header + ",ax,ay,az"
    np.savetxt(path, np.hstack(columns), fmt="%.7f", delimiter=",", header=header, comments="")


def ois_log(spec: ClipSpec) -> tuple[Float, Float]:
    """Times on the video's clock (n,) and the lens shift there, (n, 2) px. Raises ValueError where the clip has no
    OIS.
    """
    if spec.ois is None:
        raise ValueError(f"clip {spec.name!r} has no OIS")
    t_s = np.arange(-0.5, spec.duration_s + 0.5, 1 / spec.ois.rate_hz)
    return t_s, lens_shift_px(spec, t_s)


def write_ois_log(spec: ClipSpec, path: Path) -> None:
    """CSV: t_s,ois_x_px,ois_y_px."""
    t_s, shift_px = ois_log(spec)
    np.savetxt(
        path, np.column_stack([t_s, shift_px]), fmt="%.6f", delimiter=",", header="t_s,ois_x_px,ois_y_px", comments=""
    )
