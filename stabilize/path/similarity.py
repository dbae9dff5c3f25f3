"""A path of similarities: one crop pose for each frame, and the camera's wobble around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stabilize import spool
from stabilize.checks import check_array
from stabilize.core import FARTHEST, CameraPath, Float, FrameGeometry, Timeline, WarpField
from stabilize.fields.grid import sample
from stabilize.fields.similarity import Complex, compose, inverse, to_complex, to_real
from stabilize.fields.warp import output_nodes, warp_field
from stabilize.path.crop import place
from stabilize.path.moment import moment


def poses_along(step: Float) -> Complex:
    """Shift and rotation of frames along their steps (n-1, 4), without zoom: it would scale what comes after."""
    steps = inverse(to_complex(step))
    turn = np.concatenate([[0.0], np.cumsum(np.angle(steps[:, 0]))])
    shift = steps[:, 1] * np.exp(1j * turn[:-1])
    return np.stack([np.exp(1j * turn), np.concatenate([[0.0], np.cumsum(shift)])], axis=1)


@dataclass(frozen=True, slots=True)
class SimilarityPath:
    """The solved path; what a renderer needs of it is `core.StablePath`."""

    camera: CameraPath
    """How the camera moved, and what is always taken out."""
    crop_pose: Float
    """(n, 4) similarities (a, b, x, y), unit frame, that place the output picture in each rectified frame:
    p_rectified = [[a, -b], [b, a]] p_output + (x, y); hypot(a, b) is the share of the frame's width that stays."""
    notes: tuple[str, ...] = ()
    """What was left as filmed, and why, for a person."""

    def __post_init__(self) -> None:
        check_array(self.crop_pose, "crop_pose", np.float64, (len(self.camera.timeline), 4))
        if not (np.abs(self.crop_pose) <= FARTHEST).all() or not self.kept.all():
            raise ValueError(f"crop_pose must be finite, have a scale above 0, and lie within {FARTHEST:g} units")

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
    def kept(self) -> Float:
        """(n,) share of the frame's width that is still shown."""
        return np.asarray(np.hypot(self.crop_pose[:, 0], self.crop_pose[:, 1]))

    def poses(self) -> tuple[Complex, Complex]:
        """(n, 2) each: rotation and shift in units, added up over the frames, of the input and of the output."""
        before = poses_along(self.camera.step)
        return before, compose(before, to_complex(self.crop_pose))

    def field(self, source: int, time_s: float) -> WarpField:
        """Where each pixel of the output at `time_s` comes from in frame `source`, any frame of the same shot.

        The output's pose is carried to frame `source` through the camera's steps; what that frame wobbles by is its
        own. Raises ValueError for a frame of another shot.
        """
        rectified = place(output_nodes(self.geometry), to_real(self._pose(source, time_s)[None]))
        wobble = self.camera.wobble[source : source + 1]
        field = warp_field((rectified + sample(wobble, rectified, self.geometry.half_extent))[0], self.geometry)
        if source % spool.CHUNK_FRAMES == 0:
            spool.release(self.camera.wobble)
        return field

    def _pose(self, source: int, time_s: float) -> Complex:
        """Where the output at a time lies in rectified frame `source`: (2,).

        Between two frames the output's path is linear, so in whichever frame's coordinates it is taken: the maps
        between frames are linear in the pose.
        """
        before, after, share = moment(self, source, time_s)
        pose = self._carried(before, source)
        if share > 0:
            pose = (1 - share) * pose + share * self._carried(after, source)
        return np.asarray(pose, np.complex128)

    def _carried(self, frame: int, source: int) -> Complex:
        """The crop pose of one frame in the coordinates of another: (2,)."""
        pose: Complex = to_complex(self.crop_pose[frame : frame + 1])[0]
        for step in to_complex(self.camera.step[frame:source]):
            pose = compose(step, pose)
        for step in to_complex(self.camera.step[source:frame])[::-1]:
            pose = compose(inverse(step), pose)
        return pose
