"""What a report says of a crop: how much it breathes, and how often it is at its limit."""

from __future__ import annotations

import numpy as np
import pytest

from stabilize.core import Float
from stabilize.path.measure import Evidence, evidence
from stabilize.path.similarity import SimilarityPath
from tests.stabilize.path.shaking_camera import camera_of

FRAMES, RATE = 300, 30
TIME_S = np.arange(FRAMES) / RATE


def evidence_of(scale: Float, max_crop: float = 0.2, shots: tuple[slice, ...] = (slice(0, FRAMES),)) -> Evidence:
    """Of a crop of a still camera whose share of the width is `scale` (n,)."""
    camera = camera_of(np.tile([1.0, 0, 0, 0], (FRAMES - 1, 1)), shots=shots)
    pose = np.zeros((FRAMES, 4))
    pose[:, 0] = scale
    return evidence(SimilarityPath(camera, pose), np.full(FRAMES, max_crop), 0, False, ())


@pytest.mark.parametrize("hz, share", [(3.0, 1.0), (0.5, 0.708)])
def test_breathing_is_the_rms_of_the_log_scale_beyond_its_gaussian_smooth(hz: float, share: float) -> None:
    # A Gaussian of 0.5 s lets through exp(-(2 pi f 0.5)^2 / 2) of a sine: nothing at 3 Hz, 29.1 % at 0.5 Hz.
    scale = 0.9 * np.exp(0.01 * np.sin(2 * np.pi * hz * TIME_S))
    assert evidence_of(scale).crop_breathing == pytest.approx(share * 1.0 / np.sqrt(2), rel=0.02)


def test_a_crop_that_stays_or_closes_at_a_constant_rate_does_not_breathe() -> None:
    assert evidence_of(np.full(FRAMES, 0.8)).crop_breathing < 1e-9
    assert evidence_of(0.95 * np.exp(-0.02 * TIME_S)).crop_breathing < 1e-9


def test_a_jump_of_the_crop_at_a_cut_is_no_breathing() -> None:
    cut = FRAMES // 2
    scale = np.where(np.arange(FRAMES) < cut, 0.95, 0.85)
    assert evidence_of(scale, shots=(slice(0, cut), slice(cut, FRAMES))).crop_breathing < 1e-9
    assert evidence_of(scale).crop_breathing > 0.5


def test_the_share_of_frames_at_the_crop_limit() -> None:
    scale = np.where(np.arange(FRAMES) < 183, 0.8, 0.81)
    of_clip = evidence_of(scale)
    assert of_clip.at_crop_limit == pytest.approx(0.61) and of_clip.crop_limit == 0.2
    assert evidence_of(scale, max_crop=0.3).at_crop_limit == 0.0
    assert evidence_of(np.ones(FRAMES), max_crop=0.0).at_crop_limit == 1.0
