"""Paths of rotations against cameras whose lens, rolling shutter and rotation are known formulas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.spatial.transform import Rotation

from gyro.lens import Lens
from stabilize.core import CameraPath, FrameGeometry, Motion, MotionModel, PairStatus, Timeline, field_nodes
from stabilize.errors import SolveError, UsageError
from stabilize.fields.rotation import BANDS, CameraRotation, rotate_rays
from stabilize.fuse import camera_path
from stabilize.gyroscope.lens import UnitFrameLens
from stabilize.path.measure import SolvedPath, shake
from stabilize.path.rotation_solver import solve_rotation
from stabilize.path.solvers import SOLVERS
from stabilize.settings import AxisStrength, FuseConfig, PathConfig

WIDTH, HEIGHT, F_PX = 640, 360, 520.0
GEOMETRY = FrameGeometry(WIDTH, HEIGHT)
MIDDLE = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
FRAMES, FPS = 60, 30
R_WORLD_REST = Rotation.from_euler("xyz", [0.4, -2.0, 0.7])  # the world's axes differ from the camera's


@dataclass(frozen=True)
class Camera:
    """A camera with angles about x, y, z (rad) over time, radial distortion k1, and a readout time."""

    angles: Callable[[np.ndarray], np.ndarray]
    k1: float = 0.0
    readout_s: float = 0.0
    columns: bool = False

    def R_world_cam(self, t: np.ndarray) -> Rotation:
        return R_WORLD_REST * Rotation.from_euler("YXZ", self.angles(np.asarray(t, float))[:, [1, 0, 2]])

    def directions(self, pixels: np.ndarray, frame: int) -> np.ndarray:
        """World directions (k, 3) of the pixels (k, 2) of a frame."""
        side, length = (0, WIDTH) if self.columns else (1, HEIGHT)
        t = frame / FPS + self.readout_s * ((pixels[:, side] + 0.5) / length - 0.5)
        distorted = (pixels - MIDDLE) / F_PX
        undistorted = distorted.copy()
        for _ in range(60):
            undistorted = distorted / (1 + self.k1 * np.sum(undistorted * undistorted, axis=1, keepdims=True))
        rays = np.column_stack([undistorted, np.ones(len(undistorted))])
        return self.R_world_cam(t).apply(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def rotation(self) -> CameraRotation:
        """The rotation that a log without errors gives."""
        t = np.arange(FRAMES) / FPS
        lines = (t[:, None] + self.readout_s * (np.linspace(0, 1, BANDS) - 0.5)).ravel()
        turn = self.R_world_cam(lines).inv() * self.R_world_cam(np.repeat(t, BANDS))
        K = np.array([[F_PX, 0, MIDDLE[0]], [0, F_PX, MIDDLE[1]], [0, 0, 1]])
        return CameraRotation(
            orientation=self.R_world_cam(t).as_rotvec(),
            line_turn=turn.as_rotvec().reshape(FRAMES, BANDS, 3),
            line_shift=np.zeros((FRAMES, BANDS, 2)),
            by_columns=self.columns,
            known=np.ones(FRAMES, bool),
            gravity=False,
            half_extent=GEOMETRY.half_extent,
            lens=UnitFrameLens(Lens(WIDTH, HEIGHT, K, "polynomial", (self.k1, 0, 0, 0)), GEOMETRY.half_long_px),
        )


def _sway(*amplitudes_deg: float, hz: float = 1.7) -> Callable[[np.ndarray], np.ndarray]:
    """Sines about x, y and z, at three different rates."""
    rates = hz * np.array([1.0, 1.3, 0.7])
    return lambda t: np.radians(amplitudes_deg) * np.sin(2 * np.pi * rates * t[:, None] + [0.3, 1.1, 2.0])


CAMERAS = {
    "pinhole": Camera(_sway(2, 2, 3)),
    "shutter": Camera(_sway(2, 2, 3), readout_s=0.025),
    "shutter upwards": Camera(_sway(2, 2, 3), readout_s=-0.025),
    "columns": Camera(_sway(2, 2, 3), readout_s=0.02, columns=True),
    "barrel": Camera(_sway(2, 2, 3), k1=-0.15, readout_s=0.02),
    "pincushion": Camera(_sway(1.5, 1.5, 2), k1=0.1, readout_s=0.02),
}
STILL = PathConfig(tripod=True, max_crop=0.4, zoom="static")


def _shots(*cuts: int) -> CameraPath:
    """A camera path of which only times and cuts matter."""
    edges = [0, *cuts, FRAMES]
    timeline = Timeline(np.arange(FRAMES, dtype=np.int64), Fraction(1, FPS))
    step = np.tile([1.0, 0, 0, 0], (FRAMES - 1, 1))
    shots = tuple(slice(a, b) for a, b in pairwise(edges))
    return CameraPath(timeline, GEOMETRY, step, np.ones(FRAMES - 1), np.zeros((FRAMES, 10, 17, 2), np.float16), shots)


def _shown(camera: Camera, path: SolvedPath, source: int, time_s: float) -> np.ndarray:
    """World directions (k, 3) that the output's nodes show at a time, through the field of one frame."""
    return camera.directions(path.field(source, time_s).source_px.reshape(-1, 2).astype(np.float64), source)


