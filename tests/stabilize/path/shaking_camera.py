"""A camera that shakes about a place with wobble, and whether its path stays inside the frame."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter

from stabilize.core import CameraPath, FrameGeometry, Timeline, field_nodes
from stabilize.fields.similarity import compose, inverse, to_real
from stabilize.path.similarity import SimilarityPath

HD = FrameGeometry(640, 360)


def shaky_steps(frames: int, seed: int = 0, shake: float = 0.01, roll: float = 0.004) -> np.ndarray:
    """Steps (frames - 1, 4) of a camera that shakes about a place: its poses are white noise."""
    rng = np.random.default_rng(seed)
    pose = np.stack([np.exp(1j * rng.normal(0, roll, frames)), rng.normal(0, shake, (frames, 2)) @ [1, 1j]], axis=1)
    return to_real(compose(inverse(pose[1:]), pose[:-1]))


def camera_of(step: np.ndarray, wobble: float = 0.0, seed: int = 1, shots: tuple[slice, ...] = ()) -> CameraPath:
    """A path with these steps, 30 frames per second, and a wobble of up to 0.02 units that is smooth over the frame."""
    frames = len(step) + 1
    rough = np.random.default_rng(seed).normal(0, 6 * wobble, (frames, 10, 17, 2))
    field = gaussian_filter(rough, (0, 1.5, 1.5, 0), mode="nearest").clip(-0.02, 0.02).astype(np.float16)
    timeline = Timeline(np.arange(frames, dtype=np.int64), Fraction(1, 30))
    return CameraPath(timeline, HD, step, np.ones(len(step)), field, shots or (slice(0, frames),))


def over_pixels(nodes: np.ndarray) -> np.ndarray:
    """The field at the pixels along the edges and at every 16th line, by plain interpolation between its nodes."""
    x, y = field_nodes(nodes.shape[1], 640), field_nodes(nodes.shape[0], 360)
    rows = np.asarray(interp1d(y, nodes, axis=0)(np.r_[0:359:16, 359]), np.float64)
    return np.asarray(interp1d(x, rows, axis=1)(np.arange(640)))


def field_of_frame(path: SimilarityPath, index: int) -> np.ndarray:
    """Source pixels of a frame at the frame's own time."""
    return path.field(index, path.timeline.time_at(index)).source_px


def stays_inside(path: SimilarityPath) -> bool:
    """Whether every seventh field, at the pixels, lies between the outermost pixels' centres."""
    fields = (over_pixels(field_of_frame(path, i)) for i in range(0, len(path.crop_pose), 7))
    return all(field.min() >= 0 and (field <= np.array([639, 359])).all() for field in fields)
