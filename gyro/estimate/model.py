"""The rolling-shutter-aware epipolar residual: what is estimated, what is observed, and how one bends the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from gyro.log import Float, GyroLog

from .integrate import OrientationTrack, integrate
from .tracks import Int, Tracks
from .vectors import cross, dot, from_frame, to_frame

PARAMETERS = (
    "offset_s", "drift", "rotation_x", "rotation_y", "rotation_z", "bias_x", "bias_y", "bias_z",
    "log_focal", "readout_rows_s", "readout_columns_s", "k1",
)  # fmt: skip
INDEX = {name: i for i, name in enumerate(PARAMETERS)}
ROTATION = slice(INDEX["rotation_x"], INDEX["rotation_z"] + 1)
BIAS = slice(INDEX["bias_x"], INDEX["bias_z"] + 1)
FOLD_MIN = 0.05  # of 1 + k1 r^2: beyond, a distortion is none of a lens


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
    ray = _unscaled_rays(flat * np.exp(-log_focal), k1)
    return np.asarray(ray / np.linalg.norm(ray, axis=-1, keepdims=True))


def _unscaled_rays(x: Float, k1: float) -> Float:
    shrink = np.maximum(1 + k1 * dot(x, x), FOLD_MIN)
    return np.concatenate([x, shrink[..., None]], axis=-1)


def _rays_per_px(flat: Float, log_focal: float, k1: float, focal_px: float) -> Float:
    """d `undistort` / d pixel: (2, m, 3) for one pixel along x, along y, of points (m, 2)."""
    x = flat * np.exp(-log_focal)
    ray = _unscaled_rays(x, k1)
    slope = np.zeros((2, *ray.shape))
    slope[0, ..., 0] = slope[1, ..., 1] = 1
    slope[..., 2] = 2 * k1 * x.T * (ray[..., 2] > FOLD_MIN)
    length = np.linalg.norm(ray, axis=-1, keepdims=True)
    ray /= length
    return np.asarray((slope - ray * dot(slope, ray)[..., None]) / (length * focal_px * np.exp(log_focal)))


@dataclass(frozen=True, slots=True)
class Normals:
    """The geometry of each match in the gyro's world.

    `R_world_cam` (2, m, 3, 3) rotations at each end's own line time; `rays` (2, m, 3); `n` (m, 3) their cross product,
    radians; `noise` (2, m, 3) what one pixel of error along x, along y of the next picture does to n.
    """

    R_world_cam: Float
    rays: Float
    n: Float
    noise: Float


def normals(seen: Observations, log: GyroLog, camera: Camera) -> tuple[Normals, OrientationTrack]:
    """n = P_prev x P_next with each ray turned by the gyro at its own line's time (Jia & Evans 2014, eq. 5-7,
    generalised).

    |n| is the angle that rotation leaves; a translating camera keeps all n of a pair orthogonal to its direction.
    """
    track = body_track(log, camera)
    R_world_body = track.matrices(line_times(seen, camera).ravel())
    R_world_cam = (R_world_body.reshape(-1, 3) @ camera.R_cam_gyro.inv().as_matrix()).reshape(2, -1, 3, 3)
    return look(seen, R_world_cam, camera.log_focal, camera.k1), track


def line_times(seen: Observations, camera: Camera) -> Float:
    """Log time (2, m) at which each end of each match was exposed."""
    return camera.log_time(seen.time_s + seen.line @ camera.readout_s)


def look(seen: Observations, R_world_cam: Float, log_focal: float, k1: float) -> Normals:
    """The geometry under a lens, all rotations (2, m, 3, 3) known."""
    rays = from_frame(R_world_cam, undistort(seen.flat, log_focal, k1))
    per_px = from_frame(R_world_cam[1], _rays_per_px(seen.flat[1], log_focal, k1, seen.focal_px))
    return Normals(R_world_cam, rays, cross(rays[0], rays[1]), cross(rays[0], per_px))


def normal_derivatives(seen: Observations, camera: Camera, at: Normals, track: OrientationTrack, along: Float) -> Float:
    """d (along . n) / d parameters (m, r, 12) for fixed vectors `along` (m, r, 3), zero for the lens.

    With p, q the rays of a match and a an axis about which p turns, (a x p) x q = p (a.q) - a (p.q), and so on: all
    that is needed are products of vectors in the axes of either camera. A rotation common to both rays of a pair
    changes nothing, so bias and the rate's scale act from the middle of the pair on.
    """
    p, q = at.rays[:, :, None]
    prev_cam, next_cam = at.R_world_cam
    pq, pv, qv = dot(p, q)[..., None], dot(p, along)[..., None], dot(q, along)[..., None]
    v_prev, v_next, q_prev, p_next = (
        to_frame(R[:, None], x) for R, x in ((prev_cam, along), (next_cam, along), (prev_cam, q), (next_cam, p))
    )
    turned_prev, turned_next = q_prev * pv - v_prev * pq, v_next * pq - p_next * qv  # by each axis of the cameras
    J = np.zeros((*along.shape[:2], len(PARAMETERS)))
    J[..., ROTATION] = -turned_prev - turned_next
    t_log = line_times(seen, camera)
    lever = t_log - t_log.mean(axis=0)
    C = camera.R_cam_gyro.as_matrix()
    J[..., BIAS] = -(turned_prev * lever[0, :, None, None] + turned_next * lever[1, :, None, None]) @ C
    rate_cam = track.rate(t_log.ravel()).reshape(2, -1, 1, 3) @ C.T
    moving = dot(turned_prev, rate_cam[0]), dot(turned_next, rate_cam[1])
    since = t_log - camera.offset_s - camera.mid_s - lever
    for name, factor in (
        ("offset_s", np.ones_like(t_log)),
        ("drift", since),
        ("readout_rows_s", seen.line[..., 0]),
        ("readout_columns_s", seen.line[..., 1]),
    ):
        J[..., INDEX[name]] = sum(one * by[:, None] for one, by in zip(moving, factor, strict=True))
    return J
