"""The camera's rotation, smoothed, under the crop: CameraRotation -> RotationPath.

Orientations are smoothed by chordal means (Hartley et al., Rotation averaging, IJCV 2013): Gaussian means of rotation
matrices over the smoothing horizon, projected back to rotations. Where the output would leave the frame, the horizon
is shorter, as far as needed and smoothly in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, maximum_filter1d, minimum_filter1d
from scipy.spatial.transform import Rotation

from stabilize.core import CameraPath, Float, FrameGeometry
from stabilize.errors import SolveError, UsageError
from stabilize.fields.rotation import CameraRotation, nearest_rotations, rotate_rays
from stabilize.fields.smoothing import gaussian_mean, in_frames
from stabilize.path.crop import border_points, half_span
from stabilize.path.keyframes import values_at
from stabilize.path.rotation import RotationPath, pinhole_rays
from stabilize.progress import SolverProgress
from stabilize.settings import AxisStrength, PathConfig

SAFETY_UNITS = 2e-3  # kept free at each side: the field between the points that are checked
BORDER_NODES = 17  # along each edge of the output where it is checked
CHUNK_FRAMES = 256  # whose borders are in memory at once
BISECTIONS = 10  # of the effort, and of the zoom: to a thousandth of their range
ROUNDS_MAX = 8  # after each of which frames that are outside still get less smoothing, or more zoom
EFFORT_FACTOR = 0.7  # of the effort in the next round, where a frame is outside
LEVEL_EFFORT = 0.1  # up to which only the horizon is levelled: from here on the camera is smoothed
FADE_S, FADE_FRAMES_MAX = 0.5, 60  # before and after a frame with less effort
ZOOM_FADE_S, ZOOM_FADE_FRAMES_MAX = 2.0, 240  # and with more zoom: quicker changes are seen, see benchmarks/README.md
SIGMA_FRAMES_MIN = 0.1  # a shorter horizon smooths nothing
SIGMA_RATIO = 1.6  # of neighbouring means that are blended where the smoothing horizon varies over time
UP_MIN, UP_FULL = 0.2, 0.4  # length of the vertical in the picture: no levelling below, full levelling above
UNKNOWN_SHARE_MAX = 0.05  # of the frames, that the log need not cover
NO_ROTATION = "the solver 'rotation' needs the camera's rotation: of a gyroscope log, or of the picture"


@dataclass(frozen=True, slots=True)
class _Shot:
    """The frames of one shot, and the limits of their path."""

    geometry: FrameGeometry
    """Of each frame."""
    camera: CameraRotation
    """The real camera, of the whole video."""
    frames: slice
    """The n frames of the shot."""
    focal: float
    """Of the virtual camera at zoom 1, units."""
    zoom_limit: Float
    """(n,) the largest zoom that the crop allows."""
    fade_frames: int
    """Frames before and after one with less effort, over which that fades."""
    zoom_fade_frames: int
    """Frames before and after one with more zoom, over which that fades."""

    @property
    def real(self) -> Rotation:
        """R_world_cam of the n frames."""
        return Rotation.from_rotvec(self.camera.orientation[self.frames])

    def outside(self, virtual: Rotation, zoom: Float) -> Float:
        """How far the output's border leaves the frame (n,), units; infinite where it leaves the lens."""
        border = border_points(half_span(self.geometry), BORDER_NODES)
        span = half_span(self.geometry) - SAFETY_UNITS
        back, rays = (self.real.inv() * virtual).as_rotvec(), pinhole_rays(border, self.focal * zoom)
        out = np.empty(len(zoom))
        for start in range(0, len(zoom), CHUNK_FRAMES):
            part = slice(start, start + CHUNK_FRAMES)
            frames = slice(self.frames.start + start, min(self.frames.start + start + CHUNK_FRAMES, self.frames.stop))
            source_units = self.camera.project(frames, rotate_rays(back[part, None], rays[part]))
            out[part] = np.nan_to_num(np.abs(source_units) - span, nan=np.inf).max(axis=(1, 2))
        return out


def solve_rotation(
    camera: CameraPath, rotation: CameraRotation | None, config: PathConfig, progress: SolverProgress | None = None
) -> RotationPath:
    """The path of the virtual camera.

    Raises UsageError where there is no rotation, or a log that does not cover the video, SolveError where the crop
    leaves no room even for correcting rolling shutter and lens.
    """
    if rotation is None:
        raise UsageError(NO_ROTATION)
    time_s, interval_s, frames = camera.timeline.time_s, camera.timeline.interval_s, len(camera.timeline)
    focal = _filling_focal(camera.geometry, rotation)
    virtual, zoom = np.empty((frames, 3)), np.empty(frames)
    for part in camera.shots:
        limit = 1 / (1 - values_at(config.max_crop, time_s[part]))
        fade = min(round(in_frames(FADE_S, interval_s)), FADE_FRAMES_MAX)
        zoom_fade = min(round(in_frames(ZOOM_FADE_S, interval_s)), ZOOM_FADE_FRAMES_MAX)
        shot = _Shot(camera.geometry, rotation, part, focal, limit, fade, zoom_fade)
        inside = _turn_into_frame(shot, partial(_virtual, shot, config, time_s[part], interval_s))
        virtual[part], zoom[part] = inside.as_rotvec(), _zoom(shot, inside, config)
        if progress:
            progress(part.stop, frames)
    return RotationPath(
        camera.timeline, camera.geometry, camera.shots, rotation, virtual, zoom, focal, _notes(rotation, time_s)
    )


