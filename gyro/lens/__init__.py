"""Lenses: models, profiles, calibration."""

from gyro.lens.calibrate import Calibration, calibrate, source_files
from gyro.lens.model import (
    Lens,
    distort,
    distort_jacobian,
    project,
    refocus_lens,
    resize_lens,
    simple_lens,
    undistort,
    unproject,
)
from gyro.lens.profiles import load_lens, save_lens

__all__ = [
    "Calibration",
    "Lens",
    "calibrate",
    "distort",
    "distort_jacobian",
    "load_lens",
    "project",
    "refocus_lens",
    "resize_lens",
    "save_lens",
    "simple_lens",
    "source_files",
    "undistort",
    "unproject",
]
