"""Shrinking a crop into the frame, where the solver's constraint did not keep the field inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stabilize.core import CameraPath, Float
from stabilize.errors import SolveError
from stabilize.path.crop import margins

SHRINK_FACTORS = (0.995, 0.99, 0.98, 0.95, 0.9, 0.8)  # one after the other: few frames need more than the first
FADE_FRAMES = 30  # on each side of a frame that shrinks, over which its neighbours shrink less and less
LESS_WOBBLE = (
    "raise --max-crop, or leave local motion in with --set fuse.wobble_limit=0 (with a log also --set gyro.use=off)"
)


def shrink_into_frame(camera: CameraPath, frames: slice, pose: Float, uniform: bool = False) -> Float:
    """Crop poses (n, 4) of some frames, shrunk towards the frame's centre until the field lies inside.

    Neighbours of a frame that reaches out shrink with it, less and less; with `uniform`, as a static zoom needs it, all
    frames alike. Raises SolveError where the smallest crop reaches out still.
    """
    for factor in SHRINK_FACTORS:
        outside = margins(camera, pose, frames)[1] > 0
        if not outside.any():
            return pose
        amount = np.ones(len(pose)) if uniform else _faded(outside)
        pose = pose * (1 - amount[:, None] * (1 - factor))
    if (margins(camera, pose, frames)[1] > 0).any():
        raise SolveError(f"the local motion is too strong for the crop: {LESS_WOBBLE}")
    return pose


def _faded(outside: NDArray[np.bool_]) -> Float:
    """1 where frames (n,) reach out, falling to 0 within FADE_FRAMES on both sides."""
    around = np.convolve(outside, np.hanning(2 * FADE_FRAMES + 1))
    return np.asarray(around[FADE_FRAMES : FADE_FRAMES + len(outside)].clip(0, 1))
