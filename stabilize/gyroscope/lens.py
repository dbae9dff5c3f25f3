"""A lens of `gyro` in the unit frame, for paths of rotations, and its form in a path file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gyro.errors import LensError
from gyro.lens import Lens, project, unproject
from stabilize.core import Float, FrameGeometry


@dataclass(frozen=True, slots=True)
class UnitFrameLens:
    """A `fields.rotation.UnitLens` made of a lens of `gyro`."""

    lens: Lens
    """Lens of the frame in square pixels."""
    half_long_px: float
    """Half the long side of the frame."""

    @property
    def focal(self) -> float:
        """Focal length in units, at the centre of the frame."""
        return float(self.lens.K[0, 0]) / self.half_long_px

    def rays(self, points: Float) -> Float:
        """Unit rays (..., 3) of points (..., 2); NaN for points that no ray reaches."""
        return unproject(self.lens, points * self.half_long_px + self._centre_px)

    def points(self, rays: Float) -> Float:
        """Points (..., 2) of rays (..., 3); NaN for rays outside the lens's field of view."""
        return np.asarray((project(self.lens, rays) - self._centre_px) / self.half_long_px)

    def facts(self) -> dict[str, Any]:
        """Model and parameters as plain values for JSON."""
        lens = self.lens
        numbers = {"K": lens.K.tolist(), "coefficients": list(lens.coefficients)}
        return {"width": lens.width, "height": lens.height, "model": lens.model} | numbers

    @property
    def _centre_px(self) -> Float:
        return np.array([(self.lens.width - 1) / 2, (self.lens.height - 1) / 2])


def lens_from_facts(facts: Mapping[str, Any], geometry: FrameGeometry) -> UnitFrameLens:
    """The inverse of `UnitFrameLens.facts`, for values from a file. Raises ValueError if they are not a lens."""
    K = np.array(facts["K"], np.float64)
    coefficients = tuple(float(value) for value in facts["coefficients"])
    try:
        lens = Lens(facts["width"], facts["height"], K, str(facts["model"]), coefficients)
    except LensError as error:
        raise ValueError(str(error)) from error
    return UnitFrameLens(lens, geometry.half_long_px)
