"""A path of similarities: a crop pose per frame, and the camera's wobble around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stabilize import spool
from stabilize.checks import check_array
from stabilize.core import SHIFT_UNITS_MAX, CameraPath, Float, FrameGeometry, Timeline, WarpField
from stabilize.fields.grid import sample
from stabilize.fields.similarity import Complex, compose, inverse, to_complex, to_real
from stabilize.fields.warp import output_nodes, warp_field
from stabilize.path.crop import place
from stabilize.path.neighbours import frames_around


def poses_along(step: Float) -> Complex:
    """Poses (n, 2), rotation and shift, along steps (n-1, 4); without zoom, which would scale all that follows."""
    steps = inverse(to_complex(step))
    turn = np.concatenate([[0.0], np.cumsum(np.angle(steps[:, 0]))])
    shift = steps[:, 1] * np.exp(1j * turn[:-1])
    return np.stack([np.exp(1j * turn), np.concatenate([[0.0], np.cumsum(shift)])], axis=1)


@dataclass(frozen=True, slots=True)
class SimilarityPath:
    """A solved path, as a renderer needs it (`core.StablePath`) and with what a report says of it."""

    camera: CameraPath
    """How the camera moved, and the wobble that is always removed."""
    crop_pose: Float
    """(n, 4) similarities (a, b, x, y), unit frame, that place the output picture in each rectified frame:
    p_rectified = [[a, -b], [b, a]] p_output + (x, y); hypot(a, b) is the share of the frame's width that stays."""
    notes: tuple[str, ...] = ()
    """For the user: what was left as filmed, and why."""

    def __post_init__(self) -> None:
        check_array(self.crop_pose, "crop_pose", np.float64, (len(self.camera.timeline), 4))
        if not (np.abs(self.crop_pose) <= SHIFT_UNITS_MAX).all() or not self.width_share.all():
            raise ValueError(f"crop_pose must be finite, have a scale above 0, and be within {SHIFT_UNITS_MAX:g} units")

    @property
    def timeline(self) -> Timeline:
        return self.camera.timeline

    @property
    def geometry(self) -> FrameGeometry:
        return self.camera.geometry

    @property
    def shots(self) -> tuple[slice, ...]:
        return self.camera.shots

    @property
    def width_share(self) -> Float:
        """(n,) share of the frame's width that is still shown."""
        return np.asarray(np.hypot(self.crop_pose[:, 0], self.crop_pose[:, 1]))

    @property
    def crop(self) -> Float:
        """(n,) share of the width that is cropped."""
        return 1 - self.width_share

    def poses(self) -> tuple[Complex, Complex]:
        """(n, 2) each: rotation and shift in units, added up over the frames, of the input and of the output."""
        before = poses_along(self.camera.step)
        return before, compose(before, to_complex(self.crop_pose))

    def field(self, source: int, time_s: float) -> WarpField:
        """Where each pixel of the output at `time_s` comes from in frame `source`, any frame of the same shot.

        The output's pose is carried to frame `source` through the camera's steps; the wobble is that of frame `source`.
        Raises ValueError for a frame of another shot.
        """
        rectified = place(output_nodes(self.geometry), to_real(self._pose(source, time_s)[None]))
        wobble = self.camera.wobble[source : source + 1]
        field = warp_field((rectified + sample(wobble, rectified, self.geometry.half_extent))[0], self.geometry)
        if source % spool.CHUNK_FRAMES == 0:
            spool.release(self.camera.wobble)
        return field

    def _pose(self, source: int, time_s: float) -> Complex:
        """The pose (2,) of the output at a time in rectified frame `source`.

        Between two frames the output's path is linear, in the coordinates of any frame: the maps between frames are
        linear in the pose.
        """
        before, after, share = frames_around(self, source, time_s)
        pose = self._carry(before, source)
        if share > 0:
            pose = (1 - share) * pose + share * self._carry(after, source)
        return np.asarray(pose, np.complex128)

    def _carry(self, frame: int, source: int) -> Complex:
        """The crop pose (2,) of one frame in the coordinates of another."""
        pose: Complex = to_complex(self.crop_pose[frame : frame + 1])[0]
        for step in to_complex(self.camera.step[frame:source]):
            pose = compose(step, pose)
        for step in to_complex(self.camera.step[source:frame])[::-1]:
            pose = compose(inverse(step), pose)
        return pose
