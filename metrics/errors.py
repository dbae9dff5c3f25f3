"""The errors of this package."""

from __future__ import annotations


class MetricsError(Exception):
    """Root of every error that a file or a setting can cause; the message says what, where, and what to do."""


class VideoReadError(MetricsError):
    """A file is not a video that can be judged: missing, not local, damaged from the start, or of a refused size."""


class DatasetError(MetricsError):
    """A dataset folder or manifest does not have one of the layouts that can be scored."""
