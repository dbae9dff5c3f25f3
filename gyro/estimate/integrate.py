"""Integration of angular rates to orientations, levelled by VQF where there is an accelerometer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import vqf
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.spatial.transform import Rotation, Slerp

from gyro.errors import LogError
from gyro.log import Float, GyroLog

CHUNK_SAMPLES = 65536  # per step, so that an hour at 500 Hz fits in a few hundred MB
VQF_RATE_HZ = 50.0
GAP_MIN_S = 0.1  # within a longer gap a hand can turn around, so interpolation is not trusted


@dataclass(frozen=True, slots=True)
class OrientationTrack:
    """Orientation of the gyroscope's body over log time. The world has z up and an arbitrary heading where `gravity` is
    true; otherwise it is the body at the first sample."""

    time_s: Float
    """(n,) log clock."""
    R_world_body: Rotation
    """n rotations from body vectors to world vectors."""
    rate_rad_s: Float
    """(n, 3) body rates with the bias removed."""
    gaps_s: Float
    """(k, 2) spans without data."""
    bias_rad_s: Float
    """(3,) mean bias that was subtracted."""
    gravity: bool
    """Whether an accelerometer levelled the world."""

    def evaluate(self, t_s: Float) -> Rotation:
        """Return R_world_body at log times `t_s` (m,), constant beyond both ends.

        Between samples the rotation vector from the left sample is a cubic that meets the right sample and the
        measured rates at both (Hermite). A 10 Hz shake in a 100 Hz log is interpolated to 1e-4 rad, by slerp to 1e-3.
        """
        left, local = self._local_rotvec(t_s)
        return self.R_world_body[left] * Rotation.from_rotvec(local)

    def matrices(self, t_s: Float) -> Float:
        """As `evaluate`, as matrices (m, 3, 3): much faster for many times."""
        left, local = self._local_rotvec(t_s)
        span = _index_span(left)
        R_world_left = self.R_world_body[span].as_matrix()[left - span.start]
        return np.asarray(R_world_left @ Rotation.from_rotvec(local).as_matrix())

    def _local_rotvec(self, t_s: Float) -> tuple[NDArray[np.intp], Float]:
        """Return the sample before each time, and the rotation vector (m, 3) from it to the time."""
        t = np.clip(np.asarray(t_s, float), self.time_s[0], self.time_s[-1])
        left = self._sample_before(t)
        dt = self.time_s[left + 1] - self.time_s[left]
        s = ((t - self.time_s[left]) / dt)[:, None]
        step = self._step_rotvecs(left)
        slope0, slope1 = self._slopes(left, dt, step)
        return left, step * s**2 * (3 - 2 * s) + slope0 * s * (1 - s) ** 2 - slope1 * s**2 * (1 - s)

    def _step_rotvecs(self, left: NDArray[np.intp]) -> Float:
        """Return the rotation vectors (m, 3) from samples to the next ones, each computed once where times are
        dense."""
        span = _index_span(left)
        dense = span.stop - span.start < len(left)
        wanted = np.arange(span.start, span.stop) if dense else left
        step = (self.R_world_body[wanted].inv() * self.R_world_body[wanted + 1]).as_rotvec()
        return np.asarray(step[left - span.start] if dense else step)

    def rate(self, t_s: Float) -> Float:
        """Return the body rate (m, 3) in rad/s at log times, linear between samples, zero beyond the ends."""
        return np.stack([np.interp(t_s, self.time_s, column, left=0, right=0) for column in self.rate_rad_s.T], axis=1)

    def covers(self, t_s: Float) -> NDArray[np.bool_]:
        """Return which times (m,) lie inside the log and outside its gaps."""
        t = np.asarray(t_s, float)
        return np.asarray((t >= self.time_s[0]) & (t <= self.time_s[-1]) & ~in_gaps(self.gaps_s, t))

    def _sample_before(self, t: Float) -> NDArray[np.intp]:
        return np.clip(np.searchsorted(self.time_s, t, side="right") - 1, 0, len(self.time_s) - 2)

    def _slopes(self, left: NDArray[np.intp], dt: Float, step: Float) -> tuple[Float, Float]:
        """Return the derivatives of the rotation vector at both ends, per interval; across a gap the mean slope."""
        width = np.where(dt > GAP_MIN_S, 0.0, dt)[:, None]
        rate0, rate1 = self.rate_rad_s[left] * width, self.rate_rad_s[left + 1] * width
        # d(rotvec)/ds = J_r^-1(step) rate; to first order J_r^-1 = 1 + [step]x / 2 at the far end.
        slope1 = rate1 + np.cross(step, rate1) / 2
        wide = width == 0
        return np.where(wide, step, rate0), np.where(wide, step, slope1)


def _index_span(index: NDArray[np.intp]) -> slice:
    return slice(int(index.min()), int(index.max()) + 1) if len(index) else slice(0, 0)


def integrate(log: GyroLog, bias_rad_s: Float | None = None, use_accel: bool = True) -> OrientationTrack:
    """Integrate a log into orientations.

    With an accelerometer, VQF in its offline variant (Laidig & Seel 2023) detects rest, removes the bias and levels
    the world. Without one, increments are accumulated. `bias_rad_s` (3,) is subtracted first.
    Raises LogError for fewer than two samples.
    """
    if len(log.time_s) < 2:
        raise LogError(f"{log.source}: {len(log.time_s)} gyro samples; at least two are needed to integrate")
    bias = np.zeros(3) if bias_rad_s is None else np.asarray(bias_rad_s, float)
    rate = log.gyro_rad_s - bias
    gaps = find_gaps(log)
    integrated = OrientationTrack(log.time_s, accumulate(increments(log.time_s, rate)), rate, gaps, bias, gravity=False)
    return integrated if log.accel_m_s2 is None or not use_accel else _level_with_vqf(integrated, log.accel_m_s2)


def find_gaps(log: GyroLog) -> Float:
    """Return the spans (k, 2) without data: those of the reader, and steps longer than 0.1 s and five median steps."""
    dt = np.diff(log.time_s)
    holes = np.flatnonzero(dt > max(GAP_MIN_S, 5 * float(np.median(dt))))
    spans = np.stack([log.time_s[holes], log.time_s[holes + 1]], axis=1)
    both = np.concatenate([log.gaps_s, spans])
    return both[np.argsort(both[:, 0], kind="stable")]


def in_gaps(gaps_s: Float, t_s: Float, margin_s: float = 0.0) -> NDArray[np.bool_]:
    """Return which times (m,) lie strictly inside one of the spans (k, 2), widened by `margin_s`. The spans ascend by
    their start and may overlap. A damaged log can have as many gaps as samples, so there is no loop over them.
    """
    if not len(gaps_s):
        return np.zeros(len(t_s), bool)
    furthest = np.maximum.accumulate(gaps_s[:, 1])
    before = np.searchsorted(gaps_s[:, 0], t_s + margin_s, side="left")  # gaps that have started by then
    return np.asarray((before > 0) & (t_s - margin_s < furthest[np.maximum(before - 1, 0)]))


def increments(time_s: Float, rate_rad_s: Float) -> Float:
    """Return the rotation vectors (n-1, 3) from each sample to the next, body frame: R[i+1] = R[i] exp(step[i]).

    Fourth order in the step: corrected trapezoid for the integral (Euler-Maclaurin, end slopes by differences) and
    the first non-commutative Magnus term, dt^2/12 w0 x w1 (Iserles & Norsett 1999).
    """
    step = np.empty((len(time_s) - 1, 3))
    for first in range(0, len(step), CHUNK_SAMPLES):
        last = min(first + CHUNK_SAMPLES, len(step))
        low, high = max(first - 1, 0), min(last + 2, len(time_s))
        part = _increments(time_s[low:high], rate_rad_s[low:high])
        step[first:last] = part[first - low : last - low]
    return step


def _increments(time_s: Float, rate_rad_s: Float) -> Float:
    dt = np.diff(time_s)[:, None]
    mean = (rate_rad_s[:-1] + rate_rad_s[1:]) / 2 * dt
    if len(time_s) < 3:
        return mean
    smooth = np.where(dt > GAP_MIN_S, 0.0, dt)
    slope = np.gradient(rate_rad_s, time_s, axis=0)
    coning = np.cross(rate_rad_s[:-1], rate_rad_s[1:])
    return np.asarray(mean + smooth**2 / 12 * (slope[:-1] - slope[1:] + coning))


def integrals(time_s: Float, values: Float, start_s: Float, end_s: Float) -> Float:
    """Return the integrals (m, 3) of samples (n, 3) at `time_s` (n,) from `start_s` (m,) to `end_s` (m,), by the
    trapezoidal rule; values beyond the samples count as zero."""
    out = np.empty((len(start_s), values.shape[1]))
    for axis, column in enumerate(values.T):
        integral = cumulative_trapezoid(column, time_s, initial=0)
        out[:, axis] = np.interp(end_s, time_s, integral) - np.interp(start_s, time_s, integral)
    return out


def accumulate(step_rad: Float) -> Rotation:
    """Return the running product of n rotation vectors (n, 3): n + 1 orientations, the first the identity."""
    out = Rotation.identity(len(step_rad) + 1)
    total = Rotation.identity()
    for first in range(0, len(step_rad), CHUNK_SAMPLES):
        part = total * _running_products(step_rad[first : first + CHUNK_SAMPLES])
        out[first + 1 : first + 1 + len(part)] = part
        total = part[-1]
    return out


def _running_products(step_rad: Float) -> Rotation:
    """Return the products of the first 1, 2, ... steps: within blocks of sqrt(n) in parallel, then block after block.
    Matrices compose ten times faster than `Rotation`; over so few steps they stay orthonormal to 1e-13."""
    n = len(step_rad)
    block = math.isqrt(n - 1) + 1
    steps = np.zeros((block * block, 3))
    steps[:n] = step_rad
    within = Rotation.from_rotvec(steps).as_matrix().reshape(block, block, 3, 3)
    for j in range(1, block):
        within[:, j] = within[:, j - 1] @ within[:, j]
    total = np.eye(3)
    for i in range(block):
        ahead = total @ within[i, -1]
        within[i] = total @ within[i]
        total = ahead
    return Rotation.from_matrix(within.reshape(-1, 3, 3)[:n])


def _level_with_vqf(integrated: OrientationTrack, accel_m_s2: Float) -> OrientationTrack:
    """Level a track and remove its bias by VQF, in place: an hour fills a hundred MB.

    VQF needs a constant sample rate, so it runs at knots (at most 50 Hz) of the integrated orientation. Its correction
    is slow and is interpolated at every sample. Fast motion stays as integrated, without VQF's lag of half a sample.
    """
    knots = _knots(integrated.time_s)
    at_knots = integrated.evaluate(knots)
    quat, bias = _vqf(at_knots, knots[1] - knots[0], _knot_means(integrated.time_s, accel_m_s2, knots))
    correction = Slerp(knots, Rotation.from_quat(quat) * at_knots.inv())
    R_world_body, rate = integrated.R_world_body, integrated.rate_rad_s
    for first in range(0, len(rate), CHUNK_SAMPLES):
        part = slice(first, first + CHUNK_SAMPLES)
        R_world_body[part] = correction(integrated.time_s[part]) * R_world_body[part]
        rate[part] -= np.stack([np.interp(integrated.time_s[part], knots, b) for b in bias.T], axis=1)
    return replace(integrated, bias_rad_s=integrated.bias_rad_s + bias.mean(axis=0), gravity=True)


def _knots(time_s: Float) -> Float:
    rate_hz = min(1 / float(np.median(np.diff(time_s))), VQF_RATE_HZ)
    return np.linspace(time_s[0], time_s[-1], max(math.ceil((time_s[-1] - time_s[0]) * rate_hz), 1) + 1)


def _knot_means(time_s: Float, values: Float, knots: Float) -> Float:
    """Return the mean of each column over one knot interval around every knot, against aliasing of vibration."""
    half = (knots[1] - knots[0]) / 2
    low, high = np.maximum(knots - half, time_s[0]), np.minimum(knots + half, time_s[-1])
    return np.asarray(integrals(time_s, values, low, high) / (high - low)[:, None])


def _vqf(R_world_body: Rotation, interval_s: float, accel_m_s2: Float) -> tuple[Float, Float]:
    """Return quaternions (n, 4), scalar last, earth from body, and the bias (n, 3) that VQF estimates."""
    step = (R_world_body[:-1].inv() * R_world_body[1:]).as_rotvec()
    rate = np.vstack([step[:1], step]) / interval_s
    result = vqf.offlineVQF(rate, np.ascontiguousarray(accel_m_s2), None, interval_s)
    return np.roll(result["quat6D"], -1, axis=1), np.asarray(result["bias"])
