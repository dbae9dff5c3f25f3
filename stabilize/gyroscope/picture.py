"""The camera's rotation where no log gives it: from the picture's own motion, and a lens that is known or estimated."""

from __future__ import annotations

import numpy as np

from gyro.lens import load_lens, refocus_lens, resize_lens, simple_lens
from stabilize.core import Float, FrameGeometry, Motion, MotionModel, PairStatus
from stabilize.fields.picture_rotation import picture_rotation
from stabilize.fields.rotation import CameraRotation
from stabilize.fields.self_calibration import FocalEstimate, estimate_focal
from stabilize.gyroscope.lens import UnitFrameLens
from stabilize.settings import FuseConfig, GyroConfig

SOURCE = "without a gyroscope log, the rotation is that of the picture"
ADVICE = "name the lens by --focal or --lens if you know it"


def rotation_from_picture(motion: Motion, known: GyroConfig, config: FuseConfig) -> CameraRotation:
    """The camera's rotation, with notes that tell where the focal length comes from.

    Raises GyroError if the lens profile of the settings cannot be read.
    """
    lens, notes = _known_lens(known, motion.geometry), (SOURCE,)
    if lens is None:
        estimate = estimate_focal(motion.H_next_prev, _trust(motion))
        lens, notes = _pinhole(motion.geometry, estimate.focal), (_note(estimate, motion.geometry),)
    return picture_rotation(motion, lens, config, notes)


def _known_lens(config: GyroConfig, geometry: FrameGeometry) -> UnitFrameLens | None:
    """The lens of the settings, at the size of the frame in square pixels."""
    width, height = _square_size(geometry)
    if config.lens is not None:
        lens = resize_lens(load_lens(config.lens), width, height)
        lens = lens if config.focal_px is None else refocus_lens(lens, config.focal_px)
        return UnitFrameLens(lens, geometry.half_long_px)
    return None if config.focal_px is None else _pinhole(geometry, config.focal_px / geometry.half_long_px)


def _pinhole(geometry: FrameGeometry, focal_units: float) -> UnitFrameLens:
    lens = simple_lens(*_square_size(geometry), focal_units * geometry.half_long_px)
    return UnitFrameLens(lens, geometry.half_long_px)


def _square_size(geometry: FrameGeometry) -> tuple[int, int]:
    return max(round(geometry.width * geometry.pixel_aspect), 1), geometry.height


def _trust(motion: Motion) -> Float:
    """Weight of each pair (n-1,) for the focal length: perspective is measured by its support's width and height."""
    clear = (motion.status == PairStatus.OK) & (motion.model > MotionModel.STILL)
    return np.where(clear, motion.coverage.astype(np.float64) ** 2, 0.0)


def _note(estimate: FocalEstimate, geometry: FrameGeometry) -> str:
    focal_px, error_px = estimate.focal * geometry.half_long_px, estimate.error * geometry.half_long_px
    origin = {
        "measured": f"the focal length of {focal_px:.0f} +- {error_px:.0f} px is estimated from its perspective",
        "no perspective": f"it shows no perspective, so a focal length of {focal_px:.0f} px is assumed",
        "unknown": f"it does not show the focal length, so a common one of {focal_px:.0f} px is assumed",
    }[estimate.basis]
    return f"{SOURCE}: {origin}; {ADVICE}"
