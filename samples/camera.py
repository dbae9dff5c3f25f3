"""The lens and the shutter: rays of pixels, pixels of rays, the time of each line, the shift of the lens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .motion import Harmonics, band, tremor
from .spec import ClipSpec, Lens

Float = NDArray[np.float64]
TABLE = 4096


def radius_distorted(lens: Lens, radius: Float) -> Float:
    """`pinhole`: normalised radius -> distorted; `fisheye`: angle from the axis in radians -> distorted normalised
    radius.
    """
    series = np.ones_like(radius)
    for power, k in enumerate(lens.k, start=1):
        series = series + k * radius ** (2 * power)
    return np.asarray(radius * series)


def _undistort_table(lens: Lens) -> tuple[Float, Float]:
    """(distorted, undistorted) radii, as far as the distortion stays invertible."""
    undistorted = np.linspace(0, 3.0, TABLE)
    distorted = radius_distorted(lens, undistorted)
    falling = np.flatnonzero(np.diff(distorted) <= 0)
    end = int(falling[0]) + 1 if len(falling) else TABLE
    return distorted[:end], undistorted[:end]


def rays(lens: Lens, xy_px: Float, centre_px: Float) -> Float:
    """Directions in camera axes (..., 3) of picture points (..., 2). Those of a pinhole have z = 1, those of a fisheye
    length 1.
    """
    flat = (xy_px - centre_px) / lens.f_px
    if lens.model == "pinhole" and not any(lens.k):
        return np.concatenate([flat, np.ones_like(flat[..., :1])], axis=-1)
    radius = np.hypot(flat[..., 0], flat[..., 1])
    undistorted = np.interp(radius, *_undistort_table(lens))
    safe = np.maximum(radius, 1e-12)
    if lens.model == "fisheye":
        return np.concatenate([flat * (np.sin(undistorted) / safe)[..., None], np.cos(undistorted)[..., None]], axis=-1)
    return np.concatenate(
        [flat * (np.where(radius > 0, undistorted / safe, 1.0))[..., None], np.ones_like(flat[..., :1])], axis=-1
    )


def project(lens: Lens, direction: Float, centre_px: Float) -> Float:
    """Picture points (..., 2) of directions in camera axes (..., 3); NaN behind a pinhole."""
    x, y, z = np.moveaxis(direction, -1, 0)
    side = np.hypot(x, y)
    if lens.model == "fisheye":
        radius = np.arctan2(side, z)
    else:
        radius = np.divide(side, z, out=np.full_like(side, np.nan), where=z > 0)
    scale = np.divide(radius_distorted(lens, radius), side, out=np.full_like(side, np.nan), where=side > 1e-12)
    scale = np.where((side <= 1e-12) & (z > 0), 0.0, scale)
    return np.asarray(np.stack([x * scale, y * scale], axis=-1) * lens.f_px + centre_px)


def centre_px(spec: ClipSpec) -> Float:
    """The principal point without lens shift."""
    return np.array([(spec.width - 1) / 2, (spec.height - 1) / 2])


def line_offset_s(spec: ClipSpec, xy_px: Float) -> Float:
    """When the line of each picture point (..., 2) is exposed, after the time of its frame."""
    coordinate, length = (xy_px[..., 1], spec.height) if spec.shutter.lines == "rows" else (xy_px[..., 0], spec.width)
    return np.asarray(spec.shutter.readout_s * (coordinate / (length - 1) - 0.5))


def line_times(spec: ClipSpec, time_s: float) -> Float:
    """Times of all lines of a frame; a single one where the whole picture is exposed at once."""
    if spec.shutter.readout_s == 0:
        return np.array([time_s])
    length = spec.height if spec.shutter.lines == "rows" else spec.width
    return np.asarray(time_s + spec.shutter.readout_s * (np.arange(length) / (length - 1) - 0.5))


def _wander(spec: ClipSpec, wander_px: float) -> Harmonics:
    return band(np.random.default_rng((spec.seed, 4)), 12, (0.3, 4.0), np.array([wander_px, wander_px, 0, 0, 0, 0]))


def lens_shift_px(spec: ClipSpec, t_s: Float) -> Float:
    """Shift of the principal point at (n,) times, (n, 2): zero without OIS. Positive yaw moves the picture left, so the
    lens moves it right.
    """
    if spec.ois is None:
        return np.zeros((len(t_s), 2))
    pitch, yaw = tremor(spec).at(t_s)[:, :2].T
    against = spec.ois.gain * spec.lens.f_px * np.stack([yaw, -pitch], axis=1)
    return np.asarray(against + _wander(spec, spec.ois.wander_px).at(t_s)[:, :2])
