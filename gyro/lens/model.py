"""Lens models: projection of rays to pixels, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gyro.errors import LensError
from gyro.log import Float

MODELS = {"pinhole": (0,), "opencv_fisheye": (4,), "polynomial": (4, 5, 8)}
MAX_SIDE = 1 << 16
# Limits of plausible lenses.
FOCAL_RATIO_MAX = 1e4  # of the focal length to the frame's long side, and its inverse
COEFFICIENT_MAX = 1e6
READOUT_MAX_S = 1.0
_ITERATIONS = 30
_RAMP_STEPS = 6  # steps in which Newton's target moves from the centre to its place
_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Lens:
    """Intrinsics at a frame size; pixel centres are integers, camera axes x right, y down, z forward."""

    width: int
    height: int
    K: Float
    """(3, 3) focal lengths and principal point in pixels, no skew."""
    model: str = "pinhole"
    """A key of MODELS."""
    coefficients: tuple[float, ...] = ()
    """In OpenCV's order: k1, k2, k3, k4 for `opencv_fisheye`; k1, k2, p1, p2[, k3[, k4, k5, k6]] for `polynomial`."""
    name: str = ""
    readout_s: float | None = None
    """Rolling-shutter readout time from first to last row, if known."""

    def __post_init__(self) -> None:
        if self.model not in MODELS or len(self.coefficients) not in MODELS[self.model]:
            raise LensError(f"lens model {self.model!r} with {len(self.coefficients)} coefficients; known: {MODELS}")
        if self.K.shape != (3, 3) or not np.all(np.isfinite(self.K)) or min(self.K[0, 0], self.K[1, 1]) <= 0:
            raise LensError("a lens needs a finite 3 x 3 camera matrix with positive focal lengths")
        if not (min(self.width, self.height) > 0 and max(self.width, self.height) <= MAX_SIDE):
            raise LensError(
                f"a lens for frames of {self.width} x {self.height} pixels; give sides of 1 to {MAX_SIDE} pixels"
            )
        side = max(self.width, self.height)
        focal = np.diag(self.K)[:2] / side
        if (
            np.any(focal < 1 / FOCAL_RATIO_MAX)
            or np.any(focal > FOCAL_RATIO_MAX)
            or np.any(np.abs(self.K) > FOCAL_RATIO_MAX * side)
        ):
            raise LensError(
                f"focal lengths of {self.K[0, 0]:.4g} and {self.K[1, 1]:.4g} pixels are out of range for frames of "
                f"{side} pixels"
            )
        if not np.all(np.abs(self.coefficients) < COEFFICIENT_MAX):
            raise LensError(f"a distortion coefficient of {max(map(abs, self.coefficients)):.3g} is out of range")
        if self.readout_s is not None and not abs(self.readout_s) <= READOUT_MAX_S:
            raise LensError(f"a rolling-shutter readout time of {self.readout_s * 1e3:.4g} ms is out of range")


def simple_lens(width: int, height: int, focal_px: float, k1: float = 0.0) -> Lens:
    """Return a lens with a focal length, k1, and the principal point in the middle of the frame."""
    K = np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1.0]])
    return Lens(width, height, K, "polynomial", (k1, 0, 0, 0)) if k1 else Lens(width, height, K)


def refocus_lens(lens: Lens, focal_px: float) -> Lens:
    """Return the lens with another focal length along x; that along y keeps its ratio."""
    K = lens.K.copy()
    K[[0, 1], [0, 1]] *= focal_px / K[0, 0]
    return replace(lens, K=K)


def resize_lens(lens: Lens, width: int, height: int) -> Lens:
    """Return the lens for frames of another size.

    The frame is scaled by width / lens.width and then cropped, or extended, equally above and below: cameras keep the
    width of the sensor when they change the aspect ratio. A profile for the exact crop is more accurate.
    """
    s = width / lens.width
    K = lens.K.copy()
    K[:2, :2] *= s
    K[0, 2] = (lens.K[0, 2] + 0.5) * s - 0.5
    K[1, 2] = (lens.K[1, 2] + 0.5) * s - 0.5 + (height - lens.height * s) / 2
    return replace(lens, width=width, height=height, K=K)


