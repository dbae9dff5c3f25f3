"""A small specification that renders in milliseconds."""

from __future__ import annotations

import pytest

from samples import MOTIONS, ClipSpec, Lens


@pytest.fixture
def small() -> ClipSpec:
    """A sharp, noiseless clip of texture at infinity under a turning camera."""
    motion = MOTIONS["turning"]
    return ClipSpec("small", width=320, height=181, duration_s=0.2, world="far", motion=motion, lens=Lens(260), seed=3)
