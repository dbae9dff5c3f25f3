"""Simulated matches with ground truth: 3-D points seen by a moving rolling-shutter camera, and its gyroscope log.

Shares no code with `gyro`: rotation and rate come from closed-form Euler angles, projection from the pinhole's
definition.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial.transform import Rotation

from gyro.estimate.tracks import Tracks
from gyro.log import GyroLog


@dataclass(frozen=True)
class Scene:
    """Ground truth of a clip; `motion` is walk, pan, hand, action or still."""

    motion: str = "walk"
    duration_s: float = 10.0
    fps: float = 30.0
    width: int = 640
    height: int = 360
    focal_px: float = 520.0
    k1: float = 0.0
    readout_s: float = 0.016
    columns: bool = False
    rate_hz: float = 200.0
    offset_s: float = 0.35
    drift: float = 0.0
    bias_deg_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise_deg_s_rthz: float = 0.01
    R_cam_gyro: Rotation = field(default_factory=Rotation.identity)
    improper: bool = False
    translate: bool = True
    noise_px: float = 0.15
    outliers: float = 0.05
    movers: float = 0.0
    features: int = 120
    depth_m: tuple[float, float] = (2.0, 25.0)
    seed: int = 0


def _tones(rng: np.random.Generator, low: float, high: float, rms: float, n: int = 8) -> tuple[np.ndarray, ...]:
    freq = np.exp(rng.uniform(np.log(low), np.log(high), n))
    amplitude = rng.uniform(0.5, 1.5, n) / freq
    amplitude *= rms / np.sqrt(np.sum(amplitude**2) / 2)
    return freq, amplitude, rng.uniform(0, 2 * np.pi, n)


def _sum(tones: list[tuple[np.ndarray, ...]], t: np.ndarray, derivative: int = 0) -> np.ndarray:
    out = np.zeros_like(t)
    for freq, amplitude, phase in tones:
        w = 2 * np.pi * freq
        out = out + (amplitude * w**derivative * np.sin(w * t[..., None] + phase + derivative * np.pi / 2)).sum(-1)
    return out


RMS_DEG = {"walk": 0.6, "hand": 0.4, "pan": 0.3, "action": 2.0, "still": 0.0}


class World:
    """The moving camera of a scene."""

    def __init__(self, scene: Scene) -> None:
        rng = np.random.default_rng((scene.seed, 11))
        rms = np.deg2rad(RMS_DEG[scene.motion])
        self.angles = [[_tones(rng, 0.8, 9.0, rms * s), _tones(rng, 0.1, 0.6, 2 * rms)] for s in (1, 1, 0.6)]
        if scene.motion == "pan":
            one = np.array([1 / 7.0])
            self.angles[1].append((one, np.deg2rad([30.0]), np.zeros(1)))
        moving = scene.translate and scene.motion != "still"
        gait = {"walk": (0.02, 1.2), "action": (0.05, 2.5)}.get(scene.motion, (0.003, 0.0))
        self.shift = [[_tones(rng, 0.8, 4.0, gait[0] * moving)] for _ in range(3)]
        self.speed = gait[1] * moving
        self.lever = 0.3 * moving  # metres from the axis of rotation to the lens: turning moves the lens too

    def rotation(self, t: np.ndarray) -> Rotation:
        pitch, yaw, roll = (_sum(tones, t).ravel() for tones in self.angles)
        return Rotation.from_euler("YXZ", np.stack([yaw, pitch, roll], axis=1))

    def rate(self, t: np.ndarray) -> np.ndarray:
        """Return the body rate of R = Ry(yaw) Rx(pitch) Rz(roll), closed form."""
        pitch, _, roll = (_sum(tones, t) for tones in self.angles)
        dp, dy, dr = (_sum(tones, t, 1) for tones in self.angles)
        cr, sr, cp, sp = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch)
        return np.stack([dp * cr + dy * cp * sr, -dp * sr + dy * cp * cr, dr - dy * sp], axis=-1)

    def position(self, t: np.ndarray) -> np.ndarray:
        p = np.stack([_sum(tones, t).ravel() for tones in self.shift], axis=1)
        p[:, 2] += self.speed * t.ravel()
        return p + self.rotation(t).apply([0, 0, self.lever])


def _project(scene: Scene, camera: np.ndarray) -> np.ndarray:
    x: np.ndarray = camera[:, :2] / camera[:, 2:]
    x = x * (1 + scene.k1 * np.sum(x**2, axis=1, keepdims=True))
    return x * scene.focal_px + [(scene.width - 1) / 2, (scene.height - 1) / 2]


def _see(scene: Scene, world: World, points: np.ndarray, frame_s: float) -> np.ndarray:
    t = np.full(len(points), frame_s)
    for _ in range(6):
        px = _project(scene, world.rotation(t).inv().apply(points - world.position(t)))
        line = px[:, 0] / (scene.width - 1) if scene.columns else px[:, 1] / (scene.height - 1)
        t = frame_s + scene.readout_s * (line - 0.5)
    return px


def tracks(scene: Scene) -> Tracks:
    """Return matches of points drawn anew in every frame and projected to it and the next."""
    rng = np.random.default_rng((scene.seed, 12))
    world, times = World(scene), np.arange(round(scene.duration_s * scene.fps)) / scene.fps
    size = np.array([scene.width, scene.height])
    pairs, prevs, nexts = [], [], []
    for k in range(len(times) - 1):
        px = rng.uniform(0, size - 1, (scene.features, 2))
        ray = np.column_stack([(px - (size - 1) / 2) / scene.focal_px, np.ones(len(px))])
        depth = 1 / rng.uniform(1 / scene.depth_m[1], 1 / scene.depth_m[0], (len(px), 1))
        t = times[k : k + 1]
        points = world.rotation(t).apply(ray * depth) + world.position(t)
        moved = points.copy()
        crowd = rng.random(len(px)) < scene.movers
        moved[crowd] += rng.normal(0, (0.04, 0.004, 0.02), (int(crowd.sum()), 3))
        a, b = _see(scene, world, points, times[k]), _see(scene, world, moved, times[k + 1])
        inside = np.all((a >= 0) & (a < size) & (b >= 0) & (b < size), axis=1)
        a, b = a[inside], b[inside] + rng.normal(0, scene.noise_px, (inside.sum(), 2))
        wild = rng.random(len(b)) < scene.outliers
        b[wild] += rng.normal(0, 8, (wild.sum(), 2))
        pairs.append(np.full(len(a), k))
        prevs.append(a)
        nexts.append(b)
    return Tracks(times, scene.width, scene.height, np.concatenate(pairs), np.concatenate(prevs), np.concatenate(nexts))


def log(scene: Scene, pad_s: float = 2.0) -> GyroLog:
    """Return the log, t_log = (1 + drift) t_video + offset: rates are true, so it is the log's clock that drifts."""
    rng = np.random.default_rng((scene.seed, 13))
    n = round((scene.duration_s + 2 * pad_s) * scene.rate_hz)
    t_video = np.arange(n) / scene.rate_hz - pad_s
    rate = scene.R_cam_gyro.inv().apply(World(scene).rate(t_video)) * (-1 if scene.improper else 1)
    rate = rate + np.deg2rad(scene.bias_deg_s)
    rate += rng.normal(0, np.deg2rad(scene.noise_deg_s_rthz) * np.sqrt(scene.rate_hz / 2), rate.shape)
    return GyroLog("simulated", "simulated", t_video * (1 + scene.drift) + scene.offset_s, rate)


def changed(scene: Scene, **fields: object) -> Scene:
    """Return a copy with other fields."""
    return replace(scene, **fields)  # type: ignore[arg-type]
