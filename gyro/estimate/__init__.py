"""From a log and a picture to the camera's motion: integration, synchronisation and self-calibration, rows, lens
shift."""

from .integrate import OrientationTrack, integrate
from .known import known_settings
from .ois import LensShift, estimate_shift, logged_shift, principal_points, synchronize_held, without_shift
from .problem import SyncSettings
from .result import SyncResult, self_calibrated_lens
from .rows import band_rotations, band_times, camera_orientation
from .sync import synchronize
from .tracks import Tracks

__all__ = [
    "LensShift",
    "OrientationTrack",
    "SyncResult",
    "SyncSettings",
    "Tracks",
    "band_rotations",
    "band_times",
    "camera_orientation",
    "estimate_shift",
    "integrate",
    "known_settings",
    "logged_shift",
    "principal_points",
    "self_calibrated_lens",
    "synchronize",
    "synchronize_held",
    "without_shift",
]
