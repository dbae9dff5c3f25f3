"""From the matches of a motion to what synchronisation is given; which parts of a video they are kept of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import samples
from gyro.estimate import Tracks, synchronize
from gyro.readers import read_log
from stabilize import analyse
from stabilize.config import Config
from stabilize.core import FrameGeometry, Motion
from stabilize.gyroscope.match import covers_video, motion_tracks
from stabilize.gyroscope.stretches import compared_stretches
from stabilize.matches import Matches, no_matches
from stabilize.pipeline import measure, rotation_of
from stabilize.settings import MotionConfig
from stabilize.video.probe import probe

CLIPS = Path(__file__).parents[2] / "samples" / "clips"


@pytest.fixture(scope="module")
def motion() -> Motion:
    return analyse(CLIPS / "walk.mp4")


def test_matches_are_where_the_camera_saw_the_points_again(motion: Motion) -> None:
    """Against the clip's truth, by points at the depth that explains each match best: what is off the epipolar line
    cannot be explained by any depth."""
    spec = samples.CLIPS["walk"]
    true, tracks = samples.truth(spec), motion_tracks(motion)
    assert (tracks.width, tracks.height) == (spec.width, spec.height)
    i = 40
    here = tracks.pair == i
    assert here.sum() > 150
    looks = true.directions_world(tracks.prev_px[here], i)
    near, far = (true.project(true.position_m[i] + depth * looks, i + 1) for depth in (1.5, 1e5))
    along = (near - far) / np.linalg.norm(near - far, axis=1, keepdims=True)
    off = tracks.next_px[here] - far
    across = off[:, 0] * along[:, 1] - off[:, 1] * along[:, 0]
    assert np.median(np.abs(across)) < 0.1


@pytest.mark.parametrize("aspect", [1.0, 4 / 3, 0.7])
def test_tracks_are_in_full_square_pixels(motion: Motion, aspect: float) -> None:
    """The corners of the picture are the corners of the tracks, whatever the shape of a pixel."""
    geometry = FrameGeometry(1440, 1080, aspect)
    width = round(1440 * aspect)
    corner = np.array([geometry.half_extent], np.float32)
    matches = Matches(np.zeros(1, np.int64), -corner, corner, np.ones(1, np.float32))
    tracks = motion_tracks(replace(motion, geometry=geometry, matches=matches))
    assert (tracks.width, tracks.height) == (width, 1080)
    np.testing.assert_allclose(tracks.prev_px, [[-0.5, -0.5]], atol=1e-3)
    np.testing.assert_allclose(tracks.next_px, [[width - 0.5, 1079.5]], atol=1e-3)


def test_matches_of_low_weight_are_left_out(motion: Motion) -> None:
    weight = motion.matches.weight.copy()
    weight[::2] = 0.3
    tracks = motion_tracks(replace(motion, matches=replace(motion.matches, weight=weight)))
    assert len(tracks.pair) == len(weight) // 2


def test_nothing_is_decoded_to_match_a_log(motion: Motion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stabilize.video.reader.FrameReader._read", lambda *_: pytest.fail("decoded"))
    fields, notes = rotation_of(CLIPS / "walk.mp4", motion)
    assert fields is not None and notes == ()


def test_a_motion_without_matches_says_why_its_log_is_not_used(motion: Motion) -> None:
    fields, notes = rotation_of(CLIPS / "walk.mp4", replace(motion, matches=no_matches()))
    assert fields is None and "matches" in notes[0]


def test_without_a_log_no_matches_are_kept() -> None:
    info = probe(CLIPS / "handheld.mp4")
    without, _ = measure(info, Config(motion=MotionConfig(mesh=False, long_side=160)), matches=False)
    assert not len(without.matches)


def test_clock_shutter_and_lens_are_those_of_the_clip(motion: Motion) -> None:
    """Of the committed clip, whose log starts late; within what the errors say and a tight bound."""
    spec = samples.CLIPS["walk"]
    assert spec.gyro is not None
    found = synchronize(motion_tracks(motion), read_log(CLIPS / "walk.csv"))
    assert found.accepted
    assert abs(found.offset_s - spec.gyro.offset_s) < min(3 * found.std["offset_s"], 1e-3)
    assert abs(found.readout_s - spec.shutter.readout_s) < min(3 * found.std["readout_s"], 1.5e-3)
    assert abs(found.focal_px / spec.lens.f_px - 1) < 0.015


@pytest.mark.parametrize("duration_s", [1.0, 90.0, 199.0])
def test_all_of_a_short_video_is_compared(duration_s: float) -> None:
    keep = compared_stretches(duration_s)
    assert all(keep(t) for t in np.linspace(0, duration_s, 50))


def test_the_middle_and_ends_of_a_long_video_are_compared() -> None:
    keep, t = compared_stretches(3600.0), np.arange(0, 3600.0, 0.5)
    kept = np.array([keep(s) for s in t])
    assert kept.sum() / 2 == pytest.approx(160, abs=1)
    assert kept[0] and kept[-1] and kept[len(t) // 2] and not kept[len(t) // 4]
    assert not keep(3700.0)  # a file that is longer than it says


def test_the_beginning_of_a_video_of_unknown_duration_is_compared() -> None:
    keep = compared_stretches(0.0)
    assert keep(0.0) and keep(199.0) and not keep(1000.0)


def test_gaps_between_stretches_are_detected(motion: Motion) -> None:
    tracks = motion_tracks(motion)
    assert covers_video(tracks)
    slow = Tracks(tracks.time_s * 30, tracks.width, tracks.height, tracks.pair, tracks.prev_px, tracks.next_px)
    keep = (slow.time_s[slow.pair] < 60) | (slow.time_s[slow.pair] > 90)
    holed = replace(slow, pair=slow.pair[keep], prev_px=slow.prev_px[keep], next_px=slow.next_px[keep])
    assert not covers_video(holed)
