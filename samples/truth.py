"""Ground truth of a clip, for tests and benchmarks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .camera import centre_px, lens_shift_px, line_offset_s, project, rays
from .gyrolog import R_gyro_cam
from .motion import CameraTrack, camera_track, frame_times
from .render import plane_map
from .spec import ClipSpec
from .world import Surface, shots

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Truth:
    """Per frame: `time_s` (n,), `R_world_cam` (n, 3, 3) and `position_m` (n, 3) at the time of the middle line, `K` (n,
    3, 3).

    `H_next_prev` (n-1, 3, 3) maps ideal (undistorted) pixels of the background from each frame to the next: exact with
    a global shutter where the background is at infinity or a single wall; of the middle line with a rolling one. `cut`
    (n-1,) marks shot changes.
    """

    spec: ClipSpec
    time_s: Float
    R_world_cam: Float
    position_m: Float
    K: Float
    H_next_prev: Float
    cut: Bool
    track: CameraTrack

    def rotation_world_cam(self, t_s: Float) -> Rotation:
        """Return the camera orientation at (n,) video times."""
        return self.track.rotation_world_cam(t_s)

    def lens_shift_px(self, t_s: Float) -> Float:
        """Return the OIS shift of the principal point at (n,) video times, (n, 2)."""
        return lens_shift_px(self.spec, t_s)

    def line_times_s(self, frame: int, xy_px: Float) -> Float:
        """Return the exposure times of image points (..., 2) of a frame."""
        return np.asarray(self.time_s[frame] + line_offset_s(self.spec, xy_px))

    def project(self, points_world_m: Float, frame: int) -> Float:
        """Where world points (n, 3) appear in a frame, (n, 2) px: lens, lens shift and each point's own line time. NaN
        behind the camera.
        """
        middle = centre_px(self.spec)
        xy = np.repeat(middle[None], len(points_world_m), axis=0)
        for _ in range(8 if self.spec.shutter.readout_s else 1):
            t_s = self.line_times_s(frame, np.nan_to_num(xy))
            local = self.track.rotation_world_cam(t_s).inv().apply(points_world_m - self.track.position_m(t_s))
            xy = project(self.spec.lens, local, middle + lens_shift_px(self.spec, t_s))
        return xy

    def directions_world(self, xy_px: Float, frame: int) -> Float:
        """Return unit world directions (n, 3) of image points (n, 2) of a frame."""
        t_s = self.line_times_s(frame, xy_px)
        local = rays(self.spec.lens, xy_px, centre_px(self.spec) + lens_shift_px(self.spec, t_s))
        world = self.track.rotation_world_cam(t_s).apply(local)
        return np.asarray(world / np.linalg.norm(world, axis=1, keepdims=True))


def truth(spec: ClipSpec) -> Truth:
    """Return the ground truth of a clip. Cheap: no frame is rendered."""
    track, time_s = camera_track(spec), frame_times(spec)
    R, position = track.rotation_world_cam(time_s).as_matrix(), track.position_m(time_s)
    K = np.repeat(np.diag([spec.lens.f_px, spec.lens.f_px, 1.0])[None], len(time_s), axis=0)
    K[:, :2, 2] = centre_px(spec) + lens_shift_px(spec, time_s)
    starts = np.array([start for start, _ in spec.cuts])
    shot = np.searchsorted(np.sort(starts), time_s, side="right")
    H = _background_homographies(_wall(spec), R, position, K)
    return Truth(spec, time_s, R, position, K, H, np.diff(shot) != 0, track)


def _wall(spec: ClipSpec) -> Surface | None:
    return shots(spec)[0][1].single_plane if spec.world == "wall" else None


def _background_homographies(wall: Surface | None, R: Float, position: Float, K: Float) -> Float:
    to_background = R if wall is None else plane_map(wall, R, position, wall.origin_at(np.zeros(len(R))))
    from_pixels = to_background @ np.linalg.inv(K)
    H = np.linalg.inv(from_pixels[1:]) @ from_pixels[:-1]
    return np.asarray(H / H[:, 2:, 2:])


def arrays(true: Truth) -> dict[str, NDArray[Any]]:
    """Return the arrays of `<stem>.truth.npz`."""
    names = ("time_s", "R_world_cam", "position_m", "K", "H_next_prev", "cut")
    return {name: getattr(true, name) for name in names} | {"lens_shift_px": true.lens_shift_px(true.time_s)}


def header(true: Truth) -> dict[str, Any]:
    """Return the content of `<stem>.truth.json`: the specification and the matrix from camera to log axes, if any."""
    spec = true.spec
    gyro = {} if spec.gyro is None else {"R_gyro_cam": R_gyro_cam(spec.gyro).tolist()}
    return {"spec": asdict(spec), "frames": len(true.time_s), "camera_axes": "x right, y down, z forward"} | gyro
