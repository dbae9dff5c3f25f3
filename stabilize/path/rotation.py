"""A path of rotations: a virtual pinhole camera that turns smoothly, fed by the real camera and its lens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from stabilize.checks import check_array
from stabilize.core import Float, FrameGeometry, Timeline, WarpField, check_shots
from stabilize.fields.rotation import OFF_FRAME_UNITS, ROTVEC_RAD_MAX, CameraRotation, rotate_rays
from stabilize.fields.similarity import Complex
from stabilize.fields.warp import output_nodes, warp_field
from stabilize.path.neighbours import frames_around
from stabilize.path.similarity import poses_along

ZOOM_MAX = 100.0
AHEAD_MIN = 0.1  # z of the optical axis one frame later: nearer to a right angle its shift would be infinite


@dataclass(frozen=True, slots=True)
class RotationPath:
    """A solved path, as a renderer needs it (`core.StablePath`) and with what a report says of it."""

    timeline: Timeline
    """Of n frames."""
    geometry: FrameGeometry
    """Of each frame, and of the output."""
    shots: tuple[slice, ...]
    """Frame ranges between cuts."""
    camera: CameraRotation
    """The rotation of the real camera, line by line, and its lens."""
    virtual: Float
    """(n, 3) rotation vectors of R_world_virtual."""
    zoom: Float
    """(n,) factor of the virtual camera's focal length over `focal`."""
    focal: float
    """Focal length of the virtual camera at zoom 1, units."""
    notes: tuple[str, ...] = ()
    """For the user."""

    def __post_init__(self) -> None:
        frames = len(self.timeline)
        check_array(self.camera.orientation, "orientation", np.float64, (frames, 3))
        check_array(self.virtual, "virtual", np.float64, (frames, 3))
        check_array(self.zoom, "zoom", np.float64, (frames,))
        if not (np.abs(self.virtual) <= ROTVEC_RAD_MAX).all():
            raise ValueError(f"virtual must hold rotation vectors, up to {ROTVEC_RAD_MAX:g} rad")
        if not ((self.zoom >= 1 / ZOOM_MAX) & (self.zoom <= ZOOM_MAX)).all():
            raise ValueError(f"zoom must be 1/{ZOOM_MAX:g} to {ZOOM_MAX:g}")
        if not 1 / ZOOM_MAX <= self.focal <= ZOOM_MAX**2:
            raise ValueError(f"focal must be 1/{ZOOM_MAX:g} to {ZOOM_MAX**2:g} units")
        check_shots(self.shots, frames)

    @property
    def width_share(self) -> Float:
        """(n,) share of the frame's width that is still shown, in the middle of the picture."""
        return self.camera.lens.focal / (self.focal * self.zoom)

    @property
    def crop(self) -> Float:
        """(n,) share of the width that is cropped by the zoom, beyond what straightening the lens takes."""
        return 1 - 1 / self.zoom

    def poses(self) -> tuple[Complex, Complex]:
        """(n, 2) each: roll and shift of the middle in units, added up over the frames, of the input and the output."""
        return tuple(poses_along(self._steps(vectors)) for vectors in (self.camera.orientation, self.virtual))  # type: ignore[return-value]

    def _steps(self, orientation: Float) -> Float:
        """Similarities (n-1, 4) by which the world at infinity moves in the middle of the picture."""
        R = Rotation.from_rotvec(orientation)
        relative = R[1:].inv() * R[:-1]
        ahead = relative.apply([0.0, 0.0, 1.0])
        shift = self.camera.lens.focal * ahead[:, :2] / np.maximum(ahead[:, 2:], AHEAD_MIN)
        roll = relative.as_rotvec()[:, 2]
        return np.column_stack([np.cos(roll), np.sin(roll), shift])

    def field(self, source: int, time_s: float) -> WarpField:
        """Where each pixel of the output at `time_s` comes from in frame `source`, any frame of the same shot.

        The output's rays are those of the virtual camera at that time. Each falls on the line of frame `source` that
        was exposed to it.
        Raises ValueError for a frame of another shot.
        """
        before, after, share = frames_around(self, source, time_s)
        first = Rotation.from_rotvec(self.virtual[before])
        turn = (first.inv() * Rotation.from_rotvec(self.virtual[after])).as_rotvec()
        virtual = first * Rotation.from_rotvec(share * turn)
        zoom = (1 - share) * self.zoom[before] + share * self.zoom[after]
        R_source_virtual = Rotation.from_rotvec(self.camera.orientation[source]).inv() * virtual
        rays = pinhole_rays(output_nodes(self.geometry), np.array([self.focal * zoom]))
        turn_back = np.broadcast_to(R_source_virtual.as_rotvec(), rays.shape)
        source_units = self.camera.project(slice(source, source + 1), rotate_rays(turn_back, rays))
        finite = np.nan_to_num(source_units[0], nan=OFF_FRAME_UNITS).clip(-OFF_FRAME_UNITS, OFF_FRAME_UNITS)
        return warp_field(finite, self.geometry)


def pinhole_rays(points: Float, focal: Float) -> Float:
    """Rays (n, k, 3) of points (k, 2) of pinhole cameras of focal lengths (n,), all in units."""
    xy = points / focal[:, None, None]
    return np.concatenate([xy, np.ones((*xy.shape[:2], 1))], axis=2)
