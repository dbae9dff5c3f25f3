"""What passes between the stages: frozen dataclasses over numpy, shapes checked at construction.

Directions: `H_next_prev` maps points of the previous frame to points of the next. A `WarpField` maps output pixels back
to source pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stabilize.spool import chunks

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Float16 = NDArray[np.float16]  # fields of small displacements, kept for every frame: 11 bits of a thousandth
Int = NDArray[np.int64]
UInt8 = NDArray[np.uint8]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _finite(fields: Float16) -> bool:
    return all(bool(np.isfinite(fields[part]).all()) for part in chunks(len(fields), fields))


@dataclass(frozen=True, slots=True)
class Timeline:
    """When each frame is shown: strictly increasing integer `pts` (n,) in units of `time_base` seconds."""

    pts: Int
    time_base: Fraction

    def __post_init__(self) -> None:
        _require(self.pts.ndim == 1 and self.pts.dtype == np.int64, "pts must be a 1-D int64 array")
        _require(self.time_base > 0, "time_base must be positive")
        _require(bool(np.all(np.diff(self.pts) > 0)), "pts must increase strictly")

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def time_s(self) -> Float:
        """Seconds since the first frame, (n,)."""
        return (self.pts - self.pts[0]) * float(self.time_base) if len(self.pts) else np.zeros(0)

    @property
    def interval_s(self) -> float:
        """The usual (median) time between two frames; 1/30 s where there are fewer than two."""
        return float(np.median(np.diff(self.pts)) * float(self.time_base)) if len(self.pts) > 1 else 1 / 30


@dataclass(frozen=True, slots=True)
class FrameGeometry:
    """Size in stored pixels and shape of a pixel.

    The *unit frame* has its origin at the centre, square units, 1 = half the long side.
    """

    width: int
    height: int
    pixel_aspect: float = 1.0

    @property
    def half_long_px(self) -> float:
        """Half the long side, in square pixels (stored rows)."""
        return max(self.width * self.pixel_aspect, self.height) / 2

    @property
    def half_extent(self) -> tuple[float, float]:
        """Half width and half height in units, from pixel edge to pixel edge; the larger is 1."""
        return self.width * self.pixel_aspect / 2 / self.half_long_px, self.height / 2 / self.half_long_px

    def to_unit(self, xy_px: Float) -> Float:
        """Stored pixel coordinates (..., 2) to the unit frame."""
        centre = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        return np.asarray((xy_px - centre) * np.array([self.pixel_aspect, 1.0]) / self.half_long_px)

    def to_px(self, xy_unit: Float) -> Float:
        """Unit frame (..., 2) to stored pixel coordinates."""
        centre = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        return np.asarray(xy_unit * self.half_long_px / np.array([self.pixel_aspect, 1.0]) + centre)

    @property
    def T_px_unit(self) -> Float:
        """The affine map unit -> stored pixels as a 3x3 matrix."""
        half = self.half_long_px
        return np.array(
            [[half / self.pixel_aspect, 0, (self.width - 1) / 2], [0, half, (self.height - 1) / 2], [0, 0, 1.0]]
        )


class PairStatus(IntEnum):
    """What became of the motion between two frames.

    Only `OK` and `FAINT` carry a measurement, the latter a rough one; the path bridges the rest; `CUT` splits it.
    """

    OK = 0
    CUT = 1
    DARK = 2
    BLURRED = 3
    TEXTURELESS = 4
    NO_CONSENSUS = 5
    FAINT = 6


class MotionModel(IntEnum):
    """The rung of the model ladder that the evidence supported."""

    NONE = 0
    STILL = 1
    TRANSLATION = 2
    SIMILARITY = 3
    AFFINE = 4
    HOMOGRAPHY = 5


@dataclass(frozen=True, slots=True)
class PairMotion:
    """Motion from one frame to the next in the unit frame, with its quality.

    `H_next_prev` (3, 3); `mesh` (rows, cols, 2) float16 is what the background moves beyond it, at mesh nodes of the
    previous frame (next = H(prev) + mesh); `coverage` the share of the picture's area that supports it; `residual` the
    median distance of the inliers, in units.
    """

    status: PairStatus
    model: MotionModel
    H_next_prev: Float
    mesh: Float16
    coverage: float
    residual: float

    @property
    def measured(self) -> bool:
        """Whether there is a motion."""
        return self.status in (PairStatus.OK, PairStatus.FAINT)


@dataclass(frozen=True, slots=True)
class Matches:
    """Points found again in the next frame, m of them in all: what motion was fitted to, for synchronisation."""

    pair: Int
    """(m,) ascending: match i lies between frames pair[i] and pair[i] + 1."""
    prev_unit: Float32
    """(m, 2) in the earlier frame, unit frame."""
    next_unit: Float32
    """(m, 2) in the later frame, unit frame."""
    weight: Float32
    """(m,) over 0, to 1: how sure the motion source is of it."""

    def __post_init__(self) -> None:
        m = len(self.pair)
        _require(self.pair.shape == (m,) and self.pair.dtype == np.int64, "pair must be a 1-D int64 array")
        for name, shape in (("prev_unit", (m, 2)), ("next_unit", (m, 2)), ("weight", (m,))):
            values = getattr(self, name)
            _require(values.shape == shape and bool(np.isfinite(values).all()), f"{name} must be finite, {shape}")
        _require(bool(np.all(np.diff(self.pair) >= 0)) and not (m and self.pair[0] < 0), "pair must ascend from 0")

    def __len__(self) -> int:
        return len(self.pair)


def no_matches() -> Matches:
    """Of a motion that keeps none."""
    none = np.zeros((0, 2), np.float32)
    return Matches(np.zeros(0, np.int64), none, none, none[:, 0])


@dataclass(frozen=True, slots=True)
class Motion:
    """The motion of a whole video: n frames, n - 1 pairs.

    All geometry is in the unit frame, and so independent of the analysis size.
    """

    timeline: Timeline
    geometry: FrameGeometry
    H_next_prev: Float
    """(n-1, 3, 3), prev -> next."""
    mesh: Float16
    """(n-1, rows, cols, 2) units: next = H(prev) + mesh, nodes edge to edge over the previous frame."""
    status: UInt8
    """(n-1,) PairStatus."""
    model: UInt8
    """(n-1,) MotionModel."""
    coverage: Float32
    """(n-1,) share of area in support."""
    residual: Float32
    """(n-1,) median inlier distance, units."""
    sharpness: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))
    """(n,) mean gradient of each frame."""
    matches: Matches = field(default_factory=no_matches)
    """What synchronisation with a gyroscope needs; of a long video only in part."""

    def __post_init__(self) -> None:
        pairs = max(len(self.timeline) - 1, 0)
        _require(self.H_next_prev.shape == (pairs, 3, 3), f"H_next_prev must be ({pairs}, 3, 3)")
        shape = self.mesh.shape
        _require(len(shape) == 4 and shape[0] == pairs and shape[3] == 2, f"mesh must be ({pairs}, rows, cols, 2)")
        for name in ("status", "model", "coverage", "residual"):
            _require(getattr(self, name).shape == (pairs,), f"{name} must be ({pairs},)")
        _require(bool(np.isfinite(self.H_next_prev).all()) and _finite(self.mesh), "motion must be finite")
        _require(not len(self.matches) or int(self.matches.pair[-1]) < pairs, f"matches must lie in {pairs} pairs")

    @property
    def mesh_shape(self) -> tuple[int, int]:
        """Rows and columns of mesh nodes: more along the longer side."""
        return self.mesh.shape[1], self.mesh.shape[2]

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which pairs (n-1,) carry a measurement."""
        return np.isin(self.status, (PairStatus.OK, PairStatus.FAINT))

    @property
    def shots(self) -> list[slice]:
        """Frame ranges between cuts."""
        cuts = np.flatnonzero(self.status == PairStatus.CUT) + 1
        edges = [0, *cuts.tolist(), len(self.timeline)]
        return [slice(a, b) for a, b in pairwise(edges)]


