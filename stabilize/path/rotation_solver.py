"""The camera's rotation, smoothed, under the crop: CameraRotation -> RotationPath.

Orientations are averaged as matrices and brought back to rotations, the chordal mean (Hartley et al., Rotation
averaging, IJCV 2013), with a Gaussian over the smoothing horizon. Where the output would leave the picture, the virtual
camera is pulled towards the real one, as far as it takes and smoothly in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, maximum_filter1d, minimum_filter1d
from scipy.spatial.transform import Rotation

from stabilize.core import CameraPath, Float, FrameGeometry
from stabilize.errors import SolveError, UsageError
from stabilize.fields.rotation import CameraRotation, turned
from stabilize.fields.smoothing import gaussian_mean, in_frames
from stabilize.path.crop import border_points, half_span
from stabilize.path.keyframes import at_times
from stabilize.path.rotation import RotationPath, pinhole_rays
from stabilize.progress import SolverProgress
from stabilize.settings import AxisStrength, PathConfig

SAFETY = 2e-3  # units kept free at each side: the picture between the points that are checked
BORDER_NODES = 17  # along each edge of the output where it is checked
CHUNK = 256  # frames whose borders are in memory at once
HALVINGS = 10  # of the way between the real and the smooth orientation, and of the zoom
ROUNDS = 8  # in which what is still outside after smoothing in time is pulled further
GIVE_WAY = 0.7  # by which the share of smoothing shrinks where it is outside still
FADE_S, MOST_FADE = 0.5, 60  # over which a pull spreads; frames
SHORTEST_FRAMES = 0.1  # of a smoothing horizon: less smooths nothing
LEVELS = 6  # of smoothing, between which it is blended where the horizon of smoothing varies
LEAST_UP, SURE_UP = 0.2, 0.4  # of the vertical that lies in the picture: below, there is no horizon; above, it counts
MOST_UNKNOWN = 0.05  # share of the frames that a log need not cover
NO_LOG = (
    "the solver 'rotation' needs a gyroscope log that agrees with the picture, and there is none: name one with "
    "--gyro, or use --solver l1"
)


@dataclass(frozen=True, slots=True)
class _Shot:
    """The frames of one shot, and what binds their path."""

    geometry: FrameGeometry
    camera: CameraRotation
    frames: slice
    focal: float
    """Of the virtual camera, units."""
    zoom_limit: Float
    """(n,) the most that the crop allows."""
    fade: int
    """Frames over which a pull spreads, each way."""

    @property
    def real(self) -> Rotation:
        """R_world_cam."""
        return Rotation.from_rotvec(self.camera.orientation[self.frames])

    def outside(self, virtual: Rotation, zoom: Float) -> Float:
        """How far the output's border goes out of the picture (n,), units; infinite where the lens shows it nowhere."""
        border = border_points(half_span(self.geometry), BORDER_NODES)
        span = half_span(self.geometry) - SAFETY
        back, rays = (self.real.inv() * virtual).as_rotvec(), pinhole_rays(border, self.focal * zoom)
        out = np.empty(len(zoom))
        for start in range(0, len(zoom), CHUNK):
            part = slice(start, start + CHUNK)
            frames = slice(self.frames.start + start, min(self.frames.start + start + CHUNK, self.frames.stop))
            place = self.camera.places(frames, turned(back[part, None], rays[part]))
            out[part] = np.nan_to_num(np.abs(place) - span, nan=np.inf).max(axis=(1, 2))
        return out


def solve_rotation(
    camera: CameraPath, rotation: CameraRotation | None, config: PathConfig, progress: SolverProgress | None = None
) -> RotationPath:
    """The virtual camera's path. Raises UsageError where no log says how the camera turned, SolveError where the crop
    does not even hold the picture with its rolling shutter taken out.
    """
    if rotation is None:
        raise UsageError(NO_LOG)
    time_s, interval_s, frames = camera.timeline.time_s, camera.timeline.interval_s, len(camera.timeline)
    focal = _filled_focal(camera.geometry, rotation)
    virtual, zoom = np.empty((frames, 3)), np.empty(frames)
    for part in camera.shots:
        limit = 1 / (1 - at_times(config.max_crop, time_s[part]))
        fade = min(round(in_frames(FADE_S, interval_s)), MOST_FADE)
        shot = _Shot(camera.geometry, rotation, part, focal, limit, fade)
        wanted = _wanted(shot, config, time_s[part], interval_s)
        inside = _pulled_in(shot, wanted)
        virtual[part], zoom[part] = inside.as_rotvec(), _zoom(shot, inside, config)
        if progress:
            progress(part.stop, frames)
    return RotationPath(
        camera.timeline, camera.geometry, camera.shots, rotation, virtual, zoom, focal, _notes(rotation, time_s)
    )


