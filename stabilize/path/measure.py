"""How shaky a path is, computed from its poses alone, and what a report says of it.

Results are judged on pixels by the package `metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Protocol, TypeVar

import numpy as np

from stabilize.core import Float, StablePath
from stabilize.fields.similarity import Complex, compose, inverse
from stabilize.fields.smoothing import KERNEL_SIGMAS, gaussian_mean, in_frames

Signal = TypeVar("Signal", Float, Complex)
SHAKE_SIGMA_S = 0.5  # of the Gaussian smooth that shake is measured against
AT_LIMIT_SHARE = 0.98  # of the crop limit: a crop that is turned by 5 degrees keeps some 0.4 % more of the width


class SolvedPath(StablePath, Protocol):
    """The result of every solver: a path, and what a report says of it."""

    @property
    def notes(self) -> tuple[str, ...]:
        """For the user: what was left as filmed, and why."""

    @property
    def width_share(self) -> Float:
        """(n,) share of the frame's width that is still shown."""

    @property
    def crop(self) -> Float:
        """(n,) share of the width that is cropped, as the crop limit counts it."""

    def poses(self) -> tuple[Complex, Complex]:
        """(n, 2) each: rotation and shift in units, added up over the frames, of the input and of the output."""


@dataclass(frozen=True, slots=True)
class Shake:
    """RMS distance of a path from its own Gaussian smooth (sigma 0.5 s)."""

    shift_percent: float
    """Percent of the long side."""
    roll_deg: float
    """Of the rotation in the picture plane."""

    def __post_init__(self) -> None:
        if not all(isfinite(value) and value >= 0 for value in (self.shift_percent, self.roll_deg)):
            raise ValueError("shake must be finite, and 0 or more")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a report says of a path; it is saved with it."""

    unmeasured: int
    """Pairs within a shot in which the picture showed no motion."""
    gyro_used: bool
    """Whether a gyroscope log was used."""
    crop_kept: float
    """Mean share of the picture's area that is still shown."""
    least_crop_kept: float
    """The lowest such share."""
    shake_before: Shake
    """Of the input."""
    shake_after: Shake
    """Of the output."""
    crop_breathing: float
    """RMS of the crop's log scale about its own Gaussian smooth (sigma 0.5 s), percent."""
    crop_limit: float
    """The largest share of the width that might have been cropped of any frame."""
    at_crop_limit: float
    """Share of the frames that are cropped as far as they might be."""
    notes: tuple[str, ...] = ()
    """For the user."""

    def __post_init__(self) -> None:
        shares = (self.crop_kept, self.least_crop_kept, self.crop_breathing, self.crop_limit, self.at_crop_limit)
        if not all(0 <= share < np.inf for share in shares) or self.unmeasured < 0:
            raise ValueError("figures of the crop and unmeasured pairs must be finite, and 0 or more")


def evidence(path: SolvedPath, max_crop: Float, unmeasured: int, gyro_used: bool, notes: tuple[str, ...]) -> Evidence:
    """What a report says of a solved path.

    `max_crop` (n,) is the share of the width that might be cropped from each frame; `notes` are those of earlier
    stages.
    """
    area = path.width_share**2
    before, after = shake(path)
    return Evidence(
        unmeasured=unmeasured,
        gyro_used=gyro_used,
        crop_kept=float(area.mean()),
        least_crop_kept=float(area.min()),
        shake_before=before,
        shake_after=after,
        crop_breathing=crop_breathing(path),
        crop_limit=float(max_crop.max()),
        at_crop_limit=float(np.mean(path.crop >= AT_LIMIT_SHARE * max_crop)),
        notes=tuple(dict.fromkeys((*notes, *path.notes))),
    )


def crop_breathing(path: SolvedPath) -> float:
    """RMS of the crop's log scale about its own Gaussian smooth, percent: the zoom that the input did not have."""
    sigma = in_frames(SHAKE_SIGMA_S, path.timeline.interval_s)
    log_scale = np.log(path.width_share)
    return 100 * _rms(np.concatenate([from_smooth(log_scale[shot], sigma) for shot in path.shots]))


def shake(path: SolvedPath) -> tuple[Shake, Shake]:
    """Of the input and of the output, each as its own frames show it: a crop enlarges what shake is left."""
    before, after = path.poses()
    return _shake(before, path), _shake(after, path)


def _shake(poses: Complex, path: StablePath) -> Shake:
    sigma = in_frames(SHAKE_SIGMA_S, path.timeline.interval_s)
    distances, rolls = [np.zeros(0)], [np.zeros(0)]
    for shot in path.shots:
        steps = compose(inverse(poses[shot][1:]), poses[shot][:-1])
        distances.append(np.abs(from_smooth(running_sum(steps[:, 1]), sigma)))
        rolls.append(from_smooth(running_sum(np.angle(steps[:, 0])), sigma))
    return Shake(50 * _rms(np.concatenate(distances)), float(np.degrees(_rms(np.concatenate(rolls)))))


def running_sum(steps: Signal) -> Signal:
    """The path (n,) of steps (n-1,), from 0."""
    return np.concatenate([np.zeros(1, steps.dtype), np.cumsum(steps)])


def from_smooth(path: Signal, sigma: float) -> Signal:
    """From the Gaussian mean of a path (n,) over `sigma` frames to the path; it goes on through its ends, so that a
    steady pan is smooth.
    """
    pad = min(len(path) - 1, int(KERNEL_SIGMAS * sigma) + 1)
    longer = np.pad(path, pad, mode="reflect", reflect_type="odd")
    columns = gaussian_mean(np.stack([longer.real, longer.imag], axis=1), sigma)
    smooth = columns[:, 0] + 1j * columns[:, 1] if np.iscomplexobj(path) else columns[:, 0]
    return np.asarray((longer - smooth)[pad : pad + len(path)], path.dtype)


def _rms(values: Float) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else 0.0
