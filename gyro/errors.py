"""The errors of this package."""

from __future__ import annotations


class GyroError(Exception):
    """Root of every error that a log, a video or a setting can cause; the message says what, where, and what to do."""


class LogError(GyroError):
    """The log cannot be read, or what it says cannot be understood."""


class SyncError(GyroError):
    """Log and picture cannot be brought together: flat, contradictory or absent evidence."""


class LensError(GyroError):
    """A lens profile cannot be read, or a lens cannot be calibrated from what was given."""