def _notes(rotation: CameraRotation, time_s: Float) -> tuple[str, ...]:
    """Raises UsageError where too much is unknown."""
    unknown = np.flatnonzero(~rotation.known)
    if not len(unknown):
        return ()
    ends = f"{time_s[unknown[0]]:.2f} and {time_s[unknown[-1]]:.2f} s"
    if len(unknown) > MOST_UNKNOWN * len(time_s):
        raise UsageError(
            f"the gyroscope log does not cover {len(unknown)} of {len(time_s)} frames, between {ends}: use --solver l1"
        )
    return (f"the gyroscope log does not cover {len(unknown)} frames, between {ends}: they are taken to turn evenly",)


def _filled_focal(geometry: FrameGeometry, rotation: CameraRotation) -> float:
    """The lens's own focal length, or as much longer as it takes for the lens to fill a pinhole's picture."""
    border, span = border_points(half_span(geometry), BORDER_NODES), half_span(geometry)
    for longer in np.geomspace(1, 10, 200):
        place = rotation.lens.points(pinhole_rays(border, np.array([rotation.lens.focal * longer])))[0]
        if (np.abs(place) <= span + SAFETY).all():
            return float(rotation.lens.focal * longer)
    raise SolveError(
        "the lens cannot fill the picture of a camera without distortion: check --lens, or use --solver l1"
    )


def _wanted(shot: _Shot, config: PathConfig, time_s: Float, interval_s: float) -> Rotation:
    """The virtual orientation before any crop is thought of: smooth, of the strengths asked for, and level."""
    real = shot.real
    matrices = real.as_matrix()
    if config.tripod:
        smooth = _nearest_rotations(np.broadcast_to(matrices.mean(axis=0), matrices.shape))
    else:
        smooth = _smooth(matrices, at_times(config.smoothness_s, time_s) / interval_s)
    share = _strengths(config.strength, shot.geometry, time_s)
    virtual = real * Rotation.from_rotvec(share * (real.inv() * smooth).as_rotvec())
    if config.horizon_deg is None or not shot.camera.gravity:
        return virtual
    return virtual * _levelling(virtual, np.radians(config.horizon_deg))


def _smooth(matrices: Float, sigma: Float) -> Rotation:
    """Chordal Gaussian means of rotation matrices (n, 3, 3), over `sigma` (n,) frames."""
    sigma = np.maximum(sigma, SHORTEST_FRAMES)
    least, most = float(sigma.min()), float(sigma.max())
    if least == most:
        return _nearest_rotations(gaussian_mean(matrices, in_frames(least, 1.0)))
    levels = np.geomspace(least, most, LEVELS)
    mean = np.zeros_like(matrices)
    for lower, upper in pairwise(levels):
        share = (np.log(sigma / lower) / np.log(upper / lower)).clip(0, 1)[:, None, None]
        start, end = (gaussian_mean(matrices, in_frames(level, 1.0)) for level in (lower, upper))
        here = ((sigma >= lower) & (sigma <= upper))[:, None, None]
        mean = np.where(here, (1 - share) * start + share * end, mean)
    return _nearest_rotations(mean)


def _nearest_rotations(matrices: Float) -> Rotation:
    """The rotations nearest to matrices (n, 3, 3), by singular values."""
    u, _, vt = np.linalg.svd(matrices)
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return Rotation.from_matrix(u @ vt)