@dataclass(frozen=True, slots=True)
class CameraPath:
    """How the camera moved, split into what the path solver decides on and what is always removed.

    `step` (n-1, 4): the similarity (a, b, x, y) in the unit frame from each frame's *rectified* picture to the next
    one's: p_next = [[a, -b], [b, a]] p_prev + (x, y). `weight` (n-1,): how far the step is to be believed, 0 bridges
    it. `wobble` (n, rows, cols, 2) float16: where a rectified point p is found in the real frame, p + wobble(p):
    rolling shutter, lens shift, parallax, perspective. Nodes spread edge to edge. `level` (n,): the roll (radians,
    that of `StablePath.crop_pose`) at which the output's horizon is level, NaN where gravity is not known; None: never.
    """

    timeline: Timeline
    geometry: FrameGeometry
    step: Float
    weight: Float
    wobble: Float16
    shots: tuple[slice, ...]
    level: Float | None = None

    def __post_init__(self) -> None:
        frames = len(self.timeline)
        pairs = max(frames - 1, 0)
        _require(self.step.shape == (pairs, 4), f"step must be ({pairs}, 4)")
        _require(self.weight.shape == (pairs,), f"weight must be ({pairs},)")
        _require(self.wobble.ndim == 4 and self.wobble.shape[0] == frames, "wobble must be (n, rows, cols, 2)")
        _require(bool(np.isfinite(self.step).all()) and _finite(self.wobble), "path must be finite")
        _require(self.level is None or self.level.shape == (frames,), f"level must be ({frames},)")


@dataclass(frozen=True, slots=True)
class StablePath:
    """The solved path.

    `crop_pose` (n, 4) is the similarity (a, b, x, y), unit frame, that places the output picture in each rectified
    frame: p_rectified = [[a, -b], [b, a]] p_output + (x, y); hypot(a, b) is the share of the frame's width that stays.
    """

    camera: CameraPath
    crop_pose: Float

    def __post_init__(self) -> None:
        _require(self.crop_pose.shape == (len(self.camera.timeline), 4), "crop_pose must be (n, 4)")


def field_nodes(count: int, length: int) -> Float:
    """Where the `count` nodes of a WarpField lie along an output side of `length` pixels: from edge to edge, in pixel
    coordinates (the first pixel's centre is 0).
    """
    return np.asarray(np.linspace(-0.5, length - 0.5, count))


@dataclass(frozen=True, slots=True)
class WarpField:
    """Backward map of one frame: `source_px` (rows, cols, 2) float32 luma pixel coordinates (x, y) in the source.

    Nodes lie over the output as `field_nodes` says, in both directions; between nodes the map is bilinear.
    """

    source_px: Float32

    def __post_init__(self) -> None:
        _require(self.source_px.ndim == 3 and self.source_px.shape[2] == 2, "source_px must be (rows, cols, 2)")
        _require(min(self.source_px.shape[:2]) >= 2, "a field needs two nodes each way")
        _require(bool(np.isfinite(self.source_px).all()), "a field must be finite")
