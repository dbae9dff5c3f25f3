"""The errors of this package."""

from __future__ import annotations


class MetricsError(Exception):
    """Root of every error that a file or a setting can cause; the message says what, where, and what to do."""
