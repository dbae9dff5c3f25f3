"""What a user may ask of the gyroscope; apart from `gyroscope`, which loads the whole of `gyro`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class GyroConfig:
    """`use`: auto takes a log that is named, beside the video or inside it, if it agrees with the picture; off takes
    none.

    What is None is found out: `columns` (comma-separated), `gyro_unit`, `time_unit` of a plain log; `focal_px` of the
    full picture, `lens` a profile file.
    """

    use: Literal["auto", "off"] = "auto"
    columns: str | None = None
    gyro_unit: str | None = None
    time_unit: str | None = None
    focal_px: float | None = None
    lens: str | None = None

    def __post_init__(self) -> None:
        if self.focal_px is not None and not 1 <= self.focal_px <= 1e6:
            raise ValueError(f"focal_px must be between 1 and a million pixels, not {self.focal_px}")
