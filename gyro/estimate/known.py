"""What is known before synchronisation, as its settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gyro.errors import UsageError
from gyro.lens import load_lens, refocused, resized
from gyro.log import GyroLog

from .problem import SyncSettings

MOST_FOCAL_PX = 1e6
PROFILE_STD, READOUT_STD_S = 0.02, 0.002  # priors, not truths: what a profile and a stated readout are good to


def check_known(focal_px: float | None, lens: Path | str | None) -> None:
    """Raises UsageError for a focal length that is none, InputError or LensError for a profile that is none: to be told
    before any work is done."""
    if focal_px is not None and not 1 <= focal_px <= MOST_FOCAL_PX:
        raise UsageError(f"a focal length is between 1 and a million pixels, not {focal_px}")
    if lens is not None:
        load_lens(lens)


def known_settings(
    log: GyroLog, size: tuple[int, int], focal_px: float | None = None, lens: Path | str | None = None
) -> SyncSettings:
    """Settings for a picture of `size` (width, height), from a lens profile or a focal length, and the readout time
    that the log states.

    A profile gives the lens's shape even where `focal_px` overrules its scale. Raises as `check_known`.
    """
    check_known(focal_px, None)
    settings = SyncSettings(focal_px=focal_px, focal_rel_std=0.35 if focal_px is None else PROFILE_STD)
    readout_s = log.readout_s
    if lens is not None:
        profile = resized(load_lens(lens), *size)
        if focal_px is not None:
            profile = refocused(profile, focal_px)
        settings = replace(settings, lens=profile, focal_rel_std=PROFILE_STD)
        readout_s = profile.readout_s if readout_s is None else readout_s
    return settings if readout_s is None else replace(settings, readout_s=readout_s, readout_std_s=READOUT_STD_S)
