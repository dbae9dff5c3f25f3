"""A decoded frame in its native pixel format, and descriptions of pixel formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[Any]  # uint8 or uint16, (rows, cols) or (rows, cols, 2) for interleaved chroma


@dataclass(frozen=True, slots=True)
class PlaneLayout:
    """One plane of a pixel format."""

    width_shift: int
    """log2 of the horizontal subsampling."""
    height_shift: int
    """log2 of the vertical subsampling."""
    channels: int = 1
    """Number of channels; 2: interleaved chroma (NV12)."""
    is_alpha: bool = False
    """Whether it holds transparency: 0 is transparent; always full range."""


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """A native planar pixel format."""

    name: str
    """FFmpeg's name."""
    bits: int
    """Bit depth; samples of more than 8 bits are uint16."""
    planes: tuple[PlaneLayout, ...]
    """Planes, luma first."""
    lsb_shift: int = 0
    """Number of unused low bits of a sample (P010: 6)."""

    @property
    def has_alpha(self) -> bool:
        """Whether the last plane holds transparency."""
        return self.planes[-1].is_alpha

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the samples."""
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)

    @property
    def max_value(self) -> int:
        """Largest sample value."""
        return ((1 << self.bits) - 1) << self.lsb_shift

    def plane_shape(self, index: int, width: int, height: int) -> tuple[int, ...]:
        """Return the shape of plane `index` of a `width` x `height` frame. Subsampled sizes round up, as in FFmpeg."""
        plane = self.planes[index]
        rows, cols = -(-height >> plane.height_shift), -(-width >> plane.width_shift)
        return (rows, cols) if plane.channels == 1 else (rows, cols, plane.channels)


@dataclass(frozen=True, slots=True)
class Frame:
    """A video frame."""

    pts: int
    """Presentation time in the track's time base."""
    layout: PixelLayout
    """Pixel format."""
    planes: tuple[Plane, ...]
    """Planes in the order of `layout`. Those of a decoded frame are read-only views of the decoder's memory."""
    duration: int = 0
    """In the track's time base; 0: unknown."""
    buffer: Any = field(default=None, repr=False, compare=False)
    """The av.VideoFrame behind the planes, or None. The encoder uses it instead of a copy of the planes."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in luma pixels."""
        return self.planes[0].shape[1], self.planes[0].shape[0]
