"""Checks of the fields of dataclasses."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray


def require(condition: bool, message: str) -> None:
    """Raise ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def check_array(array: NDArray[np.generic], name: str, dtype: DTypeLike, shape: tuple[int, ...]) -> None:
    """Raise ValueError if an array has another type or shape."""
    require(array.dtype == dtype, f"{name} must hold {np.dtype(dtype)}, not {array.dtype}")
    require(array.shape == shape, f"{name} must be {shape}, not {array.shape}")
