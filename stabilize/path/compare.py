"""How shaky a solved path is against the input, from moment to moment."""

from __future__ import annotations

import numpy as np

from stabilize.core import CameraPath, Float
from stabilize.fields.similarity import Complex, compose, inverse, to_complex
from stabilize.fields.smoothing import gaussian_mean, in_frames
from stabilize.path.measure import SHAKE_SIGMA_S, from_smooth, running_sum

COMPARE_S = 0.5  # standard deviation of the window over which shake is compared
# RMS that is not seen, in units of half the width: a pan that starts softly may begin before the input's does.
ACCELERATION_UNSEEN_UNITS = 1e-3  # per frame^2, 0.3 px of 640
DISTANCE_UNSEEN_UNITS = 6e-3  # from the smooth path, 2 px of 640


def shake_ratios(
    camera: CameraPath, shot: slice, pose: Float, intervals: Float, interval_s: float
) -> tuple[Float, Float]:
    """How shaky crop poses (n, 4) are around each frame of a shot, as shares (n,) of the input's shake.

    Of its acceleration, and of its distance from the smooth path. Both are RMS values in pixels of the output: a crop
    enlarges them. Both are over time: `intervals` (n-1,) between captures are in units of the median, `interval_s`,
    or a dropped frame would be shake that no crop removes.
    """
    step, crop = to_complex(camera.step[shot.start : shot.stop - 1]), to_complex(pose)
    shown = compose(compose(inverse(crop[1:]), step), crop[:-1])
    sigma, window = in_frames(SHAKE_SIGMA_S, interval_s), in_frames(COMPARE_S, interval_s)

    def ratio(signals: list[Complex], unseen: float) -> Float:
        before, after = (gaussian_mean(np.abs(signal) ** 2, window) for signal in signals)
        return np.asarray(np.sqrt(np.maximum(after - unseen**2, 0) / np.maximum(before, 1e-12)))

    accelerations = [_acceleration(s[:, 1], intervals) for s in (step, shown)]
    distances = [_from_smooth(s[:, 1], intervals, sigma) for s in (step, shown)]
    return ratio(accelerations, ACCELERATION_UNSEEN_UNITS), ratio(distances, DISTANCE_UNSEEN_UNITS)


def zoom_ripple(pose: Float, interval_s: float) -> Float:
    """How far the crop's own zoom is from its smooth (n,): the RMS of its logarithm around each frame."""
    log_scale = np.log(np.hypot(pose[:, 0], pose[:, 1]))
    ripple = from_smooth(log_scale, in_frames(SHAKE_SIGMA_S, interval_s))
    return np.asarray(np.sqrt(gaussian_mean(ripple**2, in_frames(COMPARE_S, interval_s))))


def _acceleration(shift: Complex, intervals: Float) -> Complex:
    """(n,) change of the speed (n-1,) of the picture's centre from pair to pair, 0 at the ends."""
    return np.concatenate([[0], np.diff(shift / intervals), [0]])


def _from_smooth(shift: Complex, intervals: Float, sigma: float) -> Complex:
    """(n,) from the smooth path of the centre to the path, over the time of its captures."""
    path, time = running_sum(shift), running_sum(intervals)
    even = np.linspace(0, time[-1], max(round(time[-1]), 1) + 1)
    return np.asarray(np.interp(time, even, from_smooth(np.asarray(np.interp(even, time, path)), sigma)))
