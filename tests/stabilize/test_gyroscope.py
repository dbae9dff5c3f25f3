"""What a gyroscope's rotation makes of points, against the truth of cameras that were never drawn."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import samples
from gyro.errors import GyroError, LensError
from gyro.estimate import LensShift, OrientationTrack
from gyro.lens import Lens
from stabilize import analyse, rotation_of, stabilize_video
from stabilize.config import Config
from stabilize.core import FrameGeometry, Motion, MotionModel, PairStatus, Timeline
from stabilize.fields.grid import node_positions, sample
from stabilize.gyroscope.fields import rotation_fields
from stabilize.gyroscope.match import SyncedGyro
from stabilize.settings import GyroConfig

CLIP = Path(__file__).parents[2] / "samples" / "clips" / "handheld.mp4"
FRAMES, FINE_HZ = 12, 1000
ROWS, COLS = 10, 17
JELLO = samples.MOTIONS["jello"]
CAMERAS = {
    "global": samples.ClipSpec("c", motion=samples.MOTIONS["strong"]),
    "down": samples.ClipSpec("c", motion=JELLO, shutter=samples.Shutter(0.033)),
    "up": samples.ClipSpec("c", motion=JELLO, shutter=samples.Shutter(-0.033)),
    "columns": samples.ClipSpec("c", motion=JELLO, shutter=samples.Shutter(0.02, "columns")),
    "barrel": samples.ClipSpec("c", motion=JELLO, shutter=samples.Shutter(0.02), lens=samples.Lens(480, (-0.12,))),
    "fisheye": samples.ClipSpec("c", motion=JELLO, lens=samples.Lens(330, (0.05, -0.01), "fisheye")),
    "ois": samples.ClipSpec("c", motion=JELLO, shutter=samples.Shutter(0.02), ois=samples.Ois(wander_px=4.0)),
}


def motion_of(spec: samples.ClipSpec) -> Motion:
    """Only the times and the size matter here."""
    pts = np.round(samples.truth(spec).time_s[:FRAMES] * 90000).astype(np.int64)
    pairs = len(pts) - 1
    H, mesh = np.repeat(np.eye(3)[None], pairs, axis=0), np.zeros((pairs, ROWS, COLS, 2), np.float16)
    status, model = np.full(pairs, PairStatus.OK, np.uint8), np.full(pairs, MotionModel.HOMOGRAPHY, np.uint8)
    geometry, one = FrameGeometry(spec.width, spec.height), np.ones(pairs, np.float32)
    return Motion(Timeline(pts, Fraction(1, 90000)), geometry, H, mesh, status, model, one, 0 * one)


def known_gyro(spec: samples.ClipSpec) -> SyncedGyro:
    """A gyroscope without error."""
    true, t = samples.truth(spec), np.arange(-0.2, 1.0, 1 / FINE_HZ)
    track = OrientationTrack(
        t, true.rotation_world_cam(t), true.track.rate_cam_rad_s(t), np.zeros((0, 2)), np.zeros(3), gravity=False
    )
    K = np.array([[spec.lens.f_px, 0, (spec.width - 1) / 2], [0, spec.lens.f_px, (spec.height - 1) / 2], [0, 0, 1]])
    k = (*spec.lens.k, *[0.0] * (4 - len(spec.lens.k)))
    model = {"pinhole": "polynomial", "fisheye": "opencv_fisheye"}[spec.lens.model]
    sync: Any = SimpleNamespace(readout_s=spec.shutter.readout_s, readout_axis=spec.shutter.lines)
    shift = LensShift(t, true.lens_shift_px(t), True, 1.0, 1.0, 0.0) if spec.ois else None
    return SyncedGyro(track, sync, Lens(spec.width, spec.height, K, model, k), shift)


@pytest.mark.parametrize("name", CAMERAS)
def test_fields_map_points_at_infinity_like_the_true_camera(name: str) -> None:
    """From an ideal point to the real picture, into the world, and back by the next frame."""
    spec, true = CAMERAS[name], samples.truth(CAMERAS[name])
    motion = motion_of(spec)
    fields, geometry = rotation_fields(motion, known_gyro(spec)), motion.geometry
    nodes = node_positions(ROWS, COLS, geometry.half_extent).reshape(-1, 2)
    inner = np.all(np.abs(nodes) < np.array(geometry.half_extent) * 0.8, axis=1)
    errors, moved = [], []
    for i in range(FRAMES - 1):
        real = nodes + fields.shutter[i].reshape(-1, 2)
        looks = true.directions_world(geometry.to_px(real), i)
        expected = true.project(true.position_m[i] + 1e7 * looks, i + 1)
        ideal = nodes + fields.displacement[i].reshape(-1, 2)
        found = ideal + sample(fields.shutter[i + 1][None], ideal[None], geometry.half_extent)[0]
        errors.append((geometry.to_px(found) - expected)[inner])
        moved.append((expected - geometry.to_px(nodes))[inner])
    assert fields.known.all()
    assert np.sqrt(np.mean(np.square(moved))) > 2  # px: there was something to be explained
    assert np.sqrt(np.mean(np.square(errors))) < (0.1 if spec.ois else 0.05)


def test_rows_are_straight_under_strong_shake() -> None:
    """33 ms of readout at 5 Hz: where an ideal frame's points look is what a pinhole without shutter would see."""
    spec = replace(CAMERAS["down"], lens=samples.Lens(520))
    true, motion = samples.truth(spec), motion_of(spec)
    fields, geometry = rotation_fields(motion, known_gyro(spec)), motion.geometry
    nodes = node_positions(ROWS, COLS, geometry.half_extent).reshape(-1, 2)
    still = replace(spec, shutter=samples.Shutter())
    bent: list[np.ndarray] = []
    straight: list[np.ndarray] = []
    for i in range(FRAMES):
        for source, out in ((nodes, bent), (nodes + fields.shutter[i].reshape(-1, 2), straight)):
            looks = true.directions_world(geometry.to_px(source), i)
            seen = samples.truth(still).project(true.position_m[i] + 1e7 * looks, i)
            out.append(seen - geometry.to_px(nodes))
    assert np.sqrt(np.mean(np.square(bent))) > 4
    assert np.sqrt(np.mean(np.square(straight))) < 0.1


