"""Fields from any frame to any time, against a known camera: 3x3 matrices over a world, without complex numbers.

World point = C_j @ (rectified point of frame j). The output at a time shows the same world points from every frame.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from stabilize.core import CameraPath, FrameGeometry, Timeline
from stabilize.path.similarity import SimilarityPath

GEOMETRY = FrameGeometry(320, 180, 1.25)
FRAMES = 9
PTS = np.array([0, 3, 6, 10, 13, 16, 19, 25, 28], np.int64)  # at uneven intervals


def _matrix(a: float, b: float, x: float, y: float) -> np.ndarray:
    return np.array([[a, -b, x], [b, a, y], [0, 0, 1.0]])


def _parameters(matrix: np.ndarray) -> np.ndarray:
    return np.array([matrix[0, 0], matrix[1, 0], matrix[0, 2], matrix[1, 2]])


class _World:
    """A camera with known poses (world from frame), crop poses, and a shift of each real frame as its wobble."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        turn, zoom = rng.normal(0, 0.03, FRAMES), np.exp(rng.normal(0, 0.03, FRAMES))
        shift = rng.normal(0, 0.1, (FRAMES, 2))
        self.world_frame = [
            _matrix(z * np.cos(t), z * np.sin(t), *s) for z, t, s in zip(zoom, turn, shift, strict=True)
        ]
        crop = np.column_stack([np.full(FRAMES, 0.85), np.zeros(FRAMES), np.zeros((FRAMES, 2))])
        self.crop = crop + rng.normal(0, 0.02, crop.shape)
        self.wobble = rng.normal(0, 0.01, (FRAMES, 2)).astype(np.float16)

    def path(self, shots: tuple[slice, ...] = (slice(0, FRAMES),)) -> SimilarityPath:
        pairs = zip(self.world_frame[:-1], self.world_frame[1:], strict=True)
        step = np.array([_parameters(np.linalg.inv(after) @ before) for before, after in pairs])
        wobble = np.broadcast_to(self.wobble[:, None, None], (FRAMES, 3, 4, 2)).copy()
        timeline = Timeline(PTS, Fraction(1, 30))
        return SimilarityPath(CameraPath(timeline, GEOMETRY, step, np.ones(len(step)), wobble, shots), self.crop.copy())

    def shown(self, path: SimilarityPath, source: int, time_s: float) -> np.ndarray:
        """The world points (rows, cols, 2) that the output's nodes show at a time, read from a frame."""
        units = GEOMETRY.to_unit(path.field(source, time_s).source_px.astype(np.float64)) - self.wobble[source]
        ones = np.ones((*units.shape[:2], 1))
        return np.asarray((np.concatenate([units, ones], axis=2) @ self.world_frame[source].T)[..., :2])


@pytest.mark.parametrize("time_s", [*(PTS / 30), 0.04, 0.25, 0.7, PTS[-1] / 30 + 1])
def test_every_frame_shows_the_same_world(time_s: float) -> None:
    world = _World()
    path = world.path()
    shown = np.array([world.shown(path, source, time_s) for source in range(FRAMES)])
    assert np.ptp(shown, axis=0).max() < 2e-6  # units; a field is float32 pixels
    assert np.ptp(shown[0], axis=(0, 1)).min() > 0.5


def test_the_field_of_a_frame_at_its_time_is_that_of_its_crop_pose() -> None:
    world = _World()
    path = world.path()
    for i in range(FRAMES):
        corners = np.array([[-160, -90], [160, -90], [-160, 90], [160, 90]]) / 160 / 1.25 * [1.25, 1]
        a, b, x, y = world.crop[i]
        expected = corners @ np.array([[a, b], [-b, a]]) + [x, y] + world.wobble[i]
        field = path.field(i, path.timeline.time_at(i)).source_px
        np.testing.assert_allclose(field[[0, 0, -1, -1], [0, -1, 0, -1]], GEOMETRY.to_px(expected), atol=1e-4)


def test_the_output_is_linear_between_two_frames() -> None:
    world = _World(1)
    path = world.path()
    for i in range(FRAMES - 1):
        ends = [world.shown(path, i, path.timeline.time_at(k)) for k in (i, i + 1)]
        for share in (0.25, 0.5, 0.9):
            time_s = (PTS[i] * (1 - share) + PTS[i + 1] * share) / 30
            between = (1 - share) * ends[0] + share * ends[1]
            np.testing.assert_allclose(world.shown(path, i, time_s), between, atol=1e-5)


def test_a_reversed_video_has_the_same_fields() -> None:
    forward, backward = _World(2), _World(2)
    backward.world_frame = forward.world_frame[::-1]
    backward.crop, backward.wobble = forward.crop[::-1], forward.wobble[::-1]
    path = forward.path()
    mirrored = backward.path()
    reversed_timeline = Timeline(np.ascontiguousarray(PTS[-1] - PTS[::-1]), Fraction(1, 30))
    camera = mirrored.camera
    mirrored = SimilarityPath(
        CameraPath(reversed_timeline, GEOMETRY, camera.step, camera.weight, camera.wobble, camera.shots),
        mirrored.crop_pose,
    )
    for time_s in (0.0, 0.12, 0.31, 0.77, PTS[-1] / 30):
        for source in range(FRAMES):
            one = path.field(source, time_s).source_px
            other = mirrored.field(FRAMES - 1 - source, PTS[-1] / 30 - time_s).source_px
            np.testing.assert_allclose(one, other, atol=2e-3)


def test_no_pose_is_carried_across_a_cut() -> None:
    world = _World()
    path = world.path((slice(0, 4), slice(4, FRAMES)))
    last = path.field(3, path.timeline.time_at(3)).source_px
    np.testing.assert_array_equal(path.field(3, 12.5 / 30).source_px, last)  # until the first frame of the next shot
    for source, frame in ((4, 3), (3, 4), (0, 8)):
        with pytest.raises(ValueError, match="another shot"):
            path.field(source, path.timeline.time_at(frame))
