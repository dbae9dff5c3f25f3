"""Time between the captures of frames, where the container's time stamps say something else.

Recorders write uneven time stamps over even captures, and containers round them. A path that is smooth in such a time
is not smooth in the frames that are shown. Where an interval differs from those around it, the camera's motion decides:
did the picture move on in proportion to the interval, or as from any frame to the next?
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter

from stabilize.core import CameraPath, Float
from stabilize.fields.similarity import Complex, to_complex
from stabilize.fields.smoothing import in_frames

LOCAL_PAIRS = 31  # whose median is the usual interval around a pair: a change of rate is no odd interval
ODD_RATIO = 1.25  # to the usual interval, either way
NEIGHBOUR_PAIRS = 3  # on each side, that predict the motion of a pair
NOISE_UNITS = 1e-3  # of a predicted motion, 0.3 px of 640
EVIDENCE_MAX = 4.0  # log likelihood ratio that one pair may contribute
EVIDENCE_SIGMA_S = 1.0  # within which odd intervals are judged together
PRIOR = -1.0  # log odds that an odd interval is true: of those in ../shared/data/clips, hardly any is
INTERVAL_MIN, INTERVAL_MAX = 0.25, 4.0  # usual intervals: what an interval may do at most


def capture_intervals(camera: CameraPath) -> Float:
    """Time (n-1,) between the captures of neighbouring frames, in units of the median interval."""
    intervals = camera.timeline.intervals.clip(INTERVAL_MIN, INTERVAL_MAX)
    sigma = in_frames(EVIDENCE_SIGMA_S, camera.timeline.interval_s)
    shift = to_complex(camera.step)[:, 1]
    for shot in camera.shots:
        pairs = slice(shot.start, max(shot.stop - 1, shot.start))
        if np.ptp(intervals[pairs]) if shot.stop - shot.start > 2 else False:
            intervals[pairs] = _of_shot(intervals[pairs], shift[pairs], sigma)
    return np.asarray(intervals)


def _of_shot(intervals: Float, shift: Complex, sigma: float) -> Float:
    usual = np.asarray(median_filter(intervals, LOCAL_PAIRS, mode="reflect"), np.float64)
    ratio = intervals / usual
    odd = np.abs(np.log(ratio)) > np.log(ODD_RATIO)
    evidence = np.where(odd, _evidence(ratio, shift), 0.0)
    # The sum over the neighbourhood: a Gaussian mean times the kernel's weight, that of a pair for itself being 1.
    together = gaussian_filter1d(evidence, sigma, mode="constant") * sigma * np.sqrt(2 * np.pi)
    share = 1 / (1 + np.exp(-np.clip(together + PRIOR, -50, 50)))
    return np.asarray(usual * np.where(odd, ratio**share, ratio))


def _evidence(ratio: Float, shift: Complex) -> Float:
    """Log likelihood ratio (n,) of each interval being true against it being the usual one, by the shift (n,)."""
    weight = np.ones(2 * NEIGHBOUR_PAIRS + 1)
    weight[NEIGHBOUR_PAIRS] = 0

    def around(values: Complex | Float) -> Complex | Float:
        total = np.convolve(values, weight, mode="full")[NEIGHBOUR_PAIRS : NEIGHBOUR_PAIRS + len(values)]
        count = np.convolve(np.ones(len(values)), weight, mode="full")[NEIGHBOUR_PAIRS : NEIGHBOUR_PAIRS + len(values)]
        return np.asarray(total / np.maximum(count, 1))

    predicted = around(shift)
    variance = np.maximum(around(np.abs(shift) ** 2) - np.abs(predicted) ** 2, 0).real + NOISE_UNITS**2
    as_usual, as_stated = (np.abs(shift - predicted * factor) ** 2 for factor in (1.0, ratio))
    return np.asarray(((as_usual - as_stated) / (2 * variance)).clip(-EVIDENCE_MAX, EVIDENCE_MAX))
