"""The worst moments of a video, where a viewer should look first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from metrics.model import Judgement, Series

MIN_SEPARATION_S = 1.0  # between two shake moments
MOVING_MEAN_S = 1.0
MAX_SHAKE_MOMENTS = 4
MIN_SHAKE_PX = 1.0  # at 1920
MIN_EMPTY_SHARE = 0.005


@dataclass(frozen=True)
class Moment:
    """A time at which something is wrong."""

    t_s: float
    """Seconds since the first frame."""
    what: str
    """What is wrong, in words."""


def worst_moments(judgement: Judgement) -> tuple[Moment, ...]:
    """Return at most six moments in order of time: strongest shakes, least visible frame, largest empty border."""
    frames = judgement.frames
    t_s = frames["t_s"]
    if len(t_s) < 5:
        return ()
    shake = _residual(t_s, frames["x_out_px"], frames["y_out_px"])
    moments = [
        Moment(float(t_s[i]), f"shake {shake[i]:.1f} px")
        for i in _peaks(t_s, shake, MAX_SHAKE_MOMENTS)
        if shake[i] > MIN_SHAKE_PX
    ]
    if "visible" in frames and np.isfinite(frames["visible"]).any():
        i = int(np.nanargmin(frames["visible"]))
        moments.append(Moment(float(t_s[i]), f"only {100 * frames['visible'][i]:.1f} % of the input visible"))
        j = int(np.nanargmax(frames["empty"]))
        if frames["empty"][j] > MIN_EMPTY_SHARE:
            moments.append(Moment(float(t_s[j]), f"{100 * frames['empty'][j]:.1f} % empty border"))
    return tuple(sorted(moments, key=lambda m: m.t_s))


def _residual(t_s: Series, x: Series, y: Series) -> Series:
    """Return the distance (N,) in px of the path from its moving mean over one second."""
    width = max(3, round(MOVING_MEAN_S / max(float(np.median(np.diff(t_s))), 1e-3)) | 1)
    width = min(width, (len(t_s) - 1) | 1)
    mean = np.full(width, 1 / width)
    residuals = [v - ndimage.correlate1d(v, mean, mode="nearest") for v in (x, y)]
    distance = np.hypot(*residuals)
    distance[: width // 2] = distance[len(distance) - width // 2 :] = 0  # the mean is not centred there
    return np.asarray(distance)


def _peaks(t_s: Series, values: Series, count: int) -> list[int]:
    chosen: list[int] = []
    for i in np.argsort(values, kind="stable")[::-1]:
        if all(abs(t_s[i] - t_s[j]) >= MIN_SEPARATION_S for j in chosen):
            chosen.append(int(i))
        if len(chosen) == count:
            break
    return chosen
