"""Camera model: lens projection and its inverse, exposure time of each line, lens shift (OIS)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .motion import Harmonics, band, tremor
from .spec import ClipSpec, Lens

Float = NDArray[np.float64]
UNDISTORT_TABLE_SIZE = 4096


def radius_distorted(lens: Lens, radius: Float) -> Float:
    """Return the distorted normalised radius of a normalised radius (`pinhole`) or of an angle in rad (`fisheye`)."""
    series = np.ones_like(radius)
    for power, k in enumerate(lens.k, start=1):
        series = series + k * radius ** (2 * power)
    return np.asarray(radius * series)


def _undistort_table(lens: Lens) -> tuple[Float, Float]:
    """Return (distorted, undistorted) radii over the range in which the distortion is invertible."""
    undistorted = np.linspace(0, 3.0, UNDISTORT_TABLE_SIZE)
    distorted = radius_distorted(lens, undistorted)
    falling = np.flatnonzero(np.diff(distorted) <= 0)
    end = int(falling[0]) + 1 if len(falling) else UNDISTORT_TABLE_SIZE
    return distorted[:end], undistorted[:end]


def rays(lens: Lens, xy_px: Float, centre_px: Float) -> Float:
    """Return directions in camera axes (..., 3) of image points (..., 2): z = 1 (pinhole) or unit length (fisheye)."""
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
    """Project directions in camera axes (..., 3) to image points (..., 2); NaN behind a pinhole camera."""
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
    """Return the principal point without lens shift."""
    return np.array([(spec.width - 1) / 2, (spec.height - 1) / 2])


def line_offset_s(spec: ClipSpec, xy_px: Float) -> Float:
    """Return the exposure time of the line of each image point (..., 2), relative to the time of its frame."""
    coordinate, length = (xy_px[..., 1], spec.height) if spec.shutter.lines == "rows" else (xy_px[..., 0], spec.width)
    return np.asarray(spec.shutter.readout_s * (coordinate / (length - 1) - 0.5))


def line_times(spec: ClipSpec, time_s: float) -> Float:
    """Return the times of all lines of a frame; a single time for a global shutter."""
    if spec.shutter.readout_s == 0:
        return np.array([time_s])
    length = spec.height if spec.shutter.lines == "rows" else spec.width
    return np.asarray(time_s + spec.shutter.readout_s * (np.arange(length) / (length - 1) - 0.5))


def _wander(spec: ClipSpec, wander_px: float) -> Harmonics:
    return band(np.random.default_rng((spec.seed, 4)), 12, (0.3, 4.0), np.array([wander_px, wander_px, 0, 0, 0, 0]))


def lens_shift_px(spec: ClipSpec, t_s: Float) -> Float:
    """Return the shift of the principal point at (n,) times, (n, 2); zero without OIS.

    Positive yaw moves the image left, so the lens moves it right.
    """
    if spec.ois is None:
        return np.zeros((len(t_s), 2))
    pitch, yaw = tremor(spec).at(t_s)[:, :2].T
    against = spec.ois.gain * spec.lens.f_px * np.stack([yaw, -pitch], axis=1)
    return np.asarray(against + _wander(spec, spec.ois.wander_px).at(t_s)[:, :2])
