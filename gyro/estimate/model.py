"""The rolling-shutter-aware epipolar model: its parameters, its observations, and the derivatives between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from gyro.log import Float, GyroLog

from .integrate import OrientationTrack, integrate
from .tracks import Int, Tracks
from .vectors import cross, dot, rotate, rotate_back

PARAMETERS = (
    "offset_s", "drift", "rotation_x", "rotation_y", "rotation_z", "bias_x", "bias_y", "bias_z",
    "log_focal", "readout_rows_s", "readout_columns_s", "k1",
)  # fmt: skip
INDEX = {name: i for i, name in enumerate(PARAMETERS)}
ROTATION = slice(INDEX["rotation_x"], INDEX["rotation_z"] + 1)
BIAS = slice(INDEX["bias_x"], INDEX["bias_z"] + 1)
UNDISTORTION_MIN = 0.05  # lower bound of 1 + k1 r^2, which keeps rays finite for absurd k1


@dataclass(frozen=True, slots=True)
class Camera:
    """One point of the parameter space.

    t_log = offset_s + t_video + drift (t_video - mid_s). Distortion: r_d = r (1 + k1 r^2) of the normalised radius.
    """

    offset_s: float
    """Log time minus video time at `mid_s`."""
    drift: float
    R_cam_gyro: Rotation
    bias_rad_s: Float
    log_focal: float
    """Logarithm of the focal length over the prior one."""
    readout_s: Float
    """(2,) down the rows, along the columns."""
    k1: float
    mid_s: float = 0.0
    """Video time of the middle of the clip."""

    @property
    def vector(self) -> Float:
        """All parameters (12,) in the order of PARAMETERS; those of the rotation are zero."""
        head = [self.offset_s, self.drift, 0.0, 0.0, 0.0, *self.bias_rad_s]
        return np.array([*head, self.log_focal, *self.readout_s, self.k1])

    def plus(self, delta: Float) -> Camera:
        """Return the point moved by (12,); the rotation by a rotation vector in camera axes, from the left."""
        turned = Rotation.from_rotvec(delta[ROTATION]) * self.R_cam_gyro
        v = self.vector + delta
        return Camera(v[0], v[1], turned, v[BIAS], v[8], v[9:11], v[11], self.mid_s)

    def log_time(self, t_video_s: Float) -> Float:
        """Return the log times of video times."""
        return np.asarray(self.offset_s + t_video_s + self.drift * (t_video_s - self.mid_s))


@dataclass(frozen=True, slots=True)
class Observations:
    """Matches in normalised form. Arrays with a leading 2 are (previous, next)."""

    pair: Int
    """(m,) ascending, 0 to pairs - 1."""
    pairs: int
    time_s: Float
    """(2, m) frame times."""
    line: Float
    """(2, m, 2) position along the rows' axis and the columns' axis, -0.5 to 0.5 from the middle."""
    flat: Float
    """(2, m, 2) centred pixels over `focal_px`, with lens distortion."""
    focal_px: float
    interval_s: float
    neighbours: NDArray[np.bool_]
    """(pairs - 1,) which pairs follow one another directly."""


def observe(tracks: Tracks, flat: Float, selection: Int, focal_px: float) -> Observations:
    """Return the selected matches, pairs renumbered without holes; `flat` (2, m, 2) is in units of `focal_px`."""
    number, pair = np.unique(tracks.pair[selection], return_inverse=True)
    both = np.stack([tracks.prev_px[selection], tracks.next_px[selection]])
    extent = np.array([max(tracks.width - 1, 1), max(tracks.height - 1, 1)])
    line = (both / extent - 0.5)[..., ::-1]
    time = np.stack([tracks.time_s[number[pair]], tracks.time_s[number[pair] + 1]])
    neighbours = np.diff(number) == 1
    return Observations(pair, len(number), time, line, flat[:, selection], focal_px, tracks.interval_s, neighbours)


def body_track(log: GyroLog, camera: Camera) -> OrientationTrack:
    """Integrate on the log's clock with the camera's bias and drift: a log clock that runs fast by `drift` stretches
    every interval, and angles are rates times true (video) time."""
    scale = 1 / (1 + camera.drift)
    slowed = replace(log, gyro_rad_s=log.gyro_rad_s * scale, accel_m_s2=None)
    return integrate(slowed, camera.bias_rad_s * scale, use_accel=False)


def undistort(flat: Float, log_focal: float, k1: float) -> Float:
    """Return unit rays (..., 3) of normalised points (..., 2) by the division model r = r_d / (1 + k1 r_d^2)
    (Fitzgibbon 2001).

    To first order it is r_d = r (1 + k1 r^2). With one parameter it fits a wide lens into its corners, where the
    polynomial folds back.
    """
    ray = _unscaled_rays(flat * np.exp(-log_focal), k1)
    return np.asarray(ray / np.linalg.norm(ray, axis=-1, keepdims=True))


def _unscaled_rays(x: Float, k1: float) -> Float:
    shrink = np.maximum(1 + k1 * dot(x, x), UNDISTORTION_MIN)
    return np.concatenate([x, shrink[..., None]], axis=-1)


def _rays_per_px(flat: Float, log_focal: float, k1: float, focal_px: float) -> Float:
    """Return d `undistort` / d pixel of points (m, 2): (2, m, 3) for one pixel along x, along y."""
    x = flat * np.exp(-log_focal)
    ray = _unscaled_rays(x, k1)
    slope = np.zeros((2, *ray.shape))
    slope[0, ..., 0] = slope[1, ..., 1] = 1
    slope[..., 2] = 2 * k1 * x.T * (ray[..., 2] > UNDISTORTION_MIN)
    length = np.linalg.norm(ray, axis=-1, keepdims=True)
    ray /= length
    return np.asarray((slope - ray * dot(slope, ray)[..., None]) / (length * focal_px * np.exp(log_focal)))


@dataclass(frozen=True, slots=True)
class Normals:
    """The geometry of each match in the gyroscope's world."""

    R_world_cam: Float
    """(2, m, 3, 3) rotations at each end's own line time."""
    rays: Float
    """(2, m, 3) unit rays."""
    n: Float
    """(m, 3) cross products of the rays, radians."""
    noise: Float
    """(2, m, 3) change of n for one pixel of error along x, along y of the next frame."""