def _motion_px(camera: Camera, path: SolvedPath) -> float:
    """RMS distance of what each node shows in each frame from its mean direction, in pixels of the lens."""
    shown = np.array([_shown(camera, path, i, path.timeline.time_at(i)) for i in range(0, FRAMES, 4)])
    return float(F_PX * np.sqrt(np.mean(np.sum((shown - shown.mean(axis=0)) ** 2, axis=2))))


def _stays_inside(path: SolvedPath) -> bool:
    for i in range(FRAMES):
        nodes = path.field(i, path.timeline.time_at(i)).source_px
        down = interp1d(field_nodes(nodes.shape[0], HEIGHT), nodes, axis=0)
        rows = np.asarray(down(np.r_[0 : HEIGHT - 1 : 16, HEIGHT - 1]), np.float64)
        over = interp1d(field_nodes(nodes.shape[1], WIDTH), rows, axis=1)(np.arange(WIDTH))
        if over.min() < 0 or (over > np.array([WIDTH - 1, HEIGHT - 1])).any():
            return False
    return True


@pytest.mark.parametrize("name", CAMERAS)
def test_the_world_stands_still_where_horizon_and_crop_suffice(name: str) -> None:
    camera = CAMERAS[name]
    path = solve_rotation(_shots(), camera.rotation(), STILL)
    assert _motion_px(camera, path) < 0.05
    assert _stays_inside(path)
    long = PathConfig(smoothness_s=60, max_crop=0.4, zoom="static")  # two seconds become a straight line
    assert _motion_px(camera, solve_rotation(_shots(), camera.rotation(), long)) < 0.2


@pytest.mark.parametrize("name", ["shutter", "barrel"])
def test_every_frame_shows_the_same_world_at_any_time(name: str) -> None:
    camera = CAMERAS[name]
    path = solve_rotation(_shots(), camera.rotation(), PathConfig(smoothness_s=0.5, max_crop=0.3))
    for time_s in (0.5, 0.512, 0.53):
        shown = np.array([_shown(camera, path, source, time_s) for source in (14, 15, 16)])
        assert F_PX * np.ptp(shown, axis=0).max() < 0.1


def test_the_output_is_that_of_a_pinhole_camera() -> None:
    """Straight lines of the world are straight in the output, whatever the lens does to them."""
    camera = CAMERAS["barrel"]
    path = solve_rotation(_shots(), camera.rotation(), STILL)
    shown = _shown(camera, path, 30, 1.0).reshape(19, 33, 3)
    for line in (shown[0], shown[:, 0], shown[-1]):
        residual = np.linalg.svd(line)[1][2]  # rays of a straight line lie in a plane
        assert F_PX * residual < 0.2


@pytest.mark.parametrize("zoom", ["dynamic", "static"])
@pytest.mark.parametrize("k1", [0.0, -0.15, 0.1])
@pytest.mark.parametrize("amplitude_deg", [1.0, 8.0, 40.0])
def test_no_pixel_comes_from_outside_the_frame(amplitude_deg: float, k1: float, zoom: str) -> None:
    camera = Camera(_sway(amplitude_deg, amplitude_deg, amplitude_deg, hz=0.8), k1, 0.01)
    path = solve_rotation(_shots(25), camera.rotation(), PathConfig(zoom=zoom))  # type: ignore[arg-type]
    assert _stays_inside(path)
    assert path.zoom.max() <= 1 / (1 - 0.2) + 1e-9
    if zoom == "static":
        assert np.ptp(path.zoom[:25]) == np.ptp(path.zoom[25:]) == 0


