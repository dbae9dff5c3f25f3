"""How an output frame is put together from source frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stabilize.core import StablePath
from stabilize.rendering.backends import Warp
from stabilize.rendering.schedule import Slot
from stabilize.rendering.window import Window
from stabilize.video.frame import Frame


@dataclass(frozen=True, slots=True)
class Composer:
    """A way to fill an output frame, and the source frames that it wants to see for it."""

    fill: Callable[[Window, Slot, StablePath, Frame, Warp], None]
    """Fills the planes of the frame. Several threads may call it at once."""
    before: int = 0
    """How many frames before the source frame it needs; at the start of a shot it gets fewer."""
    after: int = 0
    """How many after it; at the end of a shot it gets fewer."""


def crop(window: Window, slot: Slot, path: StablePath, out: Frame, warp: Warp) -> None:
    """The source frame alone, cut as the path says."""
    warp(window.centre.frame, path.field(window.centre.index, slot.time_s), out)


COMPOSERS: dict[str, Composer] = {"crop": Composer(crop)}
