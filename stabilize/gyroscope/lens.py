"""A lens of `gyro` in the unit frame of a picture: for a path of rotations, and from its facts in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gyro.errors import LensError
from gyro.lens import Lens, project, unproject
from stabilize.core import Float, FrameGeometry


@dataclass(frozen=True, slots=True)
class PictureLens:
    """A `fields.rotation.UnitLens`: `lens` is of the picture in square pixels, `half_long_px` half its long side."""

    lens: Lens
    half_long_px: float

    @property
    def focal(self) -> float:
        """Focal length in units, in the middle of the picture."""
        return float(self.lens.K[0, 0]) / self.half_long_px

    def rays(self, points: Float) -> Float:
        """Unit rays (..., 3) of points (..., 2); NaN where there is none."""
        return unproject(self.lens, points * self.half_long_px + self._middle)

    def points(self, rays: Float) -> Float:
        """Points (..., 2) of rays (..., 3); NaN for rays that the lens does not show."""
        return np.asarray((project(self.lens, rays) - self._middle) / self.half_long_px)

    def facts(self) -> dict[str, Any]:
        """Model and numbers, as JSON takes them."""
        lens = self.lens
        numbers = {"K": lens.K.tolist(), "coefficients": list(lens.coefficients)}
        return {"width": lens.width, "height": lens.height, "model": lens.model} | numbers

    @property
    def _middle(self) -> Float:
        return np.array([(self.lens.width - 1) / 2, (self.lens.height - 1) / 2])


def picture_lens(facts: Mapping[str, Any], geometry: FrameGeometry) -> PictureLens:
    """The lens of such facts, from a file. Raises ValueError where they are none."""
    K = np.array(facts["K"], np.float64)
    coefficients = tuple(float(value) for value in facts["coefficients"])
    try:
        lens = Lens(facts["width"], facts["height"], K, str(facts["model"]), coefficients)
    except LensError as error:
        raise ValueError(str(error)) from error
    return PictureLens(lens, geometry.half_long_px)
