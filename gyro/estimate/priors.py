"""Prior knowledge of lens and readout, as settings of a synchronisation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gyro.errors import UsageError
from gyro.lens import load_lens, refocus_lens, resize_lens
from gyro.log import GyroLog

from .problem import SyncSettings

FOCAL_MAX_PX = 1e6
# Prior standard deviations: profiles and stated readout times are measured values, not truth.
PROFILE_FOCAL_REL_STD = 0.02
STATED_READOUT_STD_S = 0.002


def check_priors(focal_px: float | None, lens: Path | str | None) -> None:
    """Check the priors before any work is done. Raises UsageError for a focal length out of range, InputError or
    LensError for an unusable profile."""
    if focal_px is not None and not 1 <= focal_px <= FOCAL_MAX_PX:
        raise UsageError(f"a focal length of {focal_px} pixels is out of range; give 1 to 1000000")
    if lens is not None:
        load_lens(lens)


def prior_settings(
    log: GyroLog, size: tuple[int, int], focal_px: float | None = None, lens: Path | str | None = None
) -> SyncSettings:
    """Return settings for frames of `size` (width, height) from a lens profile, a focal length and the readout time
    that the log states.

    With both, the profile gives the distortion and `focal_px` the focal length. Raises as `check_priors`.
    """
    check_priors(focal_px, None)
    settings = SyncSettings()
    if focal_px is not None:
        settings = SyncSettings(focal_px=focal_px, focal_rel_std=PROFILE_FOCAL_REL_STD)
    readout_s = log.readout_s
    if lens is not None:
        profile = resize_lens(load_lens(lens), *size)
        if focal_px is not None:
            profile = refocus_lens(profile, focal_px)
        settings = replace(settings, lens=profile, focal_rel_std=PROFILE_FOCAL_REL_STD)
        readout_s = profile.readout_s if readout_s is None else readout_s
    return settings if readout_s is None else replace(settings, readout_s=readout_s, readout_std_s=STATED_READOUT_STD_S)
