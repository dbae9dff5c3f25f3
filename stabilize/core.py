"""What passes between the stages: frozen dataclasses over numpy, shapes checked at construction.

Directions: `H_next_prev` maps points of the previous frame to points of the next. A `WarpField` maps output pixels back
to source pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stabilize.checks import check_array, require
from stabilize.matches import Matches, no_matches
from stabilize.spool import chunks

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Float16 = NDArray[np.float16]  # fields of small displacements, one per frame: 11 bits are enough for them
Int = NDArray[np.int64]
UInt8 = NDArray[np.uint8]
ROUNDING_TICKS = 1e-3  # by which a time in seconds may differ from the pts that it was computed from
PTS_RANGE_MAX = 1 << 62  # so that differences of two fit in 64 bits
TIME_BASE_MAX = 1 << 31  # of its numerator and denominator, as in every container
SIDE_PX_MAX = 1 << 16
QUARTER_TURNS_DEG = (0, 90, 180, 270)
ASPECT_MAX = 1e10  # more than any ratio of two numbers of 32 bits
DEFAULT_INTERVAL_S = 1 / 30  # of a single frame, or a damaged clock
INTERVAL_S_MIN = 1e-4  # a clock with more than 10,000 frames per second is damaged
INTERVAL_RATIO_MAX = 1e4  # of an interval to the median one, either way
MESH_NODES_MAX = 64  # along either side
MESH_UNITS_MAX = 4.0  # twice the long side
AREA_RATIO_MIN, AREA_RATIO_MAX = 1e-3, 1e3  # of a motion between two frames, anywhere in the frame
SHIFT_UNITS_MAX = 16.0  # of a corner of the frame between two frames


def _within(fields: Float16, limit: float) -> bool:
    """Whether all values are finite, and within the limit."""
    return all(bool((np.abs(fields[part]) <= limit).all()) for part in chunks(len(fields), fields))


def check_shots(shots: tuple[slice, ...], frames: int) -> None:
    """Raises ValueError where shots do not cover frames 0 to `frames` - 1, each once and in order."""
    edges = [0, *(shot.stop for shot in shots)]
    tiled = [(shot.start, shot.stop) for shot in shots] == list(pairwise(edges)) and edges[-1] == frames
    require(tiled and edges == sorted(set(edges)), "shots must follow one another from first frame to last")


def possible(H_next_prev: Float) -> NDArray[np.bool_]:
    """Which homographies (n, 3, 3) a camera can have made between two frames.

    No corner of the unit frame goes to infinity or far away, and the picture is neither folded nor crushed.
    """
    corners = np.array([[-1, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1.0]]).T
    with np.errstate(all="ignore"):  # values that are not finite fail the comparisons
        image = H_next_prev / H_next_prev[:, 2:, 2:] @ corners
        moved = np.abs(image[:, :2] / image[:, 2:] - corners[:2]).max(axis=(1, 2))
        det = np.linalg.det(H_next_prev / H_next_prev[:, 2:, 2:])
        area_ratio = det[:, None] / image[:, 2] ** 3  # determinant of the Jacobian at each corner
    unfolded = (area_ratio > AREA_RATIO_MIN) & (area_ratio < AREA_RATIO_MAX) & (image[:, 2] > 0)
    return np.asarray(unfolded.all(axis=1) & (moved < SHIFT_UNITS_MAX))


@dataclass(frozen=True, slots=True)
class Timeline:
    """When each of n frames is shown."""

    pts: Int
    """(n,) strictly increasing, in units of `time_base`."""
    time_base: Fraction
    """Seconds."""

    def __post_init__(self) -> None:
        require(self.pts.ndim == 1 and self.pts.dtype == np.int64, "pts must be a 1-D int64 array")
        require(self.time_base > 0, "time_base must be positive")
        parts = self.time_base.numerator, self.time_base.denominator
        require(max(parts) <= TIME_BASE_MAX, "time_base must be a ratio of two numbers of 32 bits")
        require(bool(np.all(self.pts[1:] > self.pts[:-1])), "pts must increase strictly")
        ends = self.pts[[0, -1]].tolist() if len(self.pts) else [0, 0]
        require(ends[1] - ends[0] < PTS_RANGE_MAX, "pts must lie within 2^62 of each other")

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def time_s(self) -> Float:
        """Seconds since the first frame, (n,)."""
        return (self.pts - self.pts[0]) * float(self.time_base) if len(self.pts) else np.zeros(0)

    def time_at(self, index: int) -> float:
        """`time_s` of one frame."""
        return float((self.pts[index] - self.pts[0]) * float(self.time_base))

    def nearest(self, pts: int) -> int:
        """The frame whose time is nearest to a pts."""
        after = min(int(np.searchsorted(self.pts, pts)), len(self) - 1)
        before = max(after - 1, 0)
        return before if pts - self.pts[before] < self.pts[after] - pts else after

    def locate(self, time_s: float) -> tuple[int, float]:
        """The frame shown at a time, and the share of its interval that has passed, 0 to 1.

        Before the first frame it is the first, and from the last on the last, with a share of 0.
        """
        ticks = time_s / float(self.time_base)
        if abs(ticks - round(ticks)) < ROUNDING_TICKS:
            ticks = round(ticks)
        before = int(np.searchsorted(self.pts, int(self.pts[0]) + floor(ticks), side="right")) - 1
        if not 0 <= before < len(self) - 1:
            return min(max(before, 0), len(self) - 1), 0.0
        past, span = ticks - int(self.pts[before] - self.pts[0]), int(self.pts[before + 1] - self.pts[before])
        return before, past / span

    @property
    def interval_s(self) -> float:
        """Median time between two frames; 1/30 s for a single frame or a damaged clock."""
        return self._median_s if self._median_s >= INTERVAL_S_MIN else DEFAULT_INTERVAL_S

    @property
    def intervals(self) -> Float:
        """Times (n-1,) between neighbouring frames in units of the median; bounded, for the precision of sums."""
        return np.asarray((np.diff(self.time_s) / self._median_s).clip(1 / INTERVAL_RATIO_MAX, INTERVAL_RATIO_MAX))

    @property
    def _median_s(self) -> float:
        return float(np.median(np.diff(self.pts)) * float(self.time_base)) if len(self.pts) > 1 else DEFAULT_INTERVAL_S


@dataclass(frozen=True, slots=True)
class FrameGeometry:
    """The stored picture and its unit frame: origin at the centre, square units, 1 = half the long side."""

    width: int
    """Stored pixels."""
    height: int
    """Stored pixels."""
    pixel_aspect: float = 1.0
    """Width of a pixel in pixel heights."""
    rotation: int = 0
    """Degrees clockwise by which players rotate the picture."""

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            side = getattr(self, name)
            fits = isinstance(side, int) and 0 < side <= SIDE_PX_MAX
            require(fits, f"{name} must be a whole number of pixels, 1 to {SIDE_PX_MAX}")
        require(isinstance(self.pixel_aspect, int | float), "pixel_aspect must be a number")
        require(1 / ASPECT_MAX <= self.pixel_aspect <= ASPECT_MAX, "pixel_aspect must be positive and finite")
        known = isinstance(self.rotation, int) and self.rotation in QUARTER_TURNS_DEG
        require(known, f"rotation must be one of {', '.join(map(str, QUARTER_TURNS_DEG))} degrees")

    @property
    def lies_on_its_side(self) -> bool:
        """Whether players show the stored picture's rows as columns."""
        return self.rotation % 180 != 0

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
    """The outcome of measuring the motion between two frames.

    `OK` and `FAINT` carry a measurement, `FAINT` a rough one. `CUT` splits the path; all others are bridged.
    """

    OK = 0
    CUT = 1
    DARK = 2
    BLURRED = 3
    TEXTURELESS = 4
    NO_CONSENSUS = 5
    FAINT = 6


