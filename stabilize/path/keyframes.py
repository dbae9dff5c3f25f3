"""Settings that vary over time, at the frames of a video."""

from __future__ import annotations

import numpy as np

from stabilize.core import Float
from stabilize.settings import KeyFrames


def values_at(setting: float | KeyFrames, time_s: Float) -> Float:
    """A setting's values (n,) at times (n,): linear between key frames, constant before the first, after the last."""
    if isinstance(setting, tuple):
        times, values = zip(*setting, strict=True)
        return np.asarray(np.interp(time_s, times, values))
    return np.full(len(time_s), float(setting))
