"""Camera pose at any time: sums of sinusoids, so that every derivative is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .spec import GRAVITY_M_S2, CameraMotion, ClipSpec

Float = NDArray[np.float64]
TREMOR_TERMS = 24
DRIFT_TERMS = 6

MOTIONS = {
    "tripod": CameraMotion(),
    "handheld": CameraMotion(tremor_deg=0.35, tremor_m=0.004, drift_deg=0.8),
    "walk": CameraMotion(
        tremor_deg=0.25, drift_deg=0.8, bob_m=0.03, sway_m=0.03, nod_deg=0.7, roll_deg=0.8, velocity_m_s=(0, 0, 1.2)
    ),
    "pan": CameraMotion(tremor_deg=0.25, tremor_m=0.003, pan_deg=35),
    "action": CameraMotion(
        tremor_deg=1.6,
        drift_deg=3,
        step_hz=2.7,
        bob_m=0.07,
        sway_m=0.05,
        nod_deg=1.5,
        roll_deg=2,
        velocity_m_s=(0, 0, 2.5),
    ),
    "sinus": CameraMotion(sinus_deg=(0.6, 1.0, 0.3)),
    "jello": CameraMotion(tremor_deg=0.3, drift_deg=0.8, sinus_deg=(1.2, 2.0, 0.6)),
    "turning": CameraMotion(tremor_deg=0.35, drift_deg=0.8),  # rotation only: an exact homography in front of any world
    "strong": CameraMotion(tremor_deg=2.2, tremor_hz=(1, 6), drift_deg=3),
}


@dataclass(frozen=True, slots=True)
class Harmonics:
    """Six channels (pitch, yaw, roll in radians; x, y, z in metres): sum over k of amplitude (k, 6) sin(2 pi freq_hz t
    + phase).
    """

    freq_hz: Float
    amplitude: Float
    phase: Float

    def at(self, t_s: Float, derivative: int = 0) -> Float:
        """Value or time derivative at (n,) times: (n, 6)."""
        omega = 2 * np.pi * self.freq_hz
        angle = omega[:, None] * t_s[:, None, None] + self.phase + derivative * np.pi / 2
        return np.asarray(np.einsum("nkc,kc->nc", np.sin(angle), self.amplitude * omega[:, None] ** derivative))


def _term(freq_hz: float, phase: float, **amplitude: float) -> tuple[float, list[float], float]:
    channels = ("pitch_deg", "yaw_deg", "roll_deg", "x", "y", "z")
    values = [amplitude.get(name, 0.0) for name in channels]
    return freq_hz, [*np.deg2rad(values[:3]), *values[3:]], phase


def band(rng: np.random.Generator, terms: int, band_hz: tuple[float, float], rms: Float) -> Harmonics:
    """Random tremor: log-uniform frequencies, amplitudes falling as 1/f, scaled to the RMS (6,) of each channel."""
    freq = np.exp(rng.uniform(np.log(band_hz[0]), np.log(band_hz[1]), terms))
    amplitude = rng.uniform(0.5, 1.5, (terms, 6)) / freq[:, None]
    amplitude *= rms / np.sqrt((amplitude**2).sum(0) / 2)
    return Harmonics(freq, amplitude, rng.uniform(0, 2 * np.pi, (terms, 6)))


def _gait(m: CameraMotion, start: float) -> list[tuple[float, list[float], float]]:
    """Return the terms of walking. A step has a harmonic at twice its frequency with a third of its amplitude."""
    step, stride = 2 * np.pi * start, np.pi * start
    return [
        _term(m.step_hz, step, y=m.bob_m, pitch_deg=m.nod_deg),
        _term(2 * m.step_hz, 2 * step + 1, y=m.bob_m / 3, pitch_deg=m.nod_deg / 3),
        _term(m.step_hz / 2, stride, x=m.sway_m, roll_deg=m.roll_deg, yaw_deg=m.roll_deg / 2),
    ]


def _tones(terms: list[tuple[float, list[float], float]]) -> Harmonics:
    freq, amplitude, phase = zip(*terms, strict=True)
    return Harmonics(np.array(freq), np.array(amplitude), np.repeat(np.array(phase)[:, None], 6, axis=1))


def tremor(spec: ClipSpec) -> Harmonics:
    """Return the fast random part only, which an OIS compensates."""
    m = spec.motion
    turn, shift = np.deg2rad(m.tremor_deg), m.tremor_m
    rng = np.random.default_rng((spec.seed, 1))
    return band(rng, TREMOR_TERMS, m.tremor_hz, np.array([turn, turn, 0.6 * turn, shift, shift, shift]))


def harmonics(spec: ClipSpec) -> Harmonics:
    """Return all motion except the constant velocity."""
    m, rng = spec.motion, np.random.default_rng((spec.seed, 2))
    slow = np.deg2rad(m.drift_deg)
    drift = band(rng, DRIFT_TERMS, m.drift_hz, np.array([0.6 * slow, slow, 0.3 * slow, 0, 0, 0]))
    pan = _term(1 / m.pan_period_s, 0.0, yaw_deg=m.pan_deg)
    sinus = _term(m.sinus_hz, 0.0, pitch_deg=m.sinus_deg[0], yaw_deg=m.sinus_deg[1], roll_deg=m.sinus_deg[2])
    parts = [tremor(spec), drift, _tones([*_gait(m, rng.uniform()), pan, sinus])]
    return Harmonics(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("freq_hz", "amplitude", "phase")))


@dataclass(frozen=True, slots=True)
class CameraTrack:
    """Camera pose as a function of video time; every method takes (n,) seconds."""

    motion: Harmonics
    velocity_m_s: Float

    def rotation_world_cam(self, t_s: Float) -> Rotation:
        """Yaw about the vertical, then pitch, then roll; maps camera vectors to the world."""
        pitch, yaw, roll = self.motion.at(t_s)[:, :3].T
        return Rotation.from_euler("YXZ", np.stack([yaw, pitch, roll], axis=1))

    def position_m(self, t_s: Float) -> Float:
        """Camera centre in the world, (n, 3)."""
        return np.asarray(self.motion.at(t_s)[:, 3:] + t_s[:, None] * self.velocity_m_s)

    def rate_cam_rad_s(self, t_s: Float, h: float = 1e-5) -> Float:
        """Body rate in camera axes, (n, 3), by a central difference of the rotation (error below 1e-6 of it)."""
        turn = self.rotation_world_cam(t_s - h).inv() * self.rotation_world_cam(t_s + h)
        return np.asarray(turn.as_rotvec() / (2 * h))

    def specific_force_cam_m_s2(self, t_s: Float) -> Float:
        """Return the specific force in camera axes (n, 3): (0, -g, 0) at rest and upright."""
        force_world = self.motion.at(t_s, derivative=2)[:, 3:] - np.array([0, GRAVITY_M_S2, 0])
        return np.asarray(self.rotation_world_cam(t_s).inv().apply(force_world))


def camera_track(spec: ClipSpec) -> CameraTrack:
    """Return the camera track of a clip."""
    return CameraTrack(harmonics(spec), np.array(spec.motion.velocity_m_s, dtype=float))


def frame_times(spec: ClipSpec) -> Float:
    """Video time of every frame (n,): multiples of 1/90000 s (the time base of the files), the first 0."""
    index = np.arange(round(spec.duration_s * spec.fps))
    jitter = np.random.default_rng((spec.seed, 3)).uniform(-0.5, 0.5, len(index)) * spec.time_jitter
    jitter[:1] = 0
    return np.asarray(np.round((index + jitter) / spec.fps * 90000) / 90000)
