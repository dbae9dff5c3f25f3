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
SAME_RATE_RATIO = 1.15  # between medians, which wander where all stamps are uneven: 25 to 30 frames a second are 1.2
NEIGHBOUR_PAIRS = 3  # on each side, that predict the motion of a pair
PREDICTION_PRIOR_PAIRS = 10  # of evidence for the plain mean of the neighbours as their best weights
NOISE_UNITS = 3e-4  # of a measured motion, 0.1 px of 640
EVIDENCE_SIGMA_S = 1.0  # within which intervals are judged together,
PAIR_EVIDENCE_MAX, NEAR_EVIDENCE_MAX = 4.0, 8.0  # log likelihood ratios that a neighbour, and all, may contribute
PRIOR = -0.5  # log odds that an odd interval is true: of those in ../shared/data/clips, hardly any is
PASSES = 4  # each with the speeds by the intervals of the one before
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
    usual = _usual(intervals)
    ratio, factor = intervals / usual, np.ones(len(usual))
    for _ in range(PASSES):
        factor = ratio ** _share(_evidence(ratio, shift / usual, factor), sigma)
    return np.asarray(usual * factor)


def _usual(intervals: Float) -> Float:
    """The interval (n,) that is usual around each pair: a mean of running medians of the same rate."""
    median = np.asarray(median_filter(intervals, LOCAL_PAIRS, mode="reflect"), np.float64)
    padded = np.pad(median, LOCAL_PAIRS // 2, mode="reflect")
    total, count = np.zeros(len(median)), np.zeros(len(median))
    for first in range(LOCAL_PAIRS):
        near = padded[first : first + len(median)]
        same_rate = np.abs(np.log(near / median)) < np.log(SAME_RATE_RATIO)
        total += near * same_rate
        count += same_rate
    return np.asarray(total / count)


def _share(evidence: Float, sigma: float) -> Float:
    """Probability (n,) of each interval being true, by its own evidence and that of its neighbourhood."""
    bounded = evidence.clip(-PAIR_EVIDENCE_MAX, PAIR_EVIDENCE_MAX)
    # The sum over the neighbourhood: a Gaussian mean times the kernel's weight, that of a pair for itself being 1.
    near = gaussian_filter1d(bounded, sigma, mode="constant") * sigma * np.sqrt(2 * np.pi) - bounded
    log_odds = PRIOR + evidence + near.clip(-NEAR_EVIDENCE_MAX, NEAR_EVIDENCE_MAX)
    return np.asarray(1 / (1 + np.exp(-log_odds.clip(-50, 50))))


def _evidence(ratio: Float, shift: Complex, factor: Float) -> Float:
    """Log likelihood ratio (n,) of each interval being true against it being the usual one.

    By the shift (n,) that the speeds of the neighbouring pairs predict, from their intervals `factor` (n,) so far, in
    units of the usual one. Errors are of Student's distribution with 2 degrees of freedom: a camera jerks at times.
    """
    speed = shift / factor
    predicted = _predicted(speed)
    # The median of |error|^2 is ln 2 times its mean where errors are Gaussian.
    spread = median_filter(np.abs(speed - predicted) ** 2, LOCAL_PAIRS, mode="reflect") / np.log(2)
    as_usual, as_stated = (
        _log_likelihood(np.abs(shift - predicted * f) ** 2, spread * f**2 + NOISE_UNITS**2) for f in (1.0, ratio)
    )
    return np.asarray(as_stated - as_usual)


def _log_likelihood(error2: Float, variance: Float) -> Float:
    return np.asarray(-np.log(variance) - 2 * np.log1p(error2 / (2 * variance)))


def _predicted(speed: Complex) -> Complex:
    """Of each pair (n,), from its neighbours on both sides, by the weights that fit the shot best."""
    padded = np.pad(speed, NEIGHBOUR_PAIRS, mode="reflect")
    n, middle = len(speed), NEIGHBOUR_PAIRS
    both = np.stack(
        [padded[middle - k : middle - k + n] + padded[middle + k : middle + k + n] for k in range(1, middle + 1)]
    )
    gram, target = (both @ both.conj().T).real, (both @ speed.conj()).real
    prior = PREDICTION_PRIOR_PAIRS * (np.trace(gram) / both.size + NOISE_UNITS**2)
    plain = np.full(middle, 0.5 / middle)
    return np.asarray(np.linalg.solve(gram + prior * np.eye(middle), target + prior * plain) @ both)
