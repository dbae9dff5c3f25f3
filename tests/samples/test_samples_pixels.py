"""The pixels say what the truth says, by formulas and estimators that the generator does not use."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from samples import CLIPS, MOTIONS, CameraMotion, ClipSpec, Lens, MovingCard, Ois, Shutter, generate, truth

Float = NDArray[np.float64]


def gray_frames(spec: ClipSpec) -> list[Float]:
    return [picture.astype(float).mean(axis=2) for _, picture in generate(spec)]


def moved(H: Float, xy: Float) -> Float:
    out = np.c_[xy, np.ones(len(xy))] @ H.T
    return np.asarray(out[:, :2] / out[:, 2:])


@pytest.mark.parametrize("world", ["far", "wall"])
def test_homography_is_the_textbook_one(small: ClipSpec, world: str) -> None:
    motion = MOTIONS["walk" if world == "wall" else "strong"]
    spec = replace(small, world=world, motion=motion, distance_m=9.0, duration_s=0.5)
    true, K = truth(spec), np.array([[260, 0, 159.5], [0, 260, 90], [0, 0, 1.0]])
    for i, H in enumerate(true.H_next_prev):
        R_next_prev = true.R_world_cam[i + 1].T @ true.R_world_cam[i]
        t = true.R_world_cam[i + 1].T @ (true.position_m[i] - true.position_m[i + 1])
        n, d = true.R_world_cam[i].T @ [0, 0, 1], 9.0 - true.position_m[i, 2]
        expected = K @ (R_next_prev + (np.outer(t, n) / d if world == "wall" else 0)) @ np.linalg.inv(K)
        np.testing.assert_allclose(H, expected / expected[2, 2], atol=1e-9)


@pytest.mark.parametrize("world, motion", [("far", "turning"), ("wall", "walk")])
def test_next_frame_is_the_previous_one_moved_by_the_homography(small: ClipSpec, world: str, motion: str) -> None:
    spec = replace(small, world=world, motion=MOTIONS[motion], duration_s=0.1)
    pictures, true = gray_frames(spec), truth(spec)
    y, x = np.mgrid[30:150, 40:280].reshape(2, -1).astype(float)
    for previous, following, H in zip(pictures[:-1], pictures[1:], true.H_next_prev, strict=True):
        there = moved(H, np.stack([x, y], axis=1))
        found = map_coordinates(following, there.T[::-1], order=3)
        residual = found - map_coordinates(previous, [y, x], order=3)
        assert np.sqrt(np.mean(residual**2)) < 2.5
        assert np.sqrt(np.mean((found - map_coordinates(previous, [y, x + 1], order=3)) ** 2)) > 5


def test_tracked_corners_land_within_a_twentieth_of_a_pixel(small: ClipSpec) -> None:
    pictures, true = [p.astype(np.uint8) for p in gray_frames(small)], truth(small)
    errors = []
    for previous, following, H in zip(pictures[:-1], pictures[1:], true.H_next_prev, strict=True):
        corners = cv2.goodFeaturesToTrack(previous, 200, 0.02, 7)
        tracked, found, _ = cv2.calcOpticalFlowPyrLK(
            previous, following, corners, np.empty_like(corners), winSize=(15, 15)
        )
        good = found[:, 0] == 1
        errors.append(tracked[good, 0] - moved(H, corners[good, 0].astype(float)))
    error = np.concatenate(errors)
    assert np.median(np.hypot(*error.T)) < 0.05
    assert np.abs(np.median(error, axis=0)).max() < 0.02


@pytest.mark.parametrize("readout_s", [0.02, -0.02])
@pytest.mark.parametrize("lines", ["rows", "columns"])
def test_each_line_is_that_of_a_snapshot_at_its_time(small: ClipSpec, readout_s: float, lines: str) -> None:
    shaken = replace(small, width=181, height=181, motion=MOTIONS["sinus"])
    rolling = gray_frames(replace(shaken, fps=25, duration_s=0.08, shutter=Shutter(readout_s, lines)))[1]
    snapshots = gray_frames(replace(shaken, fps=1000, duration_s=0.06))
    for ms in (-9, -4, 0, 5, 8):
        line = 90 + round(ms * 9 * np.sign(readout_s))  # 180 lines in 20 ms: nine a millisecond
        picture, snapshot = (p if lines == "rows" else p.T for p in (rolling, snapshots[40 + ms]))
        assert np.abs(picture[line] - snapshot[line]).max() < 1.5
    assert np.abs(rolling[9] - snapshots[40][9]).max() > 3 or lines == "columns"


def test_projection_inverts_the_rays_of_every_lens_and_shutter(small: ClipSpec) -> None:
    for lens in (Lens(260), Lens(240, (-0.1, 0.01)), Lens(170, (0.05, -0.01), "fisheye")):
        true = truth(replace(small, lens=lens, shutter=Shutter(0.03), motion=MOTIONS["sinus"], ois=Ois()))
        xy = np.random.default_rng(0).uniform((0, 0), (319, 180), (200, 2))
        np.testing.assert_allclose(true.project(true.directions_world(xy, 3) * 1e6, 3), xy, atol=2e-3)


def test_projection_is_opencvs(small: ClipSpec) -> None:
    points = np.random.default_rng(1).uniform((-2, -1, 4), (2, 1, 9), (50, 3))
    still = replace(small, motion=CameraMotion(sinus_deg=(3, 5, 8), sinus_hz=1.3))
    for lens in (Lens(240, (-0.1, 0.01)), Lens(170, (0.05, -0.01), "fisheye")):
        true = truth(replace(still, lens=lens))
        rvec = true.rotation_world_cam(true.time_s)[4].inv().as_rotvec()
        k = np.zeros(4)
        k[:2] = lens.k
        if lens.model == "fisheye":
            expected, _ = cv2.fisheye.projectPoints(points[:, None], rvec, np.zeros(3), true.K[4], k)
        else:
            expected, _ = cv2.projectPoints(points, rvec, np.zeros(3), true.K[4], k)
        np.testing.assert_allclose(true.project(points, 4), expected[:, 0], atol=1e-6)


def test_an_object_appears_where_its_corners_project(small: ClipSpec) -> None:
    card = MovingCard("box", (0.3, -0.1, 4.0), (1.6, 1.0), velocity_m_s=(1.5, 0, 0))
    spec = replace(small, motion=MOTIONS["tripod"])
    empty, covered = gray_frames(spec)[5], gray_frames(replace(spec, objects=(card,)))[5]
    rows, columns = np.nonzero(np.abs(covered - empty) > 4)
    centre = np.array([0.3 + 1.5 * 5 / 30, -0.1, 4.0])
    left, top = truth(spec).project((centre - np.array([0.8, 0.5, 0]))[None], 5)[0]
    right, bottom = truth(spec).project((centre + np.array([0.8, 0.5, 0]))[None], 5)[0]
    found = [columns.min(), columns.max(), rows.min(), rows.max()]
    np.testing.assert_allclose(found, [left, right, top, bottom], atol=2.0)


def test_lens_shift_moves_the_picture(small: ClipSpec) -> None:
    spec = replace(small, motion=MOTIONS["tripod"], ois=Ois(wander_px=3.0))
    pictures, shift = gray_frames(spec), truth(spec).lens_shift_px(truth(spec).time_s)
    window = cv2.createHanningWindow((320, 181), cv2.CV_64F)
    found, _ = cv2.phaseCorrelate(pictures[0], pictures[5], window)
    np.testing.assert_allclose(found, shift[5] - shift[0], atol=0.05)
    assert np.hypot(*(shift[5] - shift[0])) > 0.5


def test_ois_works_against_the_tremor(small: ClipSpec) -> None:
    spec = replace(small, duration_s=2, motion=CameraMotion(tremor_deg=0.5))
    far = np.array([[0.0, 0.0, 1e6]])
    path = [
        np.array([truth(s).project(far, i)[0] for i in range(60)]) for s in (spec, replace(spec, ois=Ois(1.0, 0.0)))
    ]
    assert path[1].std(axis=0).max() < 0.05 * path[0].std(axis=0).min()


def test_same_seed_same_pixels_other_seed_other_world(small: ClipSpec) -> None:
    noisy = replace(small, noise=3.0, duration_s=0.07)
    first, again, other = (gray_frames(s)[1] for s in (noisy, noisy, replace(noisy, seed=4)))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 10


@pytest.mark.parametrize("name", CLIPS)
def test_every_named_clip_renders(name: str) -> None:
    spec = CLIPS[name]
    lens = replace(spec.lens, f_px=spec.lens.f_px / 4)
    # one seed for all: textures are drawn once
    tiny = replace(spec, width=160, height=90, lens=lens, seed=0, duration_s=2.5 / spec.fps, cuts=(), gain_keys=())
    pictures = list(generate(tiny))
    true = truth(tiny)
    assert [t for t, _ in pictures] == true.time_s.tolist() and len(pictures) == 2
    for _, picture in pictures:
        assert picture.shape == (90, 160, 3) and picture.dtype == np.uint8 and picture.std() > 1
    np.testing.assert_allclose(np.linalg.det(true.R_world_cam), 1)


def test_cuts_and_exposure_changes_are_at_the_specified_times(small: ClipSpec) -> None:
    keys = ((0.0, 1.0), (0.1, 0.5))
    spec = replace(small, motion=MOTIONS["tripod"], cuts=((0.15, "plain"),), gain_keys=keys)
    pictures, true = gray_frames(spec), truth(spec)
    assert np.flatnonzero(true.cut).tolist() == [4]  # frames 4 and 5 lie on either side of 0.15 s
    assert abs(pictures[3].mean() / pictures[0].mean() - 0.5) < 0.01
    assert np.abs(pictures[5] - pictures[4]).mean() > 10 > np.abs(pictures[4] - pictures[3]).mean()