def test_a_gap_in_the_log_is_not_known() -> None:
    spec = CAMERAS["down"]
    gyro = known_gyro(spec)
    gap = replace(gyro, track=replace(gyro.track, gaps_s=np.array([[0.1, 0.2]])))
    t = motion_of(spec).timeline.time_s
    expected = [not any(0.1 < s < 0.2 for s in pair) for pair in pairwise(t)]
    assert rotation_fields(motion_of(spec), gap).known.tolist() == expected


def test_a_log_of_another_clip_is_refused(tmp_path: Path) -> None:
    """Whichever way it disagrees, a note gives the reason and the log is not used."""
    motion = analyse(CLIP)
    other = replace(samples.CLIPS["handheld"], seed=99)
    samples.write_log(samples.sample_log(other), tmp_path / "other.csv")
    fields, notes = rotation_of(CLIP, motion, tmp_path / "other.csv")
    assert fields is None
    assert "falling back to visual motion" in notes[0]
    (tmp_path / "none.csv").write_text("nothing\n")
    with pytest.raises(GyroError):
        rotation_of(CLIP, motion, tmp_path / "none.csv")


def test_a_file_with_only_the_name_of_a_log_causes_a_note(tmp_path: Path) -> None:
    """Boxes that a tracker wrote beside the clip: alone they are a note, and the log behind them is used."""
    clip, motion = tmp_path / "clip.mp4", motion_of(CAMERAS["global"])
    shutil.copy(CLIP, clip)
    (tmp_path / "clip.csv").write_text("frame,x,y,w,h\n" + "".join(f"{i},{i % 7},3,40,50\n" for i in range(60)))
    message = "clip.csv, which was found for this video, was not used: "
    fields, notes = rotation_of(clip, motion)
    assert fields is None
    assert len(notes) == 1 and notes[0].startswith(message)
    with pytest.raises(GyroError):  # it is an error only where it is named
        rotation_of(clip, motion, tmp_path / "clip.csv")
    shutil.copy(CLIP.with_suffix(".csv"), tmp_path / "clip_gyro.csv")
    fields, notes = rotation_of(clip, analyse(clip))
    assert fields is not None and fields.known.any()
    assert len(notes) == 1 and notes[0].startswith(message)


def test_given_files_are_read_before_any_work_and_unused_logs_are_noted(tmp_path: Path) -> None:
    motion, log = motion_of(CAMERAS["global"]), CLIP.with_suffix(".csv")
    off = Config(gyro=GyroConfig(use="off"))
    assert rotation_of(CLIP, motion, log, off) == (None, (f"the gyroscope log {log} was not used: gyro.use is off",))
    assert rotation_of(CLIP, motion, config=off) == (None, ())
    (tmp_path / "lens.json").write_text("{}")
    stages: list[str] = []
    with pytest.raises(LensError):
        stabilize_video(
            CLIP,
            tmp_path / "out.mp4",
            Config(gyro=GyroConfig(lens=str(tmp_path / "lens.json"))),
            lambda stage, *_: stages.append(stage),
        )
    assert not stages and not (tmp_path / "out.mp4").exists()


def test_the_lens_log_of_a_recording_is_used(tmp_path: Path) -> None:
    """The three files of a DVS recording, the lens shift with them: as far from the truth as the clock allows."""
    from gyro.readers import read_log

    spec = replace(samples.CLIPS["ois"], duration_s=1.0)
    log = read_log(samples.write_dvs(spec, tmp_path / "v"))
    assert log.ois is not None and log.readout_s == pytest.approx(spec.shutter.readout_s)
    t = log.ois.time_s - samples.gyrolog.DVS_START_S + log.origin_s
    px = log.ois.shift * np.array([640 / 4032, 360 / 2272])
    np.testing.assert_allclose(px, samples.truth(spec).lens_shift_px(t), atol=2e-3)
    rate = log.gyro_rad_s @ np.asarray(log.R_cam_gyro).T
    expected = samples.sample_log(spec)
    np.testing.assert_allclose(rate, expected.gyro_rad_s, atol=1e-6)  # PHONE's axes are the camera's


def test_progress_of_synchronisation() -> None:
    seen: list[tuple[str, int, int]] = []
    motion = analyse(CLIP)
    fields, _ = rotation_of(CLIP, motion, config=Config(), progress=lambda *step: seen.append(step))
    assert fields is not None
    assert seen[-1] == ("gyro", len(motion.timeline), len(motion.timeline))