class MotionModel(IntEnum):
    """The motion model that the evidence supported, from simple to general."""

    NONE = 0
    STILL = 1
    TRANSLATION = 2
    SIMILARITY = 3
    AFFINE = 4
    HOMOGRAPHY = 5


def check_mesh(mesh: Float16, name: str, count: int) -> None:
    """Raises ValueError where `mesh` is not (count, rows, cols, 2) of small finite displacements in units."""
    require(mesh.dtype == np.float16, f"{name} must hold float16, not {mesh.dtype}")
    whole = mesh.ndim == 4 and (mesh.shape[0], mesh.shape[3]) == (count, 2)
    require(whole, f"{name} must be ({count}, rows, cols, 2), not {mesh.shape}")
    fewest, most = sorted(mesh.shape[1:3])
    require(fewest >= 2 and most <= MESH_NODES_MAX, f"{name} must have 2 to {MESH_NODES_MAX} nodes each way")
    require(_within(mesh, MESH_UNITS_MAX), f"{name} must be finite, and within {MESH_UNITS_MAX:g} units")


@dataclass(frozen=True, slots=True)
class PairMotion:
    """Motion from one frame to the next in the unit frame, with its quality: next = H(prev) + mesh."""

    status: PairStatus
    """Whether it was measured, or why not."""
    model: MotionModel
    """NONE where it was not measured."""
    H_next_prev: Float
    """(3, 3)."""
    mesh: Float16
    """(rows, cols, 2) motion of the background beyond H, units, at mesh nodes of the previous frame."""
    coverage: float
    """Share of the picture's area that supports the motion."""
    residual: float
    """Median distance of the inliers, units."""

    @property
    def measured(self) -> bool:
        """Whether the motion was measured."""
        return self.status in (PairStatus.OK, PairStatus.FAINT)


