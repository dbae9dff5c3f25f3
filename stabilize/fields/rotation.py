"""The rotation of a camera and its lens: what a gyroscope log or the picture gives, and a path of rotations needs.

Camera axes: x right, y down, z forward. With a rolling shutter, every line of a frame has its own rotation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stabilize import spool
from stabilize.checks import check_array
from stabilize.core import Float, Float16, check_mesh
from stabilize.fields.grid import sample

BANDS = 17  # times within the readout at which the rotation is stored; linear in between
SHUTTER_ITERATIONS = 3  # of a point and the line that exposes it, each computed from the other
ROTVEC_RAD_MAX = 4.0  # half a turn, and room for rounding
LENS_SHIFT_UNITS_MAX = 1.0  # of optical stabilisation
OFF_FRAME_UNITS = 16.0  # coordinate that stands for a ray outside the lens


class UnitLens(Protocol):
    """A lens in the unit frame of the stored picture."""

    @property
    def focal(self) -> float:
        """Focal length in units, in the middle of the picture."""

    def rays(self, points: Float) -> Float:
        """Unit rays (..., 3) of points (..., 2); NaN where a point has none."""

    def points(self, rays: Float) -> Float:
        """Points (..., 2) of rays (..., 3); NaN for rays outside the lens."""

    def facts(self) -> Mapping[str, Any]:
        """Model and parameters, as JSON values."""


@dataclass(frozen=True, slots=True)
class CameraRotation:
    """The rotation of a camera over n frames, line by line, and its lens."""

    orientation: Float
    """(n, 3) rotation vectors of R_world_cam, at the time of the middle line."""
    line_turn: Float
    """(n, BANDS, 3) rotation vectors of R_line_middle, from first to last line, linear in between."""
    line_shift: Float
    """(n, BANDS, 2) shift of the picture by optical stabilisation, units."""
    by_columns: bool
    """Whether the lines of the rolling shutter are columns."""
    known: NDArray[np.bool_]
    """(n,) whether the log covers each frame; all, where there is no log."""
    gravity: bool
    """Whether the world's z axis points up."""
    half_extent: tuple[float, float]
    """Of the frame, units."""
    lens: UnitLens
    """The lens."""
    wobble: Float16 | None = None
    """(n, rows, cols, 2) how far a point of each frame is from where rotation and lens put it, units. Nodes edge to
    edge; None where there is no such motion."""
    notes: tuple[str, ...] = ()
    """For the user: how rotation and lens were come by."""

    def __post_init__(self) -> None:
        frames = len(self.orientation)
        check_array(self.orientation, "orientation", np.float64, (frames, 3))
        check_array(self.line_turn, "line_turn", np.float64, (frames, BANDS, 3))
        check_array(self.line_shift, "line_shift", np.float64, (frames, BANDS, 2))
        check_array(self.known, "known", np.bool_, (frames,))
        if self.wobble is not None:
            check_mesh(self.wobble, "wobble", frames)
        for name, limit in (
            ("orientation", ROTVEC_RAD_MAX),
            ("line_turn", ROTVEC_RAD_MAX),
            ("line_shift", LENS_SHIFT_UNITS_MAX),
        ):
            values = getattr(self, name)
            if not all((np.abs(values[part]) <= limit).all() for part in spool.chunks(frames, values)):
                raise ValueError(f"{name} must be finite, and within {limit:g}")

    def project(self, frames: slice, rays: Float) -> Float:
        """Points (n, k, 2), units, of rays (n, k, 3) in the camera's axes at the middle line of some frames.

        A point is exposed at the time of its line, and which line that is depends on the point: both are found by
        iteration. NaN for rays outside the lens.
        """
        turn, shift = self.line_turn[frames], self.line_shift[frames]
        points = self.lens.points(rays)
        for _ in range(SHUTTER_ITERATIONS):
            rotvec, shifted = self._at_lines(turn, shift, points)
            points = self.lens.points(rotate_rays(rotvec, rays)) + shifted
        if self.wobble is not None:
            points = points + sample(self.wobble[frames], np.nan_to_num(points), self.half_extent)
        return points

    def _at_lines(self, turn: Float, shift: Float, points: Float) -> tuple[Float, Float]:
        """Rotation vectors (n, k, 3) and shifts (n, k, 2) of the lines that expose points (n, k, 2)."""
        axis, last = (0 if self.by_columns else 1), BANDS - 1
        line = np.nan_to_num((points[..., axis] / self.half_extent[axis] + 1) / 2 * last).clip(0, last)
        left = np.minimum(line.astype(np.intp), last - 1)
        share, frame = (line - left)[..., None], np.arange(len(turn))[:, None]
        return tuple(band[frame, left] * (1 - share) + band[frame, left + 1] * share for band in (turn, shift))


def nearest_rotations(matrices: Float) -> Float:
    """The rotations (n, 3, 3) nearest to matrices (n, 3, 3), by singular values."""
    u, _, vt = np.linalg.svd(matrices)
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return np.asarray(u @ vt)


def rotate_rays(rotvec: Float, rays: Float) -> Float:
    """Rays (..., 3) rotated by rotation vectors (..., 3), with Rodrigues' formula."""
    square = np.sum(rotvec * rotvec, axis=-1, keepdims=True)
    angle = np.sqrt(square)
    once = np.cross(rotvec, rays)
    twice = np.cross(rotvec, once)
    # sin(a) / a and (1 - cos(a)) / a^2, which is sinc^2(a / 2) / 2: both are defined at an angle of 0.
    return np.asarray(rays + np.sinc(angle / np.pi) * once + np.sinc(angle / (2 * np.pi)) ** 2 / 2 * twice)
