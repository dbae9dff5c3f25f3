"""How a camera turned, and where its lens puts a ray: what a gyroscope gives and a path of rotations stands on.

Camera axes: x right, y down, z forward. A picture's lines are exposed one after the other; each has its own rotation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stabilize import spool
from stabilize.checks import check_array
from stabilize.core import Float

BANDS = 17  # times within the readout at which a camera's rotation is kept; linear in between
SHUTTER_ROUNDS = 3  # in which a point's place and the line that exposes it find each other
LARGEST_TURN_RAD = 4.0  # of a rotation vector: half a turn, and room for rounding
LARGEST_SHIFT = 1.0  # units, of a stabilising lens
BEYOND = 16.0  # units: where a ray is put that no lens shows


class UnitLens(Protocol):
    """A lens in the unit frame of the stored picture."""

    @property
    def focal(self) -> float:
        """Focal length in units, in the middle of the picture."""

    def rays(self, points: Float) -> Float:
        """Unit rays (..., 3) of points (..., 2); NaN where there is none."""

    def points(self, rays: Float) -> Float:
        """Points (..., 2) of rays (..., 3); NaN for rays that the lens does not show."""

    def facts(self) -> Mapping[str, Any]:
        """Model and numbers, as JSON takes them."""


@dataclass(frozen=True, slots=True)
class CameraRotation:
    """The camera of n frames: which ray of the world falls where in each."""

    orientation: Float
    """(n, 3) rotation vectors of R_world_cam, when the middle line is exposed."""
    line_turn: Float
    """(n, BANDS, 3) rotation vectors of R_line_middle, from first to last line, linear in between."""
    line_shift: Float
    """(n, BANDS, 2) by which a stabilising lens moved the picture, units."""
    by_columns: bool
    """Whether lines are columns."""
    known: NDArray[np.bool_]
    """(n,) whether the log covers the frame."""
    gravity: bool
    """Whether the world's z axis points up."""
    half_extent: tuple[float, float]
    """Of the picture, units."""
    lens: UnitLens
    """The lens."""

    def __post_init__(self) -> None:
        frames = len(self.orientation)
        check_array(self.orientation, "orientation", np.float64, (frames, 3))
        check_array(self.line_turn, "line_turn", np.float64, (frames, BANDS, 3))
        check_array(self.line_shift, "line_shift", np.float64, (frames, BANDS, 2))
        check_array(self.known, "known", np.bool_, (frames,))
        for name, limit in (
            ("orientation", LARGEST_TURN_RAD),
            ("line_turn", LARGEST_TURN_RAD),
            ("line_shift", LARGEST_SHIFT),
        ):
            values = getattr(self, name)
            if not all((np.abs(values[part]) <= limit).all() for part in spool.chunks(frames, values)):
                raise ValueError(f"{name} must be finite, and within {limit:g}")

    def places(self, frames: slice, rays: Float) -> Float:
        """Where rays (n, k, 3), in the camera's axes at the middle line of some frames, fall in them: (n, k, 2) units.

        A point is exposed when its own line is; which line that is depends on where it falls, so its place is found by
        iteration. NaN where the lens shows no such ray.
        """
        turn, shift = self.line_turn[frames], self.line_shift[frames]
        place = self.lens.points(rays)
        for _ in range(SHUTTER_ROUNDS):
            rotvec, shifted = self._at_lines(turn, shift, place)
            place = self.lens.points(turned(rotvec, rays)) + shifted
        return place

    def _at_lines(self, turn: Float, shift: Float, place: Float) -> tuple[Float, Float]:
        """Rotation vectors (n, k, 3) and shifts (n, k, 2) of the lines that expose places (n, k, 2)."""
        axis, last = (0 if self.by_columns else 1), BANDS - 1
        line = np.nan_to_num((place[..., axis] / self.half_extent[axis] + 1) / 2 * last).clip(0, last)
        left = np.minimum(line.astype(np.intp), last - 1)
        share, frame = (line - left)[..., None], np.arange(len(turn))[:, None]
        return tuple(band[frame, left] * (1 - share) + band[frame, left + 1] * share for band in (turn, shift))


def turned(rotvec: Float, rays: Float) -> Float:
    """Rays (..., 3) by rotation vectors (..., 3): Rodrigues' formula."""
    square = np.sum(rotvec * rotvec, axis=-1, keepdims=True)
    angle = np.sqrt(square)
    once = np.cross(rotvec, rays)
    twice = np.cross(rotvec, once)
    # sin(a) / a and (1 - cos(a)) / a^2, which is sinc^2(a / 2) / 2: both defined where nothing turns.
    return np.asarray(rays + np.sinc(angle / np.pi) * once + np.sinc(angle / (2 * np.pi)) ** 2 / 2 * twice)
