"""From angular rate to orientation: exact exponentials, VQF for gravity and bias where an accelerometer is there."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import vqf
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from gyro.errors import LogError
from gyro.log import Float, GyroLog

CHUNK = 65536  # samples at a time: an hour at 500 Hz fits in a few hundred MB
VQF_RATE_HZ = 50.0
GAP_S = 0.1  # a hand can turn around within a longer hole, so its content is unknown


@dataclass(frozen=True, slots=True)
class OrientationTrack:
    """Orientation of the gyroscope's body over log time.

    `time_s` (n,) log clock; `R_world_body` n rotations, body vectors to world vectors; `rate_rad_s` (n, 3) body rates
    with the bias removed. World: z up, heading arbitrary, where `gravity` is true; otherwise the world is the body at
    the first sample. `bias_rad_s` (3,) is the mean bias that was subtracted. `gaps_s` (k, 2) are spans that the log
    does not know.
    """

    time_s: Float
    R_world_body: Rotation
    rate_rad_s: Float
    gaps_s: Float
    bias_rad_s: Float
    gravity: bool

    def evaluate(self, t_s: Float) -> Rotation:
        """R_world_body at log times `t_s` (m,); held constant beyond both ends.

        Between samples the rotation vector from the left sample is a cubic that meets the right sample and the
        measured rates at both (Hermite), which follows a 10 Hz shake in a 100 Hz log to 1e-4 rad where slerp errs by
        1e-3.
        """
        left, local = self._local(t_s)
        return self.R_world_body[left] * Rotation.from_rotvec(local)

    def matrices(self, t_s: Float) -> Float:
        """As `evaluate`, (m, 3, 3): of many times it takes a fraction of the time."""
        left, local = self._local(t_s)
        near = _range(left)
        R_world_left = self.R_world_body[near].as_matrix()[left - near.start]
        return np.asarray(R_world_left @ Rotation.from_rotvec(local).as_matrix())

    def _local(self, t_s: Float) -> tuple[NDArray[np.intp], Float]:
        """The sample before each time, and the rotation vector (m, 3) since."""
        t = np.clip(np.asarray(t_s, float), self.time_s[0], self.time_s[-1])
        left = self._left(t)
        dt = self.time_s[left + 1] - self.time_s[left]
        s = ((t - self.time_s[left]) / dt)[:, None]
        step = self._steps(left)
        slope0, slope1 = self._slopes(left, dt, step)
        return left, step * s**2 * (3 - 2 * s) + slope0 * s * (1 - s) ** 2 - slope1 * s**2 * (1 - s)

    def _steps(self, left: NDArray[np.intp]) -> Float:
        """Rotation vectors (m, 3) from some samples to the next ones, each computed once where times are dense."""
        near = _range(left)
        dense = near.stop - near.start < len(left)
        wanted = np.arange(near.start, near.stop) if dense else left
        step = (self.R_world_body[wanted].inv() * self.R_world_body[wanted + 1]).as_rotvec()
        return np.asarray(step[left - near.start] if dense else step)

    def rate(self, t_s: Float) -> Float:
        """Body rate (m, 3) in rad/s at log times, linear between samples, zero beyond the ends."""
        return np.stack([np.interp(t_s, self.time_s, column, left=0, right=0) for column in self.rate_rad_s.T], axis=1)

    def known(self, t_s: Float) -> NDArray[np.bool_]:
        """(m,) bool: inside the log and outside its gaps."""
        t = np.asarray(t_s, float)
        return np.asarray((t >= self.time_s[0]) & (t <= self.time_s[-1]) & ~in_gaps(self.gaps_s, t))

    def _left(self, t: Float) -> NDArray[np.intp]:
        return np.clip(np.searchsorted(self.time_s, t, side="right") - 1, 0, len(self.time_s) - 2)

    def _slopes(self, left: NDArray[np.intp], dt: Float, step: Float) -> tuple[Float, Float]:
        """Rotation-vector derivatives at both ends, per interval; across a gap the rates say nothing of the inside."""
        width = np.where(dt > GAP_S, 0.0, dt)[:, None]
        rate0, rate1 = self.rate_rad_s[left] * width, self.rate_rad_s[left + 1] * width
        # d(rotvec)/ds = J_r^-1(step) rate; to first order J_r^-1 = 1 + [step]x / 2 at the far end.
        slope1 = rate1 + np.cross(step, rate1) / 2
        wide = width == 0
        return np.where(wide, step, rate0), np.where(wide, step, slope1)


def _range(index: NDArray[np.intp]) -> slice:
    return slice(int(index.min()), int(index.max()) + 1) if len(index) else slice(0, 0)


def integrate(log: GyroLog, bias_rad_s: Float | None = None, use_accel: bool = True) -> OrientationTrack:
    """Integrate a log into orientations.

    With an accelerometer: VQF, offline variant (Laidig & Seel 2023), which finds rest, removes the bias and levels
    the world. Without: the increments alone. `bias_rad_s` (3,) is subtracted first (e.g. what synchronisation found).
    Raises LogError for fewer than two samples.
    """
    if len(log.time_s) < 2:
        raise LogError(f"{log.source}: {len(log.time_s)} gyro samples; at least two are needed to integrate")
    bias = np.zeros(3) if bias_rad_s is None else np.asarray(bias_rad_s, float)
    rate = log.gyro_rad_s - bias
    gaps = find_gaps(log)
    own = OrientationTrack(log.time_s, accumulate(increments(log.time_s, rate)), rate, gaps, bias, gravity=False)
    return own if log.accel_m_s2 is None or not use_accel else _level(own, log.accel_m_s2)


def find_gaps(log: GyroLog) -> Float:
    """(k, 2) spans without data: what the reader marked, and every step longer than 0.1 s and five usual steps."""
    dt = np.diff(log.time_s)
    holes = np.flatnonzero(dt > max(GAP_S, 5 * float(np.median(dt))))
    spans = np.stack([log.time_s[holes], log.time_s[holes + 1]], axis=1)
    both = np.concatenate([log.gaps_s, spans])
    return both[np.argsort(both[:, 0], kind="stable")]


def in_gaps(gaps_s: Float, t_s: Float, margin_s: float = 0.0) -> NDArray[np.bool_]:
    """(m,) bool: strictly inside one of the spans (k, 2), made wider by `margin_s`; the spans ascend by their start and
    may overlap. A damaged log has as many gaps as samples, so there is no loop over them.
    """
    if not len(gaps_s):
        return np.zeros(len(t_s), bool)
    furthest = np.maximum.accumulate(gaps_s[:, 1])
    before = np.searchsorted(gaps_s[:, 0], t_s + margin_s, side="left")  # gaps that have started by then
    return np.asarray((before > 0) & (t_s - margin_s < furthest[np.maximum(before - 1, 0)]))


def increments(time_s: Float, rate_rad_s: Float) -> Float:
    """Rotation vectors (n-1, 3) from each sample to the next, body frame: R[i+1] = R[i] exp(step[i]).

    Fourth order in the step: corrected trapezoid for the integral (Euler-Maclaurin, end slopes by differences) and
    the first non-commutative Magnus term, dt^2/12 w0 x w1 (Iserles & Norsett 1999).
    """
    step = np.empty((len(time_s) - 1, 3))
    for first in range(0, len(step), CHUNK):
        last = min(first + CHUNK, len(step))
        low, high = max(first - 1, 0), min(last + 2, len(time_s))
        part = _increments(time_s[low:high], rate_rad_s[low:high])
        step[first:last] = part[first - low : last - low]
    return step


def _increments(time_s: Float, rate_rad_s: Float) -> Float:
    dt = np.diff(time_s)[:, None]
    mean = (rate_rad_s[:-1] + rate_rad_s[1:]) / 2 * dt
    if len(time_s) < 3:
        return mean
    smooth = np.where(dt > GAP_S, 0.0, dt)
    slope = np.gradient(rate_rad_s, time_s, axis=0)
    coning = np.cross(rate_rad_s[:-1], rate_rad_s[1:])
    return np.asarray(mean + smooth**2 / 12 * (slope[:-1] - slope[1:] + coning))


def accumulate(step_rad: Float) -> Rotation:
    """Prefix product of rotations: n steps give n + 1 orientations, the first of them the identity."""
    out = Rotation.identity(len(step_rad) + 1)
    total = Rotation.identity()
    for first in range(0, len(step_rad), CHUNK):
        part = total * _prefix(step_rad[first : first + CHUNK])
        out[first + 1 : first + 1 + len(part)] = part
        total = part[-1]
    return out


def _prefix(step_rad: Float) -> Rotation:
    """Products of the first 1, 2, ... steps: blocks of sqrt(n) advance side by side, then each is put behind the one
    before. As matrices, which compose ten times faster; over so few steps they stay orthonormal to 1e-13."""
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


def _level(own: OrientationTrack, accel_m_s2: Float) -> OrientationTrack:
    """The track put upright and freed of bias by VQF, in its own arrays: an hour fills a hundred MB.

    VQF wants one sample rate, so it runs on even knots (at most 50 Hz) cut out of `own`; what it changes, R_level @
    own, is slow and is carried back to every sample. The fast motion stays as integrated, without the half-sample lag
    of a strapdown filter.
    """
    knots = _knots(own.time_s)
    at_knots = own.evaluate(knots)
    quat, bias = _vqf(at_knots, knots[1] - knots[0], _knot_means(own.time_s, accel_m_s2, knots))
    correction = Rotation.from_quat(quat) * at_knots.inv()
    R_world_body, rate = own.R_world_body, own.rate_rad_s
    for first in range(0, len(rate), CHUNK):
        part = slice(first, first + CHUNK)
        R_level = _slerp(knots, correction, own.time_s[part])
        R_world_body[part] = R_level * R_world_body[part]
        rate[part] -= np.stack([np.interp(own.time_s[part], knots, b) for b in bias.T], axis=1)
    return replace(own, bias_rad_s=own.bias_rad_s + bias.mean(axis=0), gravity=True)


def _knots(time_s: Float) -> Float:
    rate_hz = min(1 / float(np.median(np.diff(time_s))), VQF_RATE_HZ)
    return np.linspace(time_s[0], time_s[-1], max(math.ceil((time_s[-1] - time_s[0]) * rate_hz), 1) + 1)


def _knot_means(time_s: Float, values: Float, knots: Float) -> Float:
    """Mean of each column over one knot interval around every knot, so that vibration does not alias into gravity."""
    half = (knots[1] - knots[0]) / 2
    low, high = np.maximum(knots - half, time_s[0]), np.minimum(knots + half, time_s[-1])
    means = np.empty((len(knots), 3))
    for axis, column in enumerate(values.T):
        integral = np.concatenate([[0.0], np.cumsum((column[1:] + column[:-1]) / 2 * np.diff(time_s))])
        means[:, axis] = (np.interp(high, time_s, integral) - np.interp(low, time_s, integral)) / (high - low)
    return means


def _vqf(R_world_body: Rotation, interval_s: float, accel_m_s2: Float) -> tuple[Float, Float]:
    """Quaternions (n, 4) scalar last, earth from body, and the bias (n, 3) that VQF took out."""
    step = (R_world_body[:-1].inv() * R_world_body[1:]).as_rotvec()
    rate = np.vstack([step[:1], step]) / interval_s
    result = vqf.offlineVQF(rate, np.ascontiguousarray(accel_m_s2), None, interval_s)
    return np.roll(result["quat6D"], -1, axis=1), np.asarray(result["bias"])


def _slerp(knots: Float, rotations: Rotation, t_s: Float) -> Rotation:
    left = np.clip(np.searchsorted(knots, t_s, side="right") - 1, 0, len(knots) - 2)
    share = (t_s - knots[left]) / (knots[left + 1] - knots[left])
    step = (rotations[left].inv() * rotations[left + 1]).as_rotvec()
    return rotations[left] * Rotation.from_rotvec(step * share[:, None])
