"""What the path solver minimises: weighted differences of the output path, and the lean of its horizon.

The differences are those of Grundmann, Kwatra, Essa 2011, with zoom as a variable. Their L1 norm leaves the largest
swings of the camera in the output, for they cost it no more than as many small ones. Speed and acceleration are
therefore weighed by their squares up to what a camera does at most (Huber's norm); the zoom has an L1 term as well, and
so keeps one speed for as long as it can.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from stabilize.core import CameraPath, Float, FrameGeometry
from stabilize.fields.similarity import Complex, inverse, to_complex, to_real
from stabilize.fields.smoothing import gaussian_mean, in_frames
from stabilize.path.capture_time import capture_intervals
from stabilize.path.differences import Difference, differences
from stabilize.path.interior_point import Term
from stabilize.path.keyframes import values_at
from stabilize.settings import AxisStrength, PathConfig

DRIFT_SIGMA_S = 2.0  # standard deviation of the smooth path that the output may follow at no cost
HORIZON_FRAMES_MAX = 3000  # of smoothing: the weights grow with its fourth power
# Per frame and radian of lean: more than any crop that levels it costs, so that only the frame's edge stops it.
HORIZON_WEIGHT = 300.0
TRIPOD_WEIGHT = 100.0  # of the first difference in tripod mode, for a time of one frame
STILL = np.array([1.0, 0.0], complex)  # the step of a camera that does not move
WEIGHT_MIN = 1e-6  # the solver needs weights above 0


@dataclass(frozen=True, slots=True)
class Penalty:
    """A norm of one order of difference of the output path, or of the crop alone.

    With x the difference in units per horizon^order: curvature x^2 / 2 up to the knee, linear beyond.
    """

    order: int
    """Of the difference: 1 is velocity, 2 acceleration."""
    curvature: tuple[float, float, float, float]
    """For zoom, roll, x and y; the slope where the knee is 0."""
    knee: float
    """Units per second^order; 0: linear from 0 on."""


# Chosen by the ablation in benchmarks/README.md ("Natural paths"). The knees are a whip pan of one width per second,
# and its start within a fifth of it.
PATH_PENALTIES = (
    Penalty(1, (0.0, 675.0, 112.5, 112.5), 2.0),
    Penalty(2, (0.0, 67.5, 11.25, 11.25), 10.0),
    Penalty(2, (0.0, 0.225, 0.225, 0.225), 0.0),
)
# Of the crop's own zoom, whatever the camera's: walking forward is a steady zoom, and no shake.
ZOOM_PENALTIES = (
    Penalty(2, (100.0, 0.0, 0.0, 0.0), 10.0),
    Penalty(2, (0.5, 0.0, 0.0, 0.0), 0.0),
)


@dataclass(frozen=True, slots=True)
class SolverInput:
    """A camera path, the settings, and the times of the whole video, computed once rather than for every shot."""

    camera: CameraPath
    """Of n frames."""
    config: PathConfig
    """Settings of the path."""
    time_s: Float
    """(n,) time of each frame, seconds since the first."""
    intervals: Float
    """(n-1,) between the captures of frames, in units of the median interval."""
    interval_s: float
    """Median time between frames, seconds."""
    drift: Complex
    """(n-1, 2) velocity of the camera's smooth path, units per median interval: what no penalty of speed resists."""

    def max_crop(self, frames: slice) -> Float:
        """The share of the width (n,) that may be cropped from each frame."""
        return values_at(self.config.max_crop, self.time_s[frames])


def solver_input(camera: CameraPath, config: PathConfig) -> SolverInput:
    """The input of the solver for all shots of a video."""
    timeline, intervals = camera.timeline, capture_intervals(camera)
    return SolverInput(
        camera, config, timeline.time_s, intervals, timeline.interval_s, _drift(camera, config, intervals)
    )


def _drift(camera: CameraPath, config: PathConfig, intervals: Float) -> Complex:
    """The camera's velocity (n-1, 2) in its own frame, without zoom, as a Gaussian mean within each shot.

    Doubtful steps count for less.
    """
    strength = _stored_strength(config.strength, camera.geometry)
    back = inverse(to_complex(_scaled_steps(camera.step, strength, camera.timeline.time_s[:-1])))
    velocity = to_real(np.stack([0 * back[:, 0], back[:, 1]], axis=1)) / intervals[:, None]
    sigma = in_frames(DRIFT_SIGMA_S, camera.timeline.interval_s)
    for shot in camera.shots:
        pairs = slice(shot.start, max(shot.stop - 1, shot.start))
        trust = camera.weight[pairs, None]
        velocity[pairs] = gaussian_mean(velocity[pairs] * trust, sigma) / gaussian_mean(trust, sigma)
    return to_complex(velocity)


