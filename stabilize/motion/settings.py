"""What a user may ask of the analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FlowName = Literal["klt", "dis"]


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """Settings of the analysis.

    `long_side`: analysis size in pixels; `flow`: how points are followed; `mesh`: local motion for parallax and
    rolling-shutter wobble; `reference`: measure against key frames instead of neighbours, for a tripod without drift.
    """

    long_side: int = 640
    flow: FlowName = "klt"
    mesh: bool = True
    reference: bool = False

    def __post_init__(self) -> None:
        if not 64 <= self.long_side <= 4096:
            raise ValueError(f"long_side must be between 64 and 4096 pixels, not {self.long_side}")
        if self.flow not in ("klt", "dis"):
            raise ValueError(f"flow must be klt or dis, not {self.flow!r}")
