"""What computes pixels: a backend takes frames and fields, whatever it does with them inside."""

from __future__ import annotations

from collections.abc import Callable

from stabilize.core import WarpField
from stabilize.errors import UsageError
from stabilize.rendering.planes import CpuWarp
from stabilize.rendering.torch_planes import TorchWarp
from stabilize.settings import RenderConfig
from stabilize.video.frame import Frame

# Fill the planes of the second frame from the first, as the field says. Several threads may call it at once.
Warp = Callable[[Frame, WarpField, Frame], None]
# A backend is made for settings and a chroma siting (FFmpeg's name of the location, by default left).
Backend = Callable[[RenderConfig, str], Warp]
BACKENDS: dict[str, Backend] = {"cpu": CpuWarp, "torch": TorchWarp}


def open_backend(config: RenderConfig, siting: str) -> Warp:
    """The backend of the settings. Raises UsageError where it, its device or its kernel is not there."""
    if config.backend == "cpu" and config.device not in ("auto", "cpu"):
        raise UsageError(f"render.device={config.device} needs render.backend=torch; the cpu backend knows no devices")
    return BACKENDS[config.backend](config, siting)
