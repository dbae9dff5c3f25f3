"""What is known before synchronisation, as its settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gyro.errors import UsageError
from gyro.lens import load_lens, refocus_lens, resize_lens
from gyro.log import GyroLog

from .problem import SyncSettings

FOCAL_MAX_PX = 1e6
PROFILE_FOCAL_REL_STD, STATED_READOUT_STD_S = (
    0.02,
    0.002,
)  # priors, not truths: what a profile and a stated readout are good to


def check_priors(focal_px: float | None, lens: Path | str | None) -> None:
    """Raises UsageError for a focal length that is none, InputError or LensError for a profile that is none: to be told
    before any work is done."""
    if focal_px is not None and not 1 <= focal_px <= FOCAL_MAX_PX:
        raise UsageError(f"a focal length is between 1 and a million pixels, not {focal_px}")
    if lens is not None:
        load_lens(lens)


def prior_settings(
    log: GyroLog, size: tuple[int, int], focal_px: float | None = None, lens: Path | str | None = None
) -> SyncSettings:
    """Settings for a picture of `size` (width, height), from a lens profile or a focal length, and the readout time
    that the log states.

    A profile gives the lens's shape even where `focal_px` overrules its scale. Raises as `check_priors`.
    """
    check_priors(focal_px, None)
    settings = SyncSettings(focal_px=focal_px, focal_rel_std=0.35 if focal_px is None else PROFILE_FOCAL_REL_STD)
    readout_s = log.readout_s
    if lens is not None:
        profile = resize_lens(load_lens(lens), *size)
        if focal_px is not None:
            profile = refocus_lens(profile, focal_px)
        settings = replace(settings, lens=profile, focal_rel_std=PROFILE_FOCAL_REL_STD)
        readout_s = profile.readout_s if readout_s is None else readout_s
    return settings if readout_s is None else replace(settings, readout_s=readout_s, readout_std_s=STATED_READOUT_STD_S)