@dataclass(frozen=True, slots=True)
class Motion:
    """The motion of a whole video: n frames, n - 1 pairs.

    All geometry is in the unit frame, independent of the size at which frames were analysed.
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
    """For synchronisation with a gyroscope log; of a long video only in part."""

    def __post_init__(self) -> None:
        frames = len(self.timeline)
        require(frames > 0, "a motion needs at least one frame")
        pairs = frames - 1
        check_array(self.H_next_prev, "H_next_prev", np.float64, (pairs, 3, 3))
        check_mesh(self.mesh, "mesh", pairs)
        for name in ("status", "model"):
            check_array(getattr(self, name), name, np.uint8, (pairs,))
        for name in ("coverage", "residual"):
            check_array(getattr(self, name), name, np.float32, (pairs,))
        check_array(self.sharpness, "sharpness", np.float32, (frames if len(self.sharpness) else 0,))
        require(not len(self.matches) or int(self.matches.pair[-1]) < pairs, f"matches must lie in {pairs} pairs")
        self._check_values()

    def _check_values(self) -> None:
        for kind, name in ((PairStatus, "status"), (MotionModel, "model")):
            highest = max(kind)
            require(bool((getattr(self, name) <= highest).all()), f"{name} must be a {kind.__name__}, 0 to {highest}")
        contradiction = self.measured == (self.model == MotionModel.NONE)
        require(not contradiction.any(), "status and model contradict: pairs have a model where they are measured")
        for name, most in (("coverage", 1), ("residual", np.inf), ("sharpness", np.inf)):
            values = getattr(self, name)
            valid = np.isfinite(values) & (values >= 0) & (values <= most)
            require(bool(valid.all()), f"{name} must be finite, and 0 to {most}")
        wrong = np.flatnonzero(~possible(self.H_next_prev)).tolist()
        require(not wrong, f"H_next_prev of pair {wrong[:1]} is no motion that a camera can make")

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
    """The camera's motion, split into steps, which the path solver may keep or remove, and wobble, which is removed."""

    timeline: Timeline
    """Of n frames."""
    geometry: FrameGeometry
    """Of each frame."""
    step: Float
    """(n-1, 4) similarities (a, b, x, y), unit frame, from each frame's *rectified* picture to the next one's:
    p_next = [[a, -b], [b, a]] p_prev + (x, y)."""
    weight: Float
    """(n-1,) trust in each step, 0 to 1: the factor of its terms in the solver."""
    wobble: Float16
    """(n, rows, cols, 2): where a rectified point p is found in the real frame, p + wobble(p): rolling shutter, lens
    shift, parallax, perspective. Nodes spread edge to edge."""
    shots: tuple[slice, ...]
    """Frame ranges between cuts."""
    level: Float | None = None
    """(n,) roll in radians, that of the output in the rectified frame, at which the output's horizon is level; NaN
    where gravity is not known, None: never."""

    def __post_init__(self) -> None:
        frames = len(self.timeline)
        pairs = max(frames - 1, 0)
        check_array(self.step, "step", np.float64, (pairs, 4))
        check_array(self.weight, "weight", np.float64, (pairs,))
        check_mesh(self.wobble, "wobble", frames)
        require(bool(np.isfinite(self.step).all()), "step must be finite")
        require(bool(((self.weight >= 0) & (self.weight <= 1)).all()), "weight must be 0 to 1")
        require(bool(np.hypot(self.step[:, 0], self.step[:, 1]).all()), "a step must have a scale above 0")
        require(self.level is None or self.level.shape == (frames,), f"level must be ({frames},)")
        check_shots(self.shots, frames)


def field_nodes(count: int, length: int) -> Float:
    """Pixel coordinates of the `count` nodes of a WarpField along an output side of `length` pixels, edge to edge.

    The centre of the first pixel is 0.
    """
    return np.asarray(np.linspace(-0.5, length - 0.5, count))


@dataclass(frozen=True, slots=True)
class WarpField:
    """Backward map of one frame, at nodes that `field_nodes` places over the output; bilinear between them."""

    source_px: Float32
    """(rows, cols, 2) luma pixel coordinates (x, y) in the source."""

    def __post_init__(self) -> None:
        require(self.source_px.ndim == 3 and self.source_px.shape[2] == 2, "source_px must be (rows, cols, 2)")
        require(min(self.source_px.shape[:2]) >= 2, "a field needs at least two nodes along either side")
        require(bool(np.isfinite(self.source_px).all()), "a field must be finite")


class StablePath(Protocol):
    """A path as a renderer needs it: it gives fields, whatever solver it comes from."""

    @property
    def timeline(self) -> Timeline:
        """Times of the input frames."""

    @property
    def geometry(self) -> FrameGeometry:
        """Of those frames, and of the output."""

    @property
    def shots(self) -> tuple[slice, ...]:
        """Frame ranges between cuts."""

    def field(self, source: int, time_s: float) -> WarpField:
        """Where each pixel of the output at `time_s`, seconds since the first frame, comes from in frame `source`.

        The time may lie between frames; `source` is any frame of the same shot. Raises ValueError for another shot's.
        """
