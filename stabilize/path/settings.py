"""What a user may ask of the path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Zoom = Literal["dynamic", "static"]
Loss = Literal["l1", "l2"]


@dataclass(frozen=True, slots=True)
class AxisStrength:
    """Share of the camera's own motion that is taken out, 0 (left as filmed) to 1, per axis of the picture."""

    x: float = 1.0
    y: float = 1.0
    roll: float = 1.0


@dataclass(frozen=True, slots=True)
class PathConfig:
    """Settings of the solver.

    `smoothness_s`: over how many seconds the path is kept even; `max_crop`: the largest share of the width that may be
    cut; `zoom`: one constant crop for each shot, or one that follows the need; `tripod`: hold the camera still wherever
    the crop allows; `horizon_deg`: how far the horizon may lean, 0 locks it, None leaves it alone.
    """

    smoothness_s: float = 1.0
    max_crop: float = 0.2
    zoom: Zoom = "dynamic"
    loss: Loss = "l1"
    tripod: bool = False
    strength: AxisStrength = field(default_factory=AxisStrength)
    horizon_deg: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.smoothness_s <= 60:
            raise ValueError(f"smoothness_s must be above 0 and at most 60 seconds, not {self.smoothness_s}")
        if not 0 <= self.max_crop <= 0.6:
            raise ValueError(f"max_crop must be between 0 and 0.6, not {self.max_crop}{_share(self.max_crop)}")
        for name, allowed in (("zoom", ("dynamic", "static")), ("loss", ("l1", "l2"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        if self.horizon_deg is not None and not 0 <= self.horizon_deg <= 45:
            raise ValueError(f"horizon_deg must be between 0 and 45, not {self.horizon_deg}")
        for axis in ("x", "y", "roll"):
            if not 0 <= getattr(self.strength, axis) <= 1:
                given = getattr(self.strength, axis)
                raise ValueError(f"strength.{axis} must be between 0 and 1, not {given}{_share(given)}")


def _share(value: float) -> str:
    """For whoever thinks in percent."""
    return f"; it is a share: {value:g} % is {value / 100:g}" if 1 < value <= 100 else ""
