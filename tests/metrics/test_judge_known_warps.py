"""The table of known warps: `robust` is right on every row; the published programs are blind where it is said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from metrics.judging import judge
from tests.metrics import judge_scenes as scenes
from tests.metrics.judge_scenes import SIZE, about_centre, similarity, walk_cameras

W, H = SIZE


@dataclass(frozen=True)
class Row:
    """A map from output px to input px, and the truth about it worked out by hand."""

    name: str
    H_in_out: scenes.Map
    visible: float
    empty: float
    distortion: float
    crop: tuple[float, float, float, float]  # left, right, top, bottom; negative is an empty border


def _matrix(rows: list[list[float]]) -> scenes.Map:
    return about_centre(np.array(rows, float))


_ROLL = np.radians(5)
_ROLL_X = (H * np.sin(_ROLL) - W * (1 - np.cos(_ROLL))) / 2 / W  # how far the worst corner leaves the input sideways
_ROLL_Y = (W * np.sin(_ROLL) - H * (1 - np.cos(_ROLL))) / 2 / H
_SHEAR = (2.01 - np.sqrt(2.01**2 - 4)) / 2  # smaller eigenvalue of A^T A; the two multiply to 1

ROWS = [
    Row("identity", np.eye(3), 1, 0, 1, (0, 0, 0, 0)),
    Row("zoom 1.25", _matrix([[0.8, 0, 0], [0, 0.8, 0], [0, 0, 1]]), 0.64, 0, 1, (0.1, 0.1, 0.1, 0.1)),
    Row("shift 10 %", np.array([[1, 0, 0.1 * W], [0, 1, 0], [0, 0, 1]]), 0.9, 0.1, 1, (0.1, -0.1, 0, 0)),
    Row("roll 5 deg", similarity(roll_deg=5), np.nan, np.nan, 1, (-_ROLL_X, -_ROLL_X, -_ROLL_Y, -_ROLL_Y)),
    Row("stretch 1.1", _matrix([[1 / 1.1, 0, 0], [0, 1, 0], [0, 0, 1]]), 1 / 1.1, 0, 1 / 1.1, (1 / 22, 1 / 22, 0, 0)),
    Row("shear 0.1", _matrix([[1, 0.1, 0], [0, 1, 0], [0, 0, 1]]), 0.985, 0.015, _SHEAR, (-0.03, -0.03, 0, 0)),
    Row("shrink 0.9", _matrix([[1 / 0.9, 0, 0], [0, 1 / 0.9, 0], [0, 0, 1]]), 1, 0.19, 1, (-1 / 18,) * 4),
]


def warped(camera: scenes.Map, H_in_out: scenes.Map) -> scenes.Frame:
    """The output frame: the scene through the warp where the input frame has pixels, black elsewhere."""
    x, y = np.meshgrid(np.arange(W), np.arange(H))
    u, v, d = np.tensordot(H_in_out, np.stack([x, y, np.ones_like(x)]), axes=1)
    inside = (u / d >= -0.5) & (v / d >= -0.5) & (u / d <= W - 0.5) & (v / d <= H - 0.5)
    return np.where(inside, scenes.view(camera @ H_in_out), 0).astype(np.uint8)


def covered(H_in_out: scenes.Map) -> float:
    """Share of output pixels that show input, counted on a fine lattice."""
    x, y = np.meshgrid(np.arange(0, W, 0.25) - 0.375, np.arange(0, H, 0.25) - 0.375)
    u, v, d = np.tensordot(H_in_out, np.stack([x, y, np.ones_like(x)]), axes=1)
    inside = (u / d >= -0.5) & (v / d >= -0.5) & (u / d <= W - 0.5) & (v / d <= H - 0.5)
    return float(inside.mean())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_robust_is_right_on_known_warps(row: Row, walk_before: Path, clips: Path) -> None:
    out = clips / f"{row.name.split()[0]}.mkv"
    scenes.write(out, (warped(camera, row.H_in_out) for camera in walk_cameras()))
    found = judge(out, walk_before)
    empty = 1 - covered(row.H_in_out) if np.isnan(row.empty) else row.empty
    visible = covered(row.H_in_out) if np.isnan(row.visible) else row.visible  # a roll keeps areas
    assert found["visible"].value == pytest.approx(visible, abs=0.004)
    assert found["empty"].value == pytest.approx(empty, abs=0.004)
    assert found["distortion"].value == pytest.approx(row.distortion, abs=0.003)
    edges = [found[f"crop_{edge}"].value for edge in ("left", "right", "top", "bottom")]
    assert edges == pytest.approx(row.crop, abs=0.003)
    assert found["edge_hits"].value == (1.0 if min(row.crop) < -0.002 else 0.0)
    assert found["sharpness"].value == pytest.approx(1, abs=0.02)
    assert found["visible"].failures == 0


def test_black_areas_count_as_empty(walk_before: Path, clips: Path) -> None:
    """A method that pastes black where the input has a picture cannot hide it behind a good homography."""
    frames = [scenes.view(camera) for camera in walk_cameras()]
    for frame in frames:
        frame[:, : W // 5] = 0
    found = judge(scenes.write(clips / "pasted.mkv", frames), walk_before)
    assert found["empty"].value == pytest.approx(0.2, abs=0.02)
    assert found["visible"].value == pytest.approx(0.8, abs=0.02)


def test_blur_lowers_only_sharpness(walk_before: Path, clips: Path) -> None:
    blurred = [np.asarray(_box(scenes.view(camera))) for camera in walk_cameras()]
    found = judge(scenes.write(clips / "blurred.mkv", blurred), walk_before)
    assert scenes.figure(found, "sharpness") < 0.9
    assert found["visible"].value == pytest.approx(1, abs=0.002)


def _box(frame: scenes.Frame) -> scenes.Frame:
    padded = np.pad(frame.astype(float), 2, mode="edge")
    shifted = [padded[i : i + H, j : j + W] for i in range(5) for j in range(5)]
    return np.asarray(np.mean(shifted, axis=0).round(), np.uint8)


def test_videos_of_other_size_rate_and_length_are_matched_by_time_with_a_note(walk_before: Path, clips: Path) -> None:
    half_rate = [scenes.view(camera, scale=0.75) for camera in walk_cameras()[:30:2]]
    found = judge(scenes.write(clips / "other.mkv", half_rate, fps=15), walk_before)
    assert found["visible"].value == pytest.approx(1, abs=0.004)
    assert found["visible"].failures == 0
    notes = " ".join(found.notes)
    assert "frame size differs" in notes and "frame rate differs" in notes and "length differs" in notes


def test_another_video_is_a_failure_not_a_score(walk_before: Path, clips: Path) -> None:
    frames = [np.flipud(scenes.view(camera)) for camera in walk_cameras()]
    found = judge(scenes.write(clips / "flipped.mkv", frames), walk_before)
    assert found["visible"].value is None and found["visible"].note
    assert found["visible"].failures == found["visible"].total == 36


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode, row, name",
    [
        ("dvs", 1, "field_of_view"),  # a zoom of 1.25 is not seen
        ("difrint", 2, "cropping"),  # nor a shift of 10 % with its black border
        ("difrint", 5, "distortion"),  # nor a shear of 0.1
    ],
)
def test_the_published_programs_have_the_documented_blind_spots(
    mode: str, row: int, name: str, walk_before: Path, clips: Path
) -> None:
    out = clips / f"{mode}_{name}.mkv"
    scenes.write(out, (warped(camera, ROWS[row].H_in_out) for camera in walk_cameras()[:16]))
    assert judge(out, walk_before, mode)[name].value == pytest.approx(1.0, abs=0.01)
