"""Calibration of OpenCV's sample images, and of rendered views through a known lens."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gyro.errors import InputError, LensError, UsageError
from gyro.lens import calibrate, unproject

PICTURES = Path(__file__).parents[4] / "shared" / "data" / "calibration"
TRUE_K = np.array([[520.0, 0, 330], [0, 525.0, 236], [0, 0, 1]])
SIZE = (640, 480)
FINE = 3  # rays a pixel, each way
BARREL = (-0.25, 0.08, 0.001, -0.0005)


@pytest.fixture
def pictures() -> Path:
    if not PICTURES.exists():
        pytest.skip(f"{PICTURES} is absent")
    return PICTURES


@cache
def rays_of(model: str, coefficients: tuple[float, ...]) -> np.ndarray:
    """Return a ray for each point of a grid finer than the pixels, by OpenCV and not by the code under test."""
    fine = (np.arange(SIZE[0] * FINE) + 0.5) / FINE - 0.5, (np.arange(SIZE[1] * FINE) + 0.5) / FINE - 0.5
    pixels = np.stack(np.meshgrid(*fine), axis=-1).reshape(-1, 1, 2)
    undistort = cv2.fisheye.undistortPoints if model == "opencv_fisheye" else cv2.undistortPoints
    xy = undistort(pixels, TRUE_K, np.array(coefficients)).reshape(SIZE[1] * FINE, SIZE[0] * FINE, 2)
    return np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1)


def draw(model: str, coefficients: tuple[float, ...], pose: tuple[tuple[int, ...], tuple[float, ...]]) -> np.ndarray:
    """Render a 10 x 7 board: each ray is intersected with the plane of the board."""
    rays, origin = rays_of(model, coefficients), np.array(pose[1])
    R = Rotation.from_euler("xyz", pose[0], degrees=True).as_matrix()
    depth = (origin @ R[:, 2]) / (rays @ R[:, 2])
    board = (rays * depth[..., None] - origin) @ R[:, :2] + (4.0, 2.5)  # squares; inner corners at whole numbers
    cell = np.floor(board).astype(int)
    inside = (board[..., 0] > -1) & (board[..., 0] < 9) & (board[..., 1] > -1) & (board[..., 1] < 6)
    ink = np.where(inside & ((cell[..., 0] + cell[..., 1]) % 2 == 0), 20.0, 235.0)
    return np.asarray(ink.reshape(SIZE[1], FINE, SIZE[0], FINE).mean(axis=(1, 3)), dtype=np.uint8)


POSES = [
    ((0, 0, 0), (0, 0, 12)),
    ((35, 0, 5), (1.5, 0, 13)),
    ((-35, 5, 0), (-2, 1, 13)),
    ((5, 38, 0), (0, -1.5, 13)),
    ((0, -38, 8), (2, 1, 12)),
    ((25, 25, -10), (-2.5, -1.5, 14)),
    ((-25, 28, 10), (3, 1.5, 14)),
    ((20, -30, 0), (-3, 2, 15)),
]


@pytest.mark.parametrize("model, coefficients", [("polynomial", BARREL), ("opencv_fisheye", (0.04, 0.02, -0.01, 0.0))])
def test_a_known_lens_is_found_within_its_errors(tmp_path, model, coefficients):
    for i, pose in enumerate(POSES):
        cv2.imwrite(str(tmp_path / f"{i}.png"), draw(model, coefficients, pose))
    found = calibrate(tmp_path, (9, 6), model)
    assert found.views_used == found.views_total == len(POSES)
    assert found.rms_px < 0.1
    for (row, column), name in {(0, 0): "fx", (1, 1): "fy", (0, 2): "cx", (1, 2): "cy"}.items():
        assert abs(found.lens.K[row, column] - TRUE_K[row, column]) < 4 * found.standard_errors[name], name
        assert 0 < found.standard_errors[name] < 2


def test_opencvs_chessboard_images(pictures):
    """OpenCV's tutorial finds a focal length of 532 to 536 in these thirteen images."""
    found = calibrate(pictures)
    assert found.views_used == 13
    assert found.rms_px < 0.25
    assert found.lens.K[0, 0] == pytest.approx(534, abs=3) and found.lens.K[1, 1] == pytest.approx(534, abs=3)
    assert found.standard_errors["fx"] < 1


def test_both_models_agree_on_rays(pictures):
    """Both models of one lens give equal rays where boards were, up to a rotation that their poses absorb."""
    one, two = (calibrate(pictures, model=m).lens for m in ("polynomial", "opencv_fisheye"))
    pixels = np.stack(np.meshgrid(np.linspace(155, 485, 7), np.linspace(80, 400, 7)), axis=-1).reshape(-1, 2)
    ours, theirs = unproject(one, pixels), unproject(two, pixels)
    turn = Rotation.align_vectors(ours, theirs)[0]
    assert turn.magnitude() < 5e-3
    assert np.max(np.linalg.norm(ours - turn.apply(theirs), axis=-1)) < 8e-4  # 0.4 pixels


def test_a_video_of_a_board(tmp_path):
    import av

    with av.open(str(tmp_path / "board.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *SIZE, "yuv420p", 8_000_000
        for pose in POSES[:5]:
            picture = cv2.cvtColor(draw("polynomial", BARREL, pose), cv2.COLOR_GRAY2RGB).astype(np.uint8)
            for _ in range(2):  # a board that rests counts once
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture)):
                    out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    found = calibrate(tmp_path / "board.mp4")
    assert (found.views_used, found.views_total) == (5, 10)
    assert found.lens.K[0, 0] == pytest.approx(520, rel=0.02)


def test_views_that_are_too_similar_are_reported(tmp_path):
    """Eight images of a board in two poses: all show corners, two differ."""
    for i in range(8):
        cv2.imwrite(str(tmp_path / f"{i}.png"), draw("polynomial", BARREL, POSES[i // 7]))
    with pytest.raises(
        LensError, match="8 of 8 images show 9 x 6 inner corners; 4 are needed, and 6 of these were skipped"
    ):
        calibrate(tmp_path)


def test_the_message_says_why_a_calibration_fails(tmp_path, pictures):
    with pytest.raises(LensError, match=r"0 of 13 images show 8 x 5"):
        calibrate(pictures, (8, 5))
    with pytest.raises(UsageError, match="no calibration for model 'pinhole'"):
        calibrate(pictures, model="pinhole")
    with pytest.raises(UsageError, match="give 3 to 100"):
        calibrate(pictures, (2, 6))
    with pytest.raises(InputError, match="no such file"):
        calibrate([tmp_path / "absent.png"])
    (tmp_path / "fake.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    with pytest.raises(InputError, match=r"fake\.png"):
        calibrate([tmp_path / "fake.png"])
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((48, 64), np.uint8))
    with pytest.raises(LensError, match="640 x 480 and 64 x 48"):
        calibrate([pictures / "left01.jpg", tmp_path / "small.png"])