def _notes(rotation: CameraRotation, time_s: Float) -> tuple[str, ...]:
    """For the user: what a log does not cover, and more. Raises UsageError where that is too much."""
    unknown = np.flatnonzero(~rotation.known)
    if not len(unknown):
        return rotation.notes
    ends = f"{time_s[unknown[0]]:.2f} and {time_s[unknown[-1]]:.2f} s"
    if len(unknown) > UNKNOWN_SHARE_MAX * len(time_s):
        raise UsageError(
            f"the gyroscope log does not cover {len(unknown)} of {len(time_s)} frames, between {ends}: use --solver l1"
        )
    missing = f"the gyroscope log does not cover {len(unknown)} frames, between {ends}"
    return (*rotation.notes, f"{missing}: the camera is assumed to turn at a constant rate there")


def _filling_focal(geometry: FrameGeometry, rotation: CameraRotation) -> float:
    """The lens's focal length, or as much longer as needed for the lens to fill the picture of a pinhole camera."""
    border, span = border_points(half_span(geometry), BORDER_NODES), half_span(geometry)
    for factor in np.geomspace(1, 10, 200):
        source_units = rotation.lens.points(pinhole_rays(border, np.array([rotation.lens.focal * factor])))[0]
        if (np.abs(source_units) <= span + SAFETY_UNITS).all():
            return float(rotation.lens.focal * factor)
    raise SolveError(
        "the lens cannot fill the picture of a camera without distortion: check --lens, or use --solver l1"
    )


def _virtual(shot: _Shot, config: PathConfig, time_s: Float, interval_s: float, effort: Float) -> Rotation:
    """The virtual orientations, at efforts (n,) from the real camera at 0 to what the settings ask for at 1.

    In between, the smoothing horizon is shorter, so that the output follows where the camera looks, but not its shake:
    a share of the way would have a share of the shake.
    """
    real, still = shot.real, np.ones(len(time_s))
    if config.tripod:
        weight, target = effort, _target(shot, config, time_s, interval_s, still)
    else:
        horizon = (effort - LEVEL_EFFORT).clip(0) / (1 - LEVEL_EFFORT)
        weight = (effort / LEVEL_EFFORT).clip(0, 1)
        target = _target(shot, config, time_s, interval_s, horizon)
    return real * Rotation.from_rotvec(weight[:, None] * (real.inv() * target).as_rotvec())


def _target(shot: _Shot, config: PathConfig, time_s: Float, interval_s: float, horizon: Float) -> Rotation:
    """The virtual orientations without regard to the crop: smoothed with the strength of each axis, and levelled.

    `horizon` (n,): shares of the smoothing horizon.
    """
    real = shot.real
    matrices = real.as_matrix()
    if config.tripod:
        smooth = Rotation.from_matrix(nearest_rotations(np.broadcast_to(matrices.mean(axis=0), matrices.shape)))
    else:
        smooth = _smooth(matrices, horizon * values_at(config.smoothness_s, time_s) / interval_s)
    share = _strengths(config.strength, shot.geometry, time_s)
    virtual = real * Rotation.from_rotvec(share * (real.inv() * smooth).as_rotvec())
    if config.horizon_deg is None or not shot.camera.gravity:
        return virtual
    return virtual * _levelling(virtual, np.radians(config.horizon_deg))


def _smooth(matrices: Float, sigma: Float) -> Rotation:
    """Chordal Gaussian means of rotation matrices (n, 3, 3), over `sigma` (n,) frames."""
    sigma = np.maximum(sigma, SIGMA_FRAMES_MIN)
    lowest, highest = float(sigma.min()), float(sigma.max())
    if lowest == highest:
        return Rotation.from_matrix(nearest_rotations(gaussian_mean(matrices, in_frames(lowest, 1.0))))
    levels = np.geomspace(lowest, highest, 2 + int(np.log(highest / lowest) / np.log(SIGMA_RATIO)))
    mean = np.zeros_like(matrices)
    for lower, upper in pairwise(levels):
        share = (np.log(sigma / lower) / np.log(upper / lower)).clip(0, 1)[:, None, None]
        start, end = (gaussian_mean(matrices, in_frames(level, 1.0)) for level in (lower, upper))
        between = ((sigma >= lower) & (sigma <= upper))[:, None, None]
        mean = np.where(between, (1 - share) * start + share * end, mean)
    return Rotation.from_matrix(nearest_rotations(mean))


