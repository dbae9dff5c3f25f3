"""A path of rotations: a virtual pinhole camera that turns evenly, looking through the real one's lens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from stabilize.checks import check_array
from stabilize.core import Float, FrameGeometry, Timeline, WarpField, check_shots
from stabilize.fields.rotation import BEYOND, LARGEST_TURN_RAD, CameraRotation, turned
from stabilize.fields.similarity import Complex
from stabilize.fields.warp import output_nodes, warp_field
from stabilize.path.moment import moment
from stabilize.path.similarity import poses_along

LARGEST_ZOOM = 100.0
LEAST_AHEAD = 0.1  # of a ray that is followed from frame to frame: what turns away by more is not on its way


@dataclass(frozen=True, slots=True)
class RotationPath:
    """The solved path; what a renderer needs of it is `core.StablePath`."""

    timeline: Timeline
    """Of n frames."""
    geometry: FrameGeometry
    """Of each frame, and of the output."""
    shots: tuple[slice, ...]
    """Frame ranges between cuts."""
    camera: CameraRotation
    """How the real camera turned, line by line, and its lens."""
    virtual: Float
    """(n, 3) rotation vectors of R_world_virtual."""
    zoom: Float
    """(n,) by which the virtual camera's focal length is longer than `focal`."""
    focal: float
    """Focal length of the virtual camera, units."""
    notes: tuple[str, ...] = ()
    """For a person."""

    def __post_init__(self) -> None:
        frames = len(self.timeline)
        check_array(self.camera.orientation, "orientation", np.float64, (frames, 3))
        check_array(self.virtual, "virtual", np.float64, (frames, 3))
        check_array(self.zoom, "zoom", np.float64, (frames,))
        if not (np.abs(self.virtual) <= LARGEST_TURN_RAD).all():
            raise ValueError("virtual must hold rotation vectors")
        if not ((self.zoom >= 1 / LARGEST_ZOOM) & (self.zoom <= LARGEST_ZOOM)).all():
            raise ValueError(f"zoom must be 1/{LARGEST_ZOOM:g} to {LARGEST_ZOOM:g}")
        if not 1 / LARGEST_ZOOM <= self.focal <= LARGEST_ZOOM**2:
            raise ValueError("focal must be that of a camera")
        check_shots(self.shots, frames)

    @property
    def kept(self) -> Float:
        """(n,) share of the frame's width that is still shown, in the middle of the picture."""
        return self.camera.lens.focal / (self.focal * self.zoom)

    def poses(self) -> tuple[Complex, Complex]:
        """(n, 2) each: roll and shift of the middle in units, added up over the frames, of the input and the output."""
        return tuple(poses_along(self._steps(vectors)) for vectors in (self.camera.orientation, self.virtual))  # type: ignore[return-value]

    def _steps(self, orientation: Float) -> Float:
        """Similarities (n-1, 4) by which the world at infinity moves in the middle of the picture."""
        R = Rotation.from_rotvec(orientation)
        relative = R[1:].inv() * R[:-1]
        ahead = relative.apply([0.0, 0.0, 1.0])
        shift = self.camera.lens.focal * ahead[:, :2] / np.maximum(ahead[:, 2:], LEAST_AHEAD)
        roll = relative.as_rotvec()[:, 2]
        return np.column_stack([np.cos(roll), np.sin(roll), shift])

    def field(self, source: int, time_s: float) -> WarpField:
        """Where each pixel of the output at `time_s` comes from in frame `source`, any frame of the same shot.

        The output's rays are the virtual camera's at that time; the source's lines saw them when they were exposed.
        Raises ValueError for a frame of another shot.
        """
        before, after, share = moment(self, source, time_s)
        first = Rotation.from_rotvec(self.virtual[before])
        turn = (first.inv() * Rotation.from_rotvec(self.virtual[after])).as_rotvec()
        virtual = first * Rotation.from_rotvec(share * turn)
        zoom = (1 - share) * self.zoom[before] + share * self.zoom[after]
        R_source_virtual = Rotation.from_rotvec(self.camera.orientation[source]).inv() * virtual
        rays = pinhole_rays(output_nodes(self.geometry), np.array([self.focal * zoom]))
        turn_back = np.broadcast_to(R_source_virtual.as_rotvec(), rays.shape)
        place = self.camera.places(slice(source, source + 1), turned(turn_back, rays))
        return warp_field(np.nan_to_num(place[0], nan=BEYOND).clip(-BEYOND, BEYOND), self.geometry)


def pinhole_rays(points: Float, focal: Float) -> Float:
    """Rays (n, k, 3) of points (k, 2) of pinhole cameras of focal lengths (n,), all in units."""
    xy = points / focal[:, None, None]
    return np.concatenate([xy, np.ones((*xy.shape[:2], 1))], axis=2)
