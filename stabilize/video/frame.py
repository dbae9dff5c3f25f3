"""A decoded picture in its own pixel format, and what is known of that format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[Any]  # uint8 or uint16, (rows, cols) or (rows, cols, 2) for interleaved chroma


@dataclass(frozen=True, slots=True)
class PlaneLayout:
    """One plane: its shifts are log2 of its subsampling, `channels` is 2 for interleaved chroma (NV12)."""

    width_shift: int
    height_shift: int
    channels: int = 1
    is_alpha: bool = False  # transparency: 0 is clear; always full range


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """A native planar pixel format.

    `bits` is the depth; samples of more than 8 bits are uint16, shifted left by `lsb_shift` (P010: 6).
    """

    name: str
    bits: int
    planes: tuple[PlaneLayout, ...]
    lsb_shift: int = 0

    @property
    def has_alpha(self) -> bool:
        return self.planes[-1].is_alpha

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if self.bits <= 8 else np.uint16)

    @property
    def max_value(self) -> int:
        return ((1 << self.bits) - 1) << self.lsb_shift

    def plane_shape(self, index: int, width: int, height: int) -> tuple[int, ...]:
        """Shape of plane `index` of a `width` x `height` picture; subsampled sizes round up, as FFmpeg's do."""
        plane = self.planes[index]
        rows, cols = -(-height >> plane.height_shift), -(-width >> plane.width_shift)
        return (rows, cols) if plane.channels == 1 else (rows, cols, plane.channels)


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture: `planes` in the order of `layout`, plane 0 is luma; times in the track's time base.

    Planes of a frame that was read are read-only views of the decoder's memory. `buffer` is the av.VideoFrame behind
    the planes, if there is one: the writer then encodes it as it stands instead of copying the planes.
    """

    pts: int
    layout: PixelLayout
    planes: tuple[Plane, ...]
    duration: int = 0
    buffer: Any = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in luma pixels."""
        return self.planes[0].shape[1], self.planes[0].shape[0]
