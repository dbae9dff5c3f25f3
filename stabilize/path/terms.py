"""What the path solver minimises: weighted differences of the output path, and the lean of its horizon.

First, second and third differences are those of Grundmann, Kwatra, Essa 2011, with zoom as a variable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from stabilize.core import CameraPath, Float, FrameGeometry
from stabilize.fields.similarity import to_complex, to_real
from stabilize.path.differences import Difference, differences
from stabilize.path.interior_point import Term
from stabilize.path.keyframes import values_at
from stabilize.settings import AxisStrength, PathConfig

# Weights of the first to third difference, for a time of one frame; columns a (zoom), b (roll), x, y. Chosen on the
# real clips for the least jitter at equal field of view. Zoom has no first-order term: walking forward is a steady
# zoom, and no shake.
DIFFERENCE_WEIGHTS = np.array([[0.03, 1.0, 1.0, 1.0], [0.9, 3.0, 3.0, 3.0], [0.03, 0.1, 0.1, 0.1]])
HORIZON_FRAMES_MAX = 3000  # of smoothing: the weights grow with its third power
# Per frame and radian of lean: more than any crop that levels it costs, so that only the frame's edge stops it.
HORIZON_WEIGHT = 300.0
TRIPOD_WEIGHT = 100.0  # of the first difference in tripod mode, for a time of one frame
WEIGHT_MIN = 1e-6  # the solver needs weights above 0; they also decide where the L2 objective is flat


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
    """(n-1,) between frames, in units of the median interval."""
    interval_s: float
    """Median time between frames, seconds."""

    def max_crop(self, frames: slice) -> Float:
        """The share of the width (n,) that may be cropped from each frame."""
        return values_at(self.config.max_crop, self.time_s[frames])


def solver_input(camera: CameraPath, config: PathConfig) -> SolverInput:
    """The input of the solver for all shots of a video."""
    timeline = camera.timeline
    return SolverInput(camera, config, timeline.time_s, timeline.intervals, timeline.interval_s)


def objective_terms(data: SolverInput, frames: slice) -> tuple[Term, ...]:
    """Weighted differences of the output path over some frames of one shot, and its lean where a horizon is set.

    In tripod mode the first difference has a weight that outweighs all others.
    """
    camera, config, time_s = data.camera, data.config, data.time_s[frames]
    pairs = slice(frames.start, frames.stop - 1)
    strength = _stored_strength(config.strength, camera.geometry)
    steps = to_complex(_scaled_steps(camera.step[pairs], strength, time_s[:-1]))
    interval, trust = data.intervals[pairs], camera.weight[pairs]
    horizon_frames = values_at(config.smoothness_s, time_s) / data.interval_s
    horizon_frames = np.minimum(horizon_frames, HORIZON_FRAMES_MAX)[:, None]
    terms = []
    for order, difference in enumerate(differences(steps, interval), start=1):
        horizon = horizon_frames[: difference.factor.shape[1]]
        tripod = config.tripod and order == 1
        weight = np.full(4, TRIPOD_WEIGHT) * horizon if tripod else DIFFERENCE_WEIGHTS[order - 1] * horizon**order
        terms.append(Term(difference, np.maximum(weight * _lowest_trust(trust, order)[:, None], WEIGHT_MIN)))
    if config.horizon_deg is not None and camera.level is not None:
        terms += _horizon_terms(camera.level[frames], np.radians(config.horizon_deg))
    return tuple(terms)


def _lowest_trust(trust: Float, order: int) -> Float:
    """The lowest trust (n - order,) among the `order` neighbouring steps that each difference spans."""
    return np.asarray(sliding_window_view(trust, order).min(axis=1))


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
