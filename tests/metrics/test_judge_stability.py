"""Stability and shake against clips whose motion is known in px, degrees and Hz."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metrics.judging import judge
from metrics.model import Judgement
from metrics.robust.motion import between, detect
from tests.metrics import judge_scenes as scenes
from tests.metrics.judge_scenes import SHAKE_HZ, SIZE, figure, similarity, view, write

PX = 1920 / SIZE[0]


def shaken_frames(amplitude_px: float, fps: int, seconds: float, scale: float = 1.0) -> list[scenes.Frame]:
    at = scenes.shake(amplitude_px)
    return [view(similarity(*at(i / fps)), scale=scale) for i in range(round(seconds * fps))]


def moving(path: Path, camera: Callable[[float], scenes.Map], seconds: float = 5.0, fps: int = 30) -> Judgement:
    return judge(write(path, (view(camera(i / fps)) for i in range(round(seconds * fps))), fps=fps))


@pytest.fixture(scope="module")
def whole(shaken: Path) -> Judgement:
    return judge(shaken)


def test_vibration_is_the_known_rms(whole: Judgement) -> None:
    rms_px = 2.0 * np.sqrt(len(SHAKE_HZ) / 2) * np.sqrt(2)  # both axes
    assert whole["vibration"].value == pytest.approx(rms_px * PX, rel=0.03)
    walk = 2.0 * np.sqrt(3 / 2) * np.sqrt(2)  # three of the five sines lie below 4 Hz
    assert whole["vibration_walk"].value == pytest.approx(walk * PX, rel=0.05)
    assert whole["vibration"].failures == 0


def test_shake_is_the_known_rms_about_a_gaussian_of_half_a_second(whole: Judgement) -> None:
    rms_px = 2.0 * np.sqrt(len(SHAKE_HZ) / 2) * np.sqrt(2)  # of which such a Gaussian keeps nothing
    # At the ends, mirrored through a last point that is off the middle, the smooth path is a little off too.
    assert whole["shake"].value == pytest.approx(100 * rms_px / SIZE[0], rel=0.05)
    assert whole["shake"].failures == 0


def test_acceleration_is_the_known_rms(whole: Judgement) -> None:
    squares = sum((2 * np.pi * f) ** 4 / 2 for f in SHAKE_HZ)
    assert whole["acceleration"].value == pytest.approx(2.0 * np.sqrt(2 * squares) * PX, rel=0.08)


def test_roll_is_the_known_rms(clips: Path) -> None:
    found = moving(clips / "roll.mkv", lambda t: similarity(roll_deg=0.5 * np.sin(2 * np.pi * 2 * t)))
    assert found["roll"].value == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


STEEP_PX = 0.4  # a shake near the middle of the scale, where stability answers most to an error


@pytest.fixture(scope="module")
def steep(clips: Path) -> Judgement:
    found = judge(write(clips / "steep.mkv", shaken_frames(STEEP_PX, 30, 8)))
    assert 0.5 < (found["stability"].value or 0) < 0.75
    return found


@pytest.mark.parametrize("change", ["crf18", "half", "first_half", "60fps"])
def test_stability_does_not_depend_on(change: str, steep: Judgement, clips: Path) -> None:
    path = clips / f"{change}.mkv"
    if change == "crf18":
        frames = shaken_frames(STEEP_PX, 30, 8)
        write(path, frames, codec="libx264", options={"crf": "18", "preset": "veryfast"})
    elif change == "half":
        write(path, shaken_frames(STEEP_PX, 30, 8, scale=0.5))
    elif change == "first_half":
        write(path, shaken_frames(STEEP_PX, 30, 4))
    else:
        write(path, shaken_frames(STEEP_PX, 60, 8), fps=60)
    found = judge(path)
    assert found["stability"].value == pytest.approx(steep["stability"].value, abs=0.01)


def test_a_static_clip_scores_one(clips: Path) -> None:
    still = moving(clips / "still.mkv", lambda t: similarity())
    assert still["stability"].value == 1.0
    for name in ("shake", "roll", "breathing", "zoom_speed", "vibration"):
        assert still[name].value == 0.0


def test_a_static_clip_with_noise_scores_almost_one(clips: Path) -> None:
    rng = np.random.default_rng(0)
    frame = view(similarity()).astype(float)
    noisy = (np.clip(frame + rng.normal(0, 4, frame.shape), 0, 255).astype(np.uint8) for _ in range(130))
    assert figure(judge(write(clips / "noisy.mkv", noisy)), "stability") > 0.995


def test_a_pan_is_not_shake_and_hides_none(clips: Path) -> None:
    def jitter(t: float) -> float:
        return float(0.4 * np.sin(2 * np.pi * 4.5 * t))

    pan = moving(clips / "pan.mkv", lambda t: similarity(40 * t, 10 * t))
    eased = moving(clips / "eased.mkv", lambda t: similarity(60 * (1 - np.cos(np.pi * np.clip(t - 1, 0, 3) / 3))))
    jittery = moving(clips / "jitter.mkv", lambda t: similarity(jitter(t)))
    both = moving(clips / "both.mkv", lambda t: similarity(jitter(t) + 40 * t, 10 * t))
    assert figure(pan, "stability") > 0.99
    assert figure(eased, "stability") > 0.95  # a swing over a third of the picture within 3 s
    assert figure(pan, "shake") < 0.01
    assert both["stability"].value == pytest.approx(jittery["stability"].value, abs=0.01)


def test_a_cut_is_not_shake(clips: Path) -> None:
    frames = [view(similarity(900 * (i >= 75), 500 * (i >= 75))) for i in range(150)]
    found = judge(write(clips / "cut.mkv", frames))
    assert figure(found, "stability") > 0.98
    assert found["stability"].failures <= 1


def test_a_video_that_cannot_be_tracked_has_no_score_but_a_reason(clips: Path) -> None:
    flat = judge(write(clips / "flat.mkv", (np.full((96, 160), 90, np.uint8) for _ in range(60))))
    assert flat["stability"].value is None
    assert "could be tracked" in flat["stability"].note
    assert flat["stability"].failures == flat["stability"].total == 59


@pytest.mark.parametrize("by_px", [(4.0, 2.0), (1.0, 0.7)])  # the slow one's homography takes in the still tracks
def test_an_object_that_fills_most_of_the_picture_does_not_move_a_camera_on_a_tripod(
    by_px: tuple[float, float],
) -> None:
    h, w = SIZE[1], SIZE[0]
    first, second = view(similarity()), view(similarity())
    first[: 2 * h // 3, : 4 * w // 5] = view(similarity(500, 300))[: 2 * h // 3, : 4 * w // 5]
    second[: 2 * h // 3, : 4 * w // 5] = view(similarity(500 + by_px[0], 300 + by_px[1]))[: 2 * h // 3, : 4 * w // 5]
    motion = between(first, second, detect(first))
    assert motion is not None
    assert np.abs(motion.H_next_prev - np.eye(3)).max() < 0.01


@pytest.mark.slow
def test_a_camera_on_a_tripod_stays_still_behind_a_moving_object(data: Path) -> None:
    found = judge(data / "clips" / "static_box.mp4")
    assert figure(found, "stability") > 0.9
    assert figure(found, "shake") < 0.1
