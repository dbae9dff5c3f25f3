"""The rolling-shutter-aware epipolar residual: what is estimated, what is observed, and how one bends the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from gyro.log import Float, GyroLog

from .integrate import OrientationTrack, integrate
from .tracks import Int, Tracks

PARAMETERS = (
    "offset_s", "drift", "rotation_x", "rotation_y", "rotation_z", "bias_x", "bias_y", "bias_z",
    "log_focal", "readout_rows_s", "readout_columns_s", "k1",
)  # fmt: skip
INDEX = {name: i for i, name in enumerate(PARAMETERS)}
ROTATION = slice(INDEX["rotation_x"], INDEX["rotation_z"] + 1)
BIAS = slice(INDEX["bias_x"], INDEX["bias_z"] + 1)


@dataclass(frozen=True, slots=True)
class Camera:
    """One point of the parameter space. `offset_s` is that of the middle of the clip; `readout_s` (2,): down the rows,
    along the columns.

    t_log = offset_s + t_video + drift (t_video - mid_s). Distortion: r_d = r (1 + k1 r^2) of the normalised radius.
    """

    offset_s: float
    drift: float
    R_cam_gyro: Rotation
    bias_rad_s: Float
    log_focal: float
    readout_s: Float
    k1: float
    mid_s: float = 0.0

    @property
    def vector(self) -> Float:
        """All parameters (12,) in the order of PARAMETERS; the rotation, which has no origin, as zeros."""
        head = [self.offset_s, self.drift, 0.0, 0.0, 0.0, *self.bias_rad_s]
        return np.array([*head, self.log_focal, *self.readout_s, self.k1])

    def plus(self, delta: Float) -> Camera:
        """Moved by (12,); the rotation by a rotation vector in camera axes from the left."""
        turned = Rotation.from_rotvec(delta[ROTATION]) * self.R_cam_gyro
        v = self.vector + delta
        return Camera(v[0], v[1], turned, v[BIAS], v[8], v[9:11], v[11], self.mid_s)

    def log_time(self, t_video_s: Float) -> Float:
        """Log clock of a video time."""
        return np.asarray(self.offset_s + t_video_s + self.drift * (t_video_s - self.mid_s))


@dataclass(frozen=True, slots=True)
class Observations:
    """Matches as the model wants them. Arrays with a leading 2 are (previous, next).

    `pair` (m,) ascending 0..pairs-1; `time_s` (2, m) frame times; `line` (2, m, 2) share of the rows, of the columns
    from the middle, -0.5..0.5; `flat` (2, m, 2) centred pixels over `focal_px`, lens distortion still in.
    `neighbours` (pairs - 1,): which pairs follow one another directly.
    """

    pair: Int
    pairs: int
    time_s: Float
    line: Float
    flat: Float
    focal_px: float
    interval_s: float
    neighbours: NDArray[np.bool_]


def observe(tracks: Tracks, flat: Float, keep: Int, focal_px: float) -> Observations:
    """The matches `keep` of the tracks, pairs renumbered without holes; `flat` (2, m, 2) in units of `focal_px`."""
    number, pair = np.unique(tracks.pair[keep], return_inverse=True)
    both = np.stack([tracks.prev_px[keep], tracks.next_px[keep]])
    extent = np.array([max(tracks.width - 1, 1), max(tracks.height - 1, 1)])
    line = (both / extent - 0.5)[..., ::-1]
    time = np.stack([tracks.time_s[number[pair]], tracks.time_s[number[pair] + 1]])
    neighbours = np.diff(number) == 1
    return Observations(pair, len(number), time, line, flat[:, keep], focal_px, tracks.interval_s, neighbours)


def body_track(log: GyroLog, camera: Camera) -> OrientationTrack:
    """Orientation on the log's clock with the camera's bias and drift applied: a log clock that runs fast by `drift`
    stretches every interval, so angles are rates times true (video) time."""
    scale = 1 / (1 + camera.drift)
    slowed = replace(log, gyro_rad_s=log.gyro_rad_s * scale, accel_m_s2=None)
    return integrate(slowed, camera.bias_rad_s * scale, use_accel=False)


def undistort(flat: Float, log_focal: float, k1: float) -> Float:
    """Unit rays (..., 3) of normalised points (..., 2): the division model r = r_d / (1 + k1 r_d^2) (Fitzgibbon 2001).

    To first order it is r_d = r (1 + k1 r^2), but one number follows a wide lens into its corners, where the
    polynomial folds back.
    """
    x = flat * np.exp(-log_focal)
    shrink = np.maximum(1 + k1 * np.sum(x**2, axis=-1, keepdims=True), 0.05)
    ray = np.concatenate([x, shrink], axis=-1)
    return np.asarray(ray / np.linalg.norm(ray, axis=-1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Normals:
    """The geometry of each match in the gyro's world.

    `R_world_cam` (2 m) rotations at each end's own line time; `rays` (2, m, 3); `n` (m, 3) their cross product,
    radians; `noise` (2, m, 3) what one pixel of error along x, along y of the next picture does to n.
    """

    R_world_cam: Rotation
    rays: Float
    n: Float
    noise: Float


def normals(seen: Observations, log: GyroLog, camera: Camera) -> tuple[Normals, OrientationTrack]:
    """n = P_prev x P_next with each ray turned by the gyro at its own line's time (Jia & Evans 2014, eq. 5-7,
    generalised).

    |n| is the angle that rotation leaves; a translating camera keeps all n of a pair orthogonal to its direction.
    """
    track = body_track(log, camera)
    R_world_body = track.evaluate(line_times(seen, camera).ravel())
    return look(seen, R_world_body * camera.R_cam_gyro.inv(), camera.log_focal, camera.k1), track


def line_times(seen: Observations, camera: Camera) -> Float:
    """Log time (2, m) at which each end of each match was exposed."""
    return camera.log_time(seen.time_s + seen.line @ camera.readout_s)


def look(seen: Observations, R_world_cam: Rotation, log_focal: float, k1: float) -> Normals:
    """The geometry under a lens, all rotations known."""
    shape = (*seen.flat.shape[:2], 3)
    rays = R_world_cam.apply(undistort(seen.flat, log_focal, k1).reshape(-1, 3)).reshape(shape)
    step = 1e-4
    ends = [undistort(seen.flat[1] + nudge, log_focal, k1) for nudge in ((step, 0), (-step, 0), (0, step), (0, -step))]
    per_px = np.stack([ends[0] - ends[1], ends[2] - ends[3]]) / (2 * step * seen.focal_px)
    R_next = R_world_cam[len(seen.pair) :]
    noise = np.stack([np.cross(rays[0], R_next.apply(side)) for side in per_px])
    return Normals(R_world_cam, rays, np.cross(rays[0], rays[1]), noise)


def normal_derivatives(seen: Observations, camera: Camera, at: Normals, track: OrientationTrack) -> Float:
    """d n / d parameters (m, 3, 12), zero for the lens. A rotation common to both rays of a pair changes nothing, so
    bias and the rate's scale act from the middle of the pair on."""
    t_log = line_times(seen, camera)
    shape, rays = at.rays.shape, at.rays
    dray = np.zeros((*shape[:2], len(PARAMETERS), 3))
    rate_cam = camera.R_cam_gyro.apply(track.rate(t_log.ravel()))
    moving = np.cross(at.R_world_cam.apply(rate_cam).reshape(shape), rays)
    lever = t_log - t_log.mean(axis=0)
    dray[:, :, INDEX["offset_s"]] = moving
    dray[:, :, INDEX["drift"]] = moving * (t_log - camera.offset_s - camera.mid_s - lever)[..., None]
    for i, name in enumerate(("readout_rows_s", "readout_columns_s")):
        dray[:, :, INDEX[name]] = moving * seen.line[..., i, None]
    ray_cam = at.R_world_cam.inv().apply(rays.reshape(-1, 3))
    for axis, unit in enumerate(np.eye(3)):
        dray[:, :, ROTATION.start + axis] = at.R_world_cam.apply(np.cross(ray_cam, unit)).reshape(shape)
        body = at.R_world_cam.apply(camera.R_cam_gyro.apply(unit)).reshape(shape)
        dray[:, :, BIAS.start + axis] = -lever[..., None] * np.cross(body, rays)
    dn = np.cross(dray[0], rays[1][:, None]) + np.cross(rays[0][:, None], dray[1])
    return np.swapaxes(dn, 1, 2)