def objective_terms(data: SolverInput, frames: slice, zoom_factor: Float) -> tuple[Term, ...]:
    """Weighted differences over some frames of one shot, and the lean where a horizon is set.

    `zoom_factor` (n,) multiplies the penalties of the zoom. In tripod mode the path's speed has a weight that outweighs
    all others.
    """
    camera, config, time_s = data.camera, data.config, data.time_s[frames]
    pairs = slice(frames.start, frames.stop - 1)
    strength = _stored_strength(config.strength, camera.geometry)
    steps = to_complex(_scaled_steps(camera.step[pairs], strength, time_s[:-1]))
    interval, trust = data.intervals[pairs], camera.weight[pairs]
    horizon_frames = np.minimum(values_at(config.smoothness_s, time_s) / data.interval_s, HORIZON_FRAMES_MAX)
    of_path = differences(steps, interval, orders=2)
    of_path[0] = replace(of_path[0], offset=of_path[0].offset - data.drift[pairs])
    of_crop = differences(np.tile(STILL, (len(steps), 1)), interval, orders=2)
    terms = [
        _penalty_term(penalty, of_path, horizon_frames, data.interval_s, trust)
        for penalty in PATH_PENALTIES
        if not (config.tripod and penalty.order == 1)
    ]
    if config.tripod:
        terms.append(Term(of_path[0], np.tile(TRIPOD_WEIGHT * horizon_frames[:-1, None], (1, 4))))
    terms += [_penalty_term(p, of_crop, horizon_frames, data.interval_s, zoom_factor[:-1]) for p in ZOOM_PENALTIES]
    if config.horizon_deg is not None and camera.level is not None:
        terms += _horizon_terms(camera.level[frames], np.radians(config.horizon_deg))
    return tuple(terms)


def _penalty_term(
    penalty: Penalty, by_order: list[Difference], horizon_frames: Float, interval_s: float, factor: Float
) -> Term:
    """The penalty over the frames of a window, times the lowest of the factors (n-1,) of the steps it spans.

    Of a window that is too short for its order, the highest there is.
    """
    order = min(penalty.order, len(by_order))
    difference = by_order[order - 1]
    horizon = horizon_frames[: difference.factor.shape[1], None]
    knee = penalty.knee * interval_s**order
    scale = horizon ** (2 * order) * knee if knee else horizon**order
    weight = np.array(penalty.curvature) * scale * _lowest(factor, order)[:, None]
    return Term(difference, np.maximum(weight, WEIGHT_MIN), knee)


def _lowest(factor: Float, order: int) -> Float:
    """The lowest factor (n - order,) among the `order` neighbouring steps (n-1,) that each difference spans."""
    return np.asarray(sliding_window_view(factor, order).min(axis=1))


def _stored_strength(strength: AxisStrength, geometry: FrameGeometry) -> AxisStrength:
    """Strengths for the axes of the stored picture, from those for the displayed picture."""
    return AxisStrength(strength.y, strength.x, strength.roll) if geometry.lies_on_its_side else strength


def _scaled_steps(step: Float, strength: AxisStrength, time_s: Float) -> Float:
    """The share of the camera's steps (n, 4) that is to be removed, by axis; zoom is left whole."""
    if strength == AxisStrength():
        return step
    x, y, roll = (values_at(share, time_s) for share in (strength.x, strength.y, strength.roll))
    z = np.exp(1j * np.angle(to_complex(step)[:, 0]) * roll) * np.abs(to_complex(step)[:, 0])
    w = step[:, 2] * x + 1j * step[:, 3] * y
    return to_real(np.stack([z, w], axis=1))


def _horizon_terms(level: Float, limit: float) -> list[Term]:
    """The lean r beyond a limit (radians): |r| for a limit of 0, else (|r - limit| + |r + limit|) / 2.

    The latter is constant within the limit. Frames whose level (n,) is NaN have no such term.
    """
    offsets = (0.0,) if limit == 0 else (-limit, limit)
    weight = np.full((len(level), 4), WEIGHT_MIN)
    weight[np.isfinite(level), 1] = HORIZON_WEIGHT / len(offsets)
    upright = np.nan_to_num(level)
    zero = np.zeros((len(level), 2), complex)
    return [Term(Difference(np.exp(-1j * (upright + offset))[None], zero), weight) for offset in offsets]
