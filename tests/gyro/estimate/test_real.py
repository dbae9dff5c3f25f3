"""Real recordings: matching logs are accepted, others are refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gyro.estimate import SyncResult, synchronize
from gyro.readers import read_log
from stabilize import analyse
from stabilize.config import Config
from stabilize.gyroscope.match import motion_tracks
from stabilize.settings import MotionConfig

DATA = Path(__file__).parents[4] / "shared" / "data" / "gyro"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no real recordings (../shared/data/gyro)")


def _synchronize(video: str, log: str) -> SyncResult:
    motion = analyse(DATA / video, Config(motion=MotionConfig(mesh=False)))
    return synchronize(motion_tracks(motion), read_log(DATA / log))


def test_euroc_is_calibrated_from_scratch() -> None:
    found = _synchronize("euroc.mp4", "euroc_imu.csv")
    truth = Rotation.from_matrix(
        np.array(
            [
                [0.0148655429818, -0.999880929698, 0.00414029679422],
                [0.999557249008, 0.0149672133247, 0.025715529948],
                [-0.0257744366974, 0.00375618835797, 0.999660727178],
            ]
        )
    ).inv()
    assert found.accepted
    assert abs(found.offset_s) < 1e-3
    assert abs(found.readout_s) < 1e-3
    assert np.rad2deg((found.R_cam_gyro * truth.inv()).magnitude()) < 5
    assert abs(found.focal_px - 458) < 3 * found.std["focal_px"]
    assert found.evidence.turn_error_deg < 0.1


@pytest.mark.slow
def test_hero7_stabilised_in_the_camera_is_refused() -> None:
    found = _synchronize("hero7_eis.mp4", "hero7_eis.mp4")
    assert found.refusal is not None
    assert "contradictory" in found.refusal
    assert found.evidence.correlation < 0.4


@pytest.mark.slow
def test_karma_is_accepted() -> None:
    found = _synchronize("karma.mp4", "karma.mp4")
    assert found.accepted
    assert found.evidence.correlation > 0.9
    assert found.evidence.axis_correlation[1] > 0.99
    assert abs(found.offset_s) < 0.05  # one container


@pytest.mark.slow
def test_pantilt_is_refused_and_the_frame_rate_named() -> None:
    found = _synchronize("pantilt.mp4", "pantilt.csv")
    assert found.refusal is not None
    assert "10.00 instead of 30.00" in found.refusal