def project(lens: Lens, rays: Float) -> Float:
    """Return the pixels (..., 2) of rays (..., 3); NaN for rays outside the model (behind the camera, beyond the
    fold)."""
    rays = np.asarray(rays, float)
    z = rays[..., 2]
    if lens.model == "opencv_fisheye":
        radius = np.hypot(rays[..., 0], rays[..., 1])
        theta = np.arctan2(radius, z)
        theta_d = np.where(theta < _theta_limit(lens.coefficients), _fisheye(lens.coefficients, theta), np.nan)
        xy = rays[..., :2] * (theta_d / np.where(radius > 0, radius, 1))[..., None]
    else:
        front = np.where(z > 0, z, np.nan)
        xy = distort(lens, rays[..., :2] / front[..., None])
    return np.asarray(xy * (lens.K[0, 0], lens.K[1, 1]) + lens.K[:2, 2])


def unproject(lens: Lens, pixels: Float) -> Float:
    """Return the unit rays (..., 3) of pixels (..., 2); NaN where no ray projects to a pixel."""
    xy = (np.asarray(pixels, float) - lens.K[:2, 2]) / (lens.K[0, 0], lens.K[1, 1])
    if lens.model == "opencv_fisheye":
        theta_d = np.hypot(xy[..., 0], xy[..., 1])
        theta = _fisheye_inverse(lens.coefficients, theta_d)
        side = xy * (np.sin(theta) / np.where(theta_d > 0, theta_d, 1))[..., None]
        return np.concatenate([side, np.cos(theta)[..., None]], axis=-1)
    plain = undistort(lens, xy)
    rays = np.concatenate([plain, np.ones_like(plain[..., :1])], axis=-1)
    return np.asarray(rays / np.linalg.norm(rays, axis=-1, keepdims=True))


def distort(lens: Lens, xy: Float) -> Float:
    """Distort normalised image coordinates (..., 2), x / z and y / z of a ray.

    OpenCV's models (documentation of calib3d and of fisheye): Brown-Conrady with rational part, Kannala-Brandt.
    """
    xy = np.asarray(xy, float)
    if lens.model == "pinhole":
        return xy.copy()
    if lens.model == "opencv_fisheye":
        radius = np.hypot(xy[..., 0], xy[..., 1])
        theta = np.arctan(radius)
        scale = np.where(radius > 0, _fisheye(lens.coefficients, theta) / np.where(radius > 0, radius, 1), 1.0)
        return np.asarray(xy * scale[..., None])
    return _brown_conrady(lens.coefficients, xy)


def undistort(lens: Lens, xy: Float) -> Float:
    """Invert `distort` by Newton's method to 1e-10; NaN where there is no solution."""
    xy = np.asarray(xy, float)
    if lens.model == "pinhole":
        return xy.copy()
    if lens.model == "opencv_fisheye":
        theta_d = np.hypot(xy[..., 0], xy[..., 1])
        theta = _fisheye_inverse(lens.coefficients, theta_d)
        theta = np.where(theta < np.pi / 2, theta, np.nan)
        return np.asarray(xy * np.where(theta_d > 0, np.tan(theta) / np.where(theta_d > 0, theta_d, 1), 1.0)[..., None])
    return _newton(lens, xy)


def distort_jacobian(lens: Lens, xy: Float) -> Float:
    """Return the derivative (..., 2, 2) of `distort` by its argument."""
    xy = np.asarray(xy, float)
    if lens.model == "pinhole":
        return np.broadcast_to(np.eye(2), (*xy.shape, 2)).copy()
    r2 = np.sum(xy * xy, axis=-1)
    if lens.model == "opencv_fisheye":
        scale, slope = _fisheye_scale(lens.coefficients, r2)
        return _radial_jacobian(xy, scale, slope)
    k1, k2, p1, p2, k3, k4, k5, k6 = _pad_coefficients(lens.coefficients)
    x, y = xy[..., 0], xy[..., 1]
    over, under = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    d_over, d_under = k1 + r2 * (2 * k2 + 3 * r2 * k3), k4 + r2 * (2 * k5 + 3 * r2 * k6)
    J = _radial_jacobian(xy, over / under, (d_over * under - over * d_under) / under**2)
    J[..., 0, 0] += 2 * p1 * y + 6 * p2 * x
    J[..., 0, 1] += 2 * p1 * x + 2 * p2 * y
    J[..., 1, 0] += 2 * p1 * x + 2 * p2 * y
    J[..., 1, 1] += 6 * p1 * y + 2 * p2 * x
    return J