def _strengths(strength: AxisStrength, geometry: FrameGeometry, time_s: Float) -> Float:
    """Shares (n, 3) of the rotation about the camera's x, y and z axes: about x the picture moves along y."""
    x, y = (strength.y, strength.x) if geometry.lies_on_its_side else (strength.x, strength.y)
    return np.column_stack([values_at(share, time_s) for share in (y, x, strength.roll)])


def _levelling(virtual: Rotation, limit: float) -> Rotation:
    """The rolls that bring the horizon within a limit (radians) of level, relative to the nearest quarter turn."""
    up = virtual.inv().apply([0.0, 0.0, 1.0])
    lean = -up[:, 1] + 1j * up[:, 0]
    quarter_turns = np.round(np.angle(lean.mean()) / (np.pi / 2))
    roll = np.angle(lean * np.exp(-0.5j * np.pi * quarter_turns))
    weight = ((np.abs(lean) - UP_MIN) / (UP_FULL - UP_MIN)).clip(0, 1)
    return Rotation.from_rotvec(np.column_stack([0 * roll, 0 * roll, weight * (roll - roll.clip(-limit, limit))]))


def _turn_into_frame(shot: _Shot, virtual: Callable[[Float], Rotation]) -> Rotation:
    """The orientations at the most effort, smooth in time, at which the output lies inside at the largest zoom."""
    none, whole = np.zeros_like(shot.zoom_limit), np.ones_like(shot.zoom_limit)

    def is_outside(effort: Float) -> NDArray[np.bool_]:
        return np.asarray(shot.outside(virtual(effort), shot.zoom_limit) > 0)

    if is_outside(none).any():
        raise SolveError("rolling shutter and lens leave the crop no room: raise --max-crop, or use --solver l1")
    most = _bisect(lambda effort: ~is_outside(effort), none, whole)
    for _ in range(ROUNDS_MAX):
        effort = _smooth_below(most, shot.fade_frames)
        outside = is_outside(effort)
        if not outside.any():
            return virtual(effort)
        most = np.where(outside, np.minimum(effort * EFFORT_FACTOR, most), most)
    most[outside] = 0  # without smoothing these frames are inside
    effort = _smooth_below(most, shot.fade_frames)
    return virtual(np.where(is_outside(effort), 0.0, effort))


def _zoom(shot: _Shot, virtual: Rotation, config: PathConfig) -> Float:
    """The smallest zoom (n,) with which the output lies inside: smooth in time, or one for all frames."""
    ones = np.ones_like(shot.zoom_limit)
    need = _bisect(lambda zoom: shot.outside(virtual, zoom) <= 0, shot.zoom_limit, ones)
    if config.zoom == "static":
        same = np.full_like(need, need.max())
        return same if (shot.outside(virtual, same) <= 0).all() else np.maximum(same, shot.zoom_limit)
    for _ in range(ROUNDS_MAX):
        zoom = np.minimum(_smooth_above(need, shot.zoom_fade_frames), shot.zoom_limit)
        outside = shot.outside(virtual, zoom) > 0
        if not outside.any():
            return zoom
        need = np.where(outside, shot.zoom_limit, need)
    return np.where(outside, shot.zoom_limit, zoom)


def _bisect(fits: Callable[[Float], NDArray[np.bool_]], good: Float, target: Float) -> Float:
    """For each frame the value nearest to the target that fits, by bisection from a good one, which does."""
    good, bad = np.where(fits(target), target, good), target
    for _ in range(BISECTIONS):
        middle = (good + bad) / 2
        fitting = fits(middle)
        good, bad = np.where(fitting, middle, good), np.where(fitting, bad, middle)
    return good


def _smooth_below(values: Float, radius: int) -> Float:
    """A smooth curve that is nowhere above values (n,)."""
    return _bell_mean(minimum_filter1d(values, 2 * radius + 1, mode="nearest"), radius)


def _smooth_above(values: Float, radius: int) -> Float:
    """A smooth curve that is nowhere below values (n,)."""
    return _bell_mean(maximum_filter1d(values, 2 * radius + 1, mode="nearest"), radius)


def _bell_mean(values: Float, radius: int) -> Float:
    """The mean under a bell of this radius: that of a running extreme over the same radius crosses no value."""
    bell = np.hanning(2 * radius + 3)[1:-1]
    return np.asarray(convolve1d(values, bell / bell.sum(), mode="nearest"))
