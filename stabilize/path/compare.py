"""How shaky a solved path is against the input, from moment to moment."""

from __future__ import annotations

import numpy as np

from stabilize.core import CameraPath, Float
from stabilize.fields.similarity import Complex, compose, inverse, to_complex
from stabilize.fields.smoothing import KERNEL_SIGMAS, gaussian_mean, in_frames
from stabilize.path.measure import SHAKE_SIGMA_S, high_pass

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
    before, after = step[:, 1], compose(compose(inverse(crop[1:]), step), crop[:-1])[:, 1]
    sigma, window = in_frames(SHAKE_SIGMA_S, interval_s), in_frames(COMPARE_S, interval_s)

    def ratio(before: Complex, after: Complex, unseen: float) -> Float:
        squares = [gaussian_mean(np.abs(signal) ** 2, window) for signal in (before, after)]
        return np.asarray(np.sqrt(np.maximum(squares[1] - unseen**2, 0) / np.maximum(squares[0], 1e-12)))

    return (
        ratio(_acceleration(before, intervals), _acceleration(after, intervals), ACCELERATION_UNSEEN_UNITS),
        ratio(_from_smooth(before, intervals, sigma), _from_smooth(after, intervals, sigma), DISTANCE_UNSEEN_UNITS),
    )


def zoom_ripple(pose: Float, interval_s: float) -> Float:
    """How far the crop's own zoom is from its smooth (n,): the RMS of its logarithm around each frame."""
    log_scale = np.log(np.hypot(pose[:, 0], pose[:, 1]))
    frames_apart = np.ones(len(log_scale) - 1)
    ripple = _from_smooth(np.diff(log_scale) + 0j, frames_apart, in_frames(SHAKE_SIGMA_S, interval_s)).real
    return np.asarray(np.sqrt(gaussian_mean(ripple**2, in_frames(COMPARE_S, interval_s))))


def _acceleration(shift: Complex, intervals: Float) -> Complex:
    """(n,) change of the speed (n-1,) of the picture's centre from pair to pair, 0 at the ends."""
    return np.concatenate([[0], np.diff(shift / intervals), [0]])


def _from_smooth(shift: Complex, intervals: Float, sigma: float) -> Complex:
    """(n,) from the smooth path of the centre to the path; both go on through their ends, so that a pan is smooth."""
    path, time = (np.concatenate([[0], np.cumsum(values)]) for values in (shift, intervals))
    even = np.linspace(0, time[-1], max(round(time[-1]), 1) + 1)
    pad = min(len(even) - 1, int(KERNEL_SIGMAS * sigma) + 1)
    parts = []
    for part in (path.real, path.imag):
        longer = np.pad(np.interp(even, time, part), pad, mode="reflect", reflect_type="odd")
        parts.append(np.interp(time, even, high_pass(longer, sigma)[pad : pad + len(even)]))
    return np.asarray(parts[0] + 1j * parts[1])