def _radial_jacobian(xy: Float, scale: Float, slope: Float) -> Float:
    """Return the derivative of xy * scale(r^2), where `slope` is that of `scale` by r^2."""
    outer = 2 * xy[..., :, None] * xy[..., None, :] * slope[..., None, None]
    return np.asarray(outer + scale[..., None, None] * np.eye(2))


def _pad_coefficients(coefficients: tuple[float, ...]) -> tuple[float, ...]:
    return coefficients + (0.0,) * (8 - len(coefficients))


def _brown_conrady(coefficients: tuple[float, ...], xy: Float) -> Float:
    k1, k2, p1, p2, k3, k4, k5, k6 = _pad_coefficients(coefficients)
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return np.stack(
        [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y],
        axis=-1,
    )


def _newton(lens: Lens, target: Float) -> Float:
    """Solve distort(xy) = target from the middle outwards, so that the solution lies inside the fold."""
    xy = np.zeros_like(target)
    with np.errstate(all="ignore"):  # points without a solution diverge and become NaN below
        for step in range(1, _ITERATIONS + 1):
            error = distort(lens, xy) - target * min(1.0, step / _RAMP_STEPS)
            if step > _RAMP_STEPS and not np.any(np.abs(error) >= _TOLERANCE):
                break
            J = distort_jacobian(lens, xy)
            det = J[..., 0, 0] * J[..., 1, 1] - J[..., 0, 1] * J[..., 1, 0]
            det = np.where(det > 0, det, np.nan)
            dx = (J[..., 1, 1] * error[..., 0] - J[..., 0, 1] * error[..., 1]) / det
            dy = (J[..., 0, 0] * error[..., 1] - J[..., 1, 0] * error[..., 0]) / det
            xy = xy - np.stack([dx, dy], axis=-1)
        solved = np.all(np.abs(distort(lens, xy) - target) < _TOLERANCE, axis=-1)
    return np.where(solved[..., None], xy, np.nan)


def _fisheye(k: tuple[float, ...], theta: Float) -> Float:
    t2 = theta * theta
    return np.asarray(theta * (1 + t2 * (k[0] + t2 * (k[1] + t2 * (k[2] + t2 * k[3])))))


def _fisheye_slope(k: tuple[float, ...], theta: Float) -> Float:
    t2 = theta * theta
    return np.asarray(1 + t2 * (3 * k[0] + t2 * (5 * k[1] + t2 * (7 * k[2] + t2 * 9 * k[3]))))


def _fisheye_scale(k: tuple[float, ...], r2: Float) -> tuple[Float, Float]:
    """Return theta_d / r as a function of r^2 and its derivative by r^2; a series near the centre, where both are 0 /
    0."""
    r = np.sqrt(np.where(r2 > 1e-8, r2, 1.0))
    theta = np.arctan(r)
    theta_d = _fisheye(k, theta)
    slope = (_fisheye_slope(k, theta) / (1 + r * r) - theta_d / r) / (2 * r * r)
    near = k[0] - 1 / 3
    return np.where(r2 > 1e-8, theta_d / r, 1 + near * r2), np.where(r2 > 1e-8, slope, near)


def _theta_limit(k: tuple[float, ...]) -> float:
    """Return the angle up to which theta_d grows, at most pi; beyond, two rays project to one pixel."""
    # np.roots divides by the leading coefficient.
    powers = [0.0 if abs(c) < 1e-12 else c for c in (9 * k[3], 7 * k[2], 5 * k[1], 3 * k[0])]
    t2 = np.roots([*powers, 1.0])
    real = t2[(np.abs(t2.imag) < 1e-12) & (t2.real > 0)].real
    return float(min(np.sqrt(real.min()), np.pi)) if real.size else float(np.pi)


def _fisheye_inverse(k: tuple[float, ...], theta_d: Float) -> Float:
    """Return theta of theta_d by Newton's method inside a shrinking bracket; NaN beyond the fold."""
    limit = _theta_limit(k)
    low, high = np.zeros_like(theta_d), np.full_like(theta_d, limit)
    theta = np.minimum(theta_d, limit)
    for _ in range(60):
        error = _fisheye(k, theta) - theta_d
        low, high = np.where(error < 0, theta, low), np.where(error < 0, high, theta)
        slope = _fisheye_slope(k, theta)
        step = theta - error / np.where(slope > 1e-9, slope, 1.0)
        theta = np.where((step > low) & (step < high), step, (low + high) / 2)
    return np.where(np.abs(_fisheye(k, theta) - theta_d) < _TOLERANCE * np.maximum(1, theta_d), theta, np.nan)
