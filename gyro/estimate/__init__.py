"""From a log and a picture to the camera's motion: integration, synchronisation and self-calibration, rows, lens
shift."""

from .integrate import OrientationTrack, integrate
from .known import check_known, known_settings
from .match import Match, match_logs
from .ois import LensShift, estimate_shift, logged_shift, principal_points, synchronize_held, without_shift
from .problem import SyncSettings
from .result import SyncResult, self_calibrated_lens
from .rows import band_rotations, band_times, camera_orientation
from .sync import synchronize
from .tracks import Tracks

__all__ = [
    "LensShift",
    "Match",
    "OrientationTrack",
    "SyncResult",
    "SyncSettings",
    "Tracks",
    "band_rotations",
    "band_times",
    "camera_orientation",
    "check_known",
    "estimate_shift",
    "integrate",
    "known_settings",
    "logged_shift",
    "match_logs",
    "principal_points",
    "self_calibrated_lens",
    "synchronize",
    "synchronize_held",
    "without_shift",
]
