"""How shaky a path is, as the solver itself sees it: for the summary of a run.

The judge of results is the package `metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stabilize.core import CameraPath, Float
from stabilize.fields.similarity import Complex, compose, inverse, to_complex
from stabilize.fields.smoothing import gaussian_mean, in_frames
from stabilize.path.similarity import SimilarityPath

SIGMA_S = 0.5


@dataclass(frozen=True, slots=True)
class Shake:
    """RMS distance from its own smooth (0.5 s): of the path in percent of the long side, of the roll in degrees."""

    shift_percent: float
    roll_deg: float


def shake(path: SimilarityPath) -> tuple[Shake, Shake]:
    """Of the input and of the output."""
    camera = path.camera
    poses = _poses(camera.step)
    return _shake(poses, camera), _shake(compose(poses, to_complex(path.crop_pose)), camera)


def _poses(step: Float) -> Complex:
    """Shift and rotation of frames along their steps, without zoom: it would scale what comes after."""
    steps = inverse(to_complex(step))
    turn = np.concatenate([[0.0], np.cumsum(np.angle(steps[:, 0]))])
    shift = steps[:, 1] * np.exp(1j * turn[:-1])
    return np.stack([np.exp(1j * turn), np.concatenate([[0.0], np.cumsum(shift)])], axis=1)


def not_worse(camera: CameraPath, shot: slice, pose: Float, interval_s: float) -> bool:
    """Whether crop poses (n, 4) of one shot leave neither more jitter nor more acceleration than the input has.

    Both are in pixels of the output. `interval_s` is the usual time between frames.
    """
    before = _poses(camera.step[shot.start : shot.stop - 1])
    after = compose(before, to_complex(pose))
    zoom = 1 / np.hypot(pose[:, 0], pose[:, 1])
    sigma = in_frames(SIGMA_S, interval_s)
    for measure in (lambda w: _quick(w.real, sigma) + 1j * _quick(w.imag, sigma), lambda w: np.diff(w, 2)):
        was, is_ = measure(before[:, 1]), measure(after[:, 1])
        if _rms(np.abs(is_) * zoom[: len(is_)]) > _rms(np.abs(was)) * (1 + 1e-6):
            return False
    return True


def _shake(poses: Complex, camera: CameraPath) -> Shake:
    sigma = in_frames(SIGMA_S, camera.timeline.interval_s)
    shifts, rolls = [np.zeros(0)], [np.zeros(0)]
    for shot in camera.shots:
        shifts.append(np.abs(_quick(poses[shot, 1].real, sigma) + 1j * _quick(poses[shot, 1].imag, sigma)))
        rolls.append(_quick(np.unwrap(np.angle(poses[shot, 0])), sigma))
    return Shake(50 * _rms(np.concatenate(shifts)), float(np.degrees(_rms(np.concatenate(rolls)))))


def _quick(signal: Float, sigma: float) -> Float:
    return signal - gaussian_mean(signal, sigma)


def _rms(values: Float) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else 0.0
