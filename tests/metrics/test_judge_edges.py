"""Whether an edge of the output lies outside the input, where the picture is bent and the edge shows plain sky."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from metrics.judging import judge
from metrics.robust.geometry import corners, crop, near_margins
from tests.metrics.judge_scenes import figure

SIZE = W, H = (640, 360)
ROOT = Path(__file__).parents[2]


def in_px(out_px: NDArray[np.float64], up_px: float = 0) -> NDArray[np.float64]:
    """Places in the input: a frame of a real clip that was steadied on a mesh, its field as a cubic polynomial."""
    t, s = 2 * out_px[:, 0] / (W - 1) - 1, 2 * out_px[:, 1] / (H - 1) - 1
    x = 298 - 1.4 * s + 287.6 * t - 0.8 * t * s - 0.8 * t**2 - 0.5 * t**2 * s - 0.4 * t**3 + 0.2 * t * s**2
    y = 164.2 + 160.4 * s + 3 * t + 0.8 * t * s + 0.4 * s**2 + 0.5 * s**3 + 0.8 * t**3 - 0.2 * t * s**2 + 0.1 * t**2 * s
    return np.column_stack([x, y - up_px])


def below_the_sky() -> NDArray[np.float64]:
    x, y = np.meshgrid(np.arange(10, W, 20.0), np.arange(100, H, 20.0))
    return np.column_stack([x.ravel(), y.ravel()])


def test_a_bent_image_under_a_plain_sky_shows_no_border() -> None:
    assert in_px(corners(SIZE))[:, 1].min() > 0  # the truth
    places = in_px(below_the_sky()), below_the_sky()
    homography, _ = cv2.findHomography(*places)
    of_homography = crop(np.asarray(homography, float), SIZE, SIZE)
    assert of_homography is not None and of_homography.margins[2] < -0.002  # what one homography makes of it
    assert near_margins(places, SIZE, SIZE).min() >= 0


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_the_same_image_moved_out_of_the_frame_shows_a_border(share: float) -> None:
    up_px = share * H + in_px(corners(SIZE))[:, 1].min()
    top = near_margins((in_px(below_the_sky(), up_px), below_the_sky()), SIZE, SIZE)[2]
    assert top == pytest.approx(-share, abs=0.003)


@pytest.mark.slow
def test_no_border_of_a_real_clip_that_shows_none(data: Path, tmp_path: Path) -> None:
    """The crop is a hard limit of our own paths; the mesh bends the picture most where nothing can be followed.

    The judge's mesh is not the one that bent the picture: where that lies at the very edge, as a path that uses its
    whole margin does, it may see a tenth of a percent in single frames (2 of 494).
    """
    source, target = data / "clips" / "sculpture.m4v", tmp_path / "steady.mp4"
    command = [sys.executable, "-m", "stabilize", "run", str(source), "-o", str(target), "--quiet"]
    subprocess.run(command, check=True, cwd=ROOT)
    found = judge(target, source)
    hits = found["edge_hits"].value
    assert hits is not None and hits < 0.01
    assert figure(found, "empty_max") < 0.002