def test_what_straightening_a_lens_takes_is_no_crop() -> None:
    """A still camera needs no crop, even behind a lens whose straight picture has hollow sides."""
    path = solve_rotation(_shots(), Camera(_sway(0, 0, 0), k1=0.1).rotation(), PathConfig())
    assert np.abs(path.crop).max() < 0.02
    assert path.width_share.max() < 0.98


def test_the_path_approaches_the_real_camera_smoothly_at_the_edge_of_the_crop() -> None:
    camera = Camera(_sway(0, 12, 0, hz=0.5))
    path = solve_rotation(_shots(), camera.rotation(), PathConfig(smoothness_s=60, max_crop=0.1))
    turn = Rotation.from_rotvec(path.virtual)
    rates = (turn[:-1].inv() * turn[1:]).magnitude()
    real = camera.R_world_cam(np.arange(FRAMES - 1) / FPS).inv() * camera.R_world_cam(np.arange(1, FRAMES) / FPS)
    assert np.abs(np.diff(rates)).max() < 0.4 * real.magnitude().max()
    assert _stays_inside(path)


def test_shake_is_removed_where_the_crop_is_too_small_for_the_pan() -> None:
    """A pan of 50 degrees to and fro, with a tremor upon it: only the pan is too large for the crop."""
    pan, tremor = _sway(4, 25, 5, hz=0.4), _sway(0.3, 0.3, 0.3, hz=5.0)
    camera = Camera(lambda t: pan(t) + tremor(t))
    path = solve_rotation(_shots(), camera.rotation(), PathConfig(max_crop=0.1))
    real = Rotation.from_rotvec(path.camera.orientation)

    def acceleration(R: Rotation) -> float:
        return float(np.sqrt(np.mean(np.diff((R[:-1].inv() * R[1:]).as_rotvec(), axis=0) ** 2)))

    assert acceleration(Rotation.from_rotvec(path.virtual)) < 0.5 * acceleration(real)
    assert np.abs((real.inv() * Rotation.from_rotvec(path.virtual)).as_rotvec()).max() < np.radians(5)
    assert _stays_inside(path)


def test_the_zoom_changes_slowly() -> None:
    """A camera that jerks once: the output zooms in before and out after it at 5 % a second at most."""
    camera = Camera(lambda t: np.radians([0, 6, 0]) * np.exp(-(((t[:, None] - 1) / 0.15) ** 2)))
    path = solve_rotation(_shots(), camera.rotation(), PathConfig(smoothness_s=2))
    assert path.zoom.max() > 1.03  # it needs the zoom
    assert np.abs(np.diff(np.log(path.zoom))).max() * FPS < 0.05


def test_perspective_of_a_large_rotation_is_removed() -> None:
    """Both solvers hold the centre still; a similarity leaves the perspective of the corners."""
    camera = Camera(_sway(3, 9, 0, hz=0.5))
    K = np.array([[F_PX, 0, MIDDLE[0]], [0, F_PX, MIDDLE[1]], [0, 0, 1]])
    R = camera.R_world_cam(np.arange(FRAMES) / FPS).as_matrix()
    T = GEOMETRY.T_px_unit
    H = [np.linalg.inv(T) @ K @ after.T @ before @ np.linalg.inv(K) @ T for before, after in pairwise(R)]
    pairs = FRAMES - 1
    motion = Motion(
        Timeline(np.arange(FRAMES, dtype=np.int64), Fraction(1, FPS)),
        GEOMETRY,
        np.array([h / h[2, 2] for h in H]),
        np.zeros((pairs, 10, 17, 2), np.float16),
        np.full(pairs, PairStatus.OK, np.uint8),
        np.full(pairs, MotionModel.HOMOGRAPHY, np.uint8),
        np.ones(pairs, np.float32),
        np.zeros(pairs, np.float32),
    )
    config = PathConfig(max_crop=0.5, tripod=True, zoom="static")
    similarity = SOLVERS["l1"](camera_path(motion, FuseConfig()), None, config, None)
    rotation = SOLVERS["rotation"](_shots(), camera.rotation(), config, None)
    assert _motion_px(camera, rotation) < 0.05
    assert _motion_px(camera, similarity) > 2


def test_a_long_horizon_is_smoother_than_a_short_one_and_both_than_the_input() -> None:
    camera = Camera(_sway(1, 1, 1, hz=4.0))
    before, short = shake(solve_rotation(_shots(), camera.rotation(), PathConfig(smoothness_s=0.05)))
    _, long = shake(solve_rotation(_shots(), camera.rotation(), PathConfig(smoothness_s=0.5)))
    assert long.shift_percent < 0.3 * short.shift_percent < 0.3 * before.shift_percent
    assert long.roll_deg < 0.3 * short.roll_deg < 0.3 * before.roll_deg