def _strengths(strength: AxisStrength, geometry: FrameGeometry, time_s: Float) -> Float:
    """Shares (n, 3) of the rotation about the camera's x, y and z axes: the first moves the picture along y."""
    x, y = (strength.y, strength.x) if geometry.lies_on_its_side else (strength.x, strength.y)
    return np.column_stack([at_times(share, time_s) for share in (y, x, strength.roll)])


def _levelling(virtual: Rotation, limit: float) -> Rotation:
    """The rolls that bring the horizon within a limit (radians) of level, counted from the nearest quarter turn."""
    up = virtual.inv().apply([0.0, 0.0, 1.0])
    lean = -up[:, 1] + 1j * up[:, 0]
    quarter_turns = np.round(np.angle(lean.mean()) / (np.pi / 2))
    roll = np.angle(lean * np.exp(-0.5j * np.pi * quarter_turns))
    counts = ((np.abs(lean) - LEAST_UP) / (SURE_UP - LEAST_UP)).clip(0, 1)
    return Rotation.from_rotvec(np.column_stack([0 * roll, 0 * roll, counts * (roll - roll.clip(-limit, limit))]))


def _pulled_in(shot: _Shot, wanted: Rotation) -> Rotation:
    """The wanted orientations, pulled towards the real ones until the output lies inside at the largest zoom."""
    real = shot.real
    way = (real.inv() * wanted).as_rotvec()

    def at(share: Float) -> Rotation:
        return real * Rotation.from_rotvec(share[:, None] * way)

    if (shot.outside(at(np.zeros(len(way))), shot.zoom_limit) > 0).any():
        raise SolveError("rolling shutter and lens leave the crop no room: raise --max-crop, or use --solver l1")
    most = _bisected(lambda share: shot.outside(at(share), shot.zoom_limit) <= 0, np.zeros(len(way)), np.ones(len(way)))
    for _ in range(ROUNDS):
        share = _below(most, shot.fade)
        outside = shot.outside(at(share), shot.zoom_limit) > 0
        if not outside.any():
            return at(share)
        most = np.where(outside, np.minimum(share * GIVE_WAY, most), most)
    most[outside] = 0  # there nothing is smoothed, which is inside
    share = _below(most, shot.fade)
    return at(np.where(shot.outside(at(share), shot.zoom_limit) > 0, 0.0, share))


def _zoom(shot: _Shot, virtual: Rotation, config: PathConfig) -> Float:
    """The least zoom (n,) that holds the output inside: smooth in time, or one for all."""
    ones = np.ones_like(shot.zoom_limit)
    need = _bisected(lambda zoom: shot.outside(virtual, zoom) <= 0, shot.zoom_limit, ones)
    if config.zoom == "static":
        one = np.full_like(need, need.max())
        return one if (shot.outside(virtual, one) <= 0).all() else np.maximum(one, shot.zoom_limit)
    for _ in range(ROUNDS):
        zoom = np.minimum(_above(need, shot.fade), shot.zoom_limit)
        outside = shot.outside(virtual, zoom) > 0
        if not outside.any():
            return zoom
        need = np.where(outside, shot.zoom_limit, need)
    return np.where(outside, shot.zoom_limit, zoom)


def _bisected(fits: Callable[[Float], NDArray[np.bool_]], good: Float, wish: Float) -> Float:
    """For each frame the value nearest to the wish that fits, on the way there from one that does."""
    good, bad = np.where(fits(wish), wish, good), wish
    for _ in range(HALVINGS):
        middle = (good + bad) / 2
        fitting = fits(middle)
        good, bad = np.where(fitting, middle, good), np.where(fitting, bad, middle)
    return good


def _below(values: Float, reach: int) -> Float:
    """A smooth curve that is nowhere above values (n,)."""
    return _even(minimum_filter1d(values, 2 * reach + 1, mode="nearest"), reach)


def _above(values: Float, reach: int) -> Float:
    """A smooth curve that is nowhere below values (n,)."""
    return _even(maximum_filter1d(values, 2 * reach + 1, mode="nearest"), reach)


def _even(values: Float, reach: int) -> Float:
    """The mean under a bell that ends within `reach`: of a running extreme over as far it passes no value."""
    bell = np.hanning(2 * reach + 3)[1:-1]
    return np.asarray(convolve1d(values, bell / bell.sum(), mode="nearest"))