def normals(obs: Observations, log: GyroLog, camera: Camera) -> tuple[Normals, OrientationTrack]:
    """Return n = P_prev x P_next, each ray rotated by the gyroscope at its own line's time (Jia & Evans 2014, eq. 5-7,
    generalised).

    |n| is the angle that rotation leaves. Where the camera translates, all n of a pair are orthogonal to its direction.
    """
    track = body_track(log, camera)
    R_world_body = track.matrices(line_times(obs, camera).ravel())
    R_world_cam = (R_world_body.reshape(-1, 3) @ camera.R_cam_gyro.inv().as_matrix()).reshape(2, -1, 3, 3)
    return normals_from_rotations(obs, R_world_cam, camera.log_focal, camera.k1), track


def line_times(obs: Observations, camera: Camera) -> Float:
    """Return the log times (2, m) at which both ends of each match were exposed."""
    return camera.log_time(obs.time_s + obs.line @ camera.readout_s)


def normals_from_rotations(obs: Observations, R_world_cam: Float, log_focal: float, k1: float) -> Normals:
    """Return the geometry under a lens for given rotations (2, m, 3, 3)."""
    rays = rotate(R_world_cam, undistort(obs.flat, log_focal, k1))
    per_px = rotate(R_world_cam[1], _rays_per_px(obs.flat[1], log_focal, k1, obs.focal_px))
    return Normals(R_world_cam, rays, cross(rays[0], rays[1]), cross(rays[0], per_px))


def normal_derivatives(
    obs: Observations, camera: Camera, geometry: Normals, track: OrientationTrack, along: Float
) -> Float:
    """Return d (along . n) / d parameters (m, r, 12) for fixed vectors `along` (m, r, 3); zero for the lens.

    With p, q the rays of a match and a an axis about which p rotates, (a x p) x q = p (a.q) - a (p.q), so products of
    vectors in the axes of either camera suffice. A rotation common to both rays of a pair changes nothing, so bias and
    the scale of the rate act from the middle of the pair on.
    """
    p, q = geometry.rays[:, :, None]
    prev_cam, next_cam = geometry.R_world_cam
    pq, pv, qv = dot(p, q)[..., None], dot(p, along)[..., None], dot(q, along)[..., None]
    v_prev, v_next, q_prev, p_next = (
        rotate_back(R[:, None], x) for R, x in ((prev_cam, along), (next_cam, along), (prev_cam, q), (next_cam, p))
    )
    turned_prev, turned_next = q_prev * pv - v_prev * pq, v_next * pq - p_next * qv  # by each axis of the cameras
    J = np.zeros((*along.shape[:2], len(PARAMETERS)))
    J[..., ROTATION] = -turned_prev - turned_next
    t_log = line_times(obs, camera)
    lever = t_log - t_log.mean(axis=0)
    C = camera.R_cam_gyro.as_matrix()
    J[..., BIAS] = -(turned_prev * lever[0, :, None, None] + turned_next * lever[1, :, None, None]) @ C
    rate_cam = track.rate(t_log.ravel()).reshape(2, -1, 1, 3) @ C.T
    moving = dot(turned_prev, rate_cam[0]), dot(turned_next, rate_cam[1])
    since = t_log - camera.offset_s - camera.mid_s - lever
    for name, factor in (
        ("offset_s", np.ones_like(t_log)),
        ("drift", since),
        ("readout_rows_s", obs.line[..., 0]),
        ("readout_columns_s", obs.line[..., 1]),
    ):
        J[..., INDEX[name]] = sum(one * by[:, None] for one, by in zip(moving, factor, strict=True))
    return J