def test_the_smoothing_horizon_may_vary() -> None:
    camera = Camera(_sway(1, 1, 1, hz=4.0))
    varied = solve_rotation(
        _shots(), camera.rotation(), PathConfig(smoothness_s=((0.5, 0.02), (1.5, 0.5)), max_crop=0.3)
    )
    for value, frames in ((0.02, slice(0, 10)), (0.5, slice(52, 60))):
        constant = solve_rotation(_shots(), camera.rotation(), PathConfig(smoothness_s=value, max_crop=0.3))
        np.testing.assert_allclose(varied.virtual[frames], constant.virtual[frames], atol=1e-6)


def test_strengths_refer_to_the_displayed_axes() -> None:
    """A camera that only pans, in a picture that players show as stored or rotated by 90 degrees."""
    camera = Camera(_sway(0, 2, 0))
    rotation, shots = camera.rotation(), _shots()
    on_its_side = replace(shots, geometry=replace(GEOMETRY, rotation=90))
    for path, strength, removed in (
        (shots, AxisStrength(1, 0, 0), True),
        (shots, AxisStrength(0, 1, 1), False),
        (on_its_side, AxisStrength(1, 0, 1), False),
        (on_its_side, AxisStrength(0, 1, 0), True),
    ):
        stable = solve_rotation(path, rotation, replace(STILL, strength=strength))
        assert (_motion_px(camera, stable) < 0.5) == removed


def test_the_horizon_is_levelled() -> None:
    """Gravity along the z axis of the world, and a camera that looks at the horizon and rolls."""
    upright = Rotation.from_matrix(np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]))  # x right, y down, z forward
    roll = np.radians(6 + 3 * np.sin(np.arange(FRAMES) / 5))
    tilted = (upright * Rotation.from_euler("z", roll[:, None])).as_rotvec()
    rotation = replace(Camera(_sway(0, 0, 0)).rotation(), orientation=tilted, gravity=True)
    for limit in (0.0, 2.0):
        config = PathConfig(max_crop=0.4, smoothness_s=60, horizon_deg=limit)
        up = Rotation.from_rotvec(solve_rotation(_shots(), rotation, config).virtual).inv().apply([0, 0, 1.0])
        lean = np.degrees(np.arctan2(up[:, 0], -up[:, 1]))
        np.testing.assert_allclose(np.abs(lean), limit, atol=0.05)


def test_shots_are_solved_independently() -> None:
    camera = CAMERAS["shutter"]
    path = solve_rotation(_shots(20), camera.rotation(), STILL)
    other = solve_rotation(
        _shots(20),
        replace(camera.rotation(), orientation=np.r_[camera.rotation().orientation[:20], np.zeros((40, 3))]),
        STILL,
    )
    np.testing.assert_array_equal(path.virtual[:20], other.virtual[:20])
    with pytest.raises(ValueError, match="another shot"):
        path.field(25, 0.1)


def test_a_video_that_no_log_covers_is_refused() -> None:
    with pytest.raises(UsageError, match="needs the camera's rotation"):
        SOLVERS["rotation"](_shots(), None, PathConfig(), None)
    rotation = CAMERAS["pinhole"].rotation()
    gap = np.arange(FRAMES) > 40
    with pytest.raises(UsageError, match="does not cover 19 of 60 frames"):
        solve_rotation(_shots(), replace(rotation, known=~gap), PathConfig())
    covered = solve_rotation(_shots(), replace(rotation, known=np.arange(FRAMES) > 0), PathConfig())
    assert "does not cover 1 frames" in covered.notes[0]


def test_a_crop_without_room_for_the_shutter_is_refused() -> None:
    camera = Camera(_sway(8, 8, 8, hz=4.0), readout_s=0.03)
    with pytest.raises(SolveError, match="max-crop"):
        solve_rotation(_shots(), camera.rotation(), PathConfig(max_crop=0.01))


def test_rays_rotate_as_by_the_matrix_at_any_angle() -> None:
    rng = np.random.default_rng(0)
    for size in (0.0, 1e-9, 1e-3, 1.0, 3.1):
        rotvec, rays = rng.normal(0, size, (20, 3)), rng.normal(size=(20, 3))
        np.testing.assert_allclose(rotate_rays(rotvec, rays), Rotation.from_rotvec(rotvec).apply(rays), atol=1e-12)
