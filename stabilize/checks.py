"""Checks of the values that dataclasses are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray


def require(condition: bool, message: str) -> None:
    """Raises ValueError with the message where the condition does not hold."""
    if not condition:
        raise ValueError(message)


def check_array(array: NDArray[np.generic], name: str, dtype: DTypeLike, shape: tuple[int, ...]) -> None:
    """Raises ValueError where an array is of another type or shape."""
    require(array.dtype == dtype, f"{name} must hold {np.dtype(dtype)}, not {array.dtype}")
    require(array.shape == shape, f"{name} must be {shape}, not {array.shape}")
