"""Integration of logs, synchronisation with a video, self-calibration and lens shift."""

from .integrate import OrientationTrack, integrate
from .match import Match, match_logs
from .ois import LensShift, estimate_shift, logged_shift, remove_lens_shift, synchronize_with_ois
from .orientation import camera_orientation
from .priors import check_priors, prior_settings
from .problem import SyncSettings
from .result import SyncResult, self_calibrated_lens
from .sync import synchronize
from .tracks import Tracks

__all__ = [
    "LensShift",
    "Match",
    "OrientationTrack",
    "SyncResult",
    "SyncSettings",
    "Tracks",
    "camera_orientation",
    "check_priors",
    "estimate_shift",
    "integrate",
    "logged_shift",
    "match_logs",
    "prior_settings",
    "remove_lens_shift",
    "self_calibrated_lens",
    "synchronize",
    "synchronize_with_ois",
]
