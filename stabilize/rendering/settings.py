"""What a user may ask of the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Interpolation = Literal["bilinear", "bicubic", "lanczos"]
BackendName = Literal["cpu", "torch"]
Device = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True, slots=True)
class WarpConfig:
    """How pixels between pixels are read, and what computes them."""

    interpolation: Interpolation = "bicubic"
    """The interpolation kernel."""
    backend: BackendName = "cpu"
    """"torch" needs PyTorch; its results are within one code value of the CPU's."""
    device: Device = "auto"
    """Where "torch" computes: "auto" is CUDA if there is any, else the CPU."""

    def __post_init__(self) -> None:
        for name, allowed in (("interpolation", Interpolation), ("backend", BackendName), ("device", Device)):
            if getattr(self, name) not in get_args(allowed):
                raise ValueError(f"{name} must be one of {', '.join(get_args(allowed))}, not {getattr(self, name)!r}")
