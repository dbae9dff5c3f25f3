"""The torch backend: the same planes by `grid_sample`, on whatever device PyTorch has."""

from __future__ import annotations

from typing import Any

import numpy as np

from stabilize.core import WarpField
from stabilize.errors import UsageError
from stabilize.rendering.siting import between_nodes, plane_nodes, siting_of
from stabilize.settings import Device, RenderConfig
from stabilize.video.frame import Frame, PixelLayout, Plane, PlaneLayout

KERNELS = ("bilinear", "bicubic")  # torch's bicubic is Keys' with a = -0.75, as OpenCV's


class TorchWarp:
    """`grid_sample` on native planes. See `backends.Warp`.

    Raises UsageError where PyTorch or the device is not there, or has no such kernel.
    """

    def __init__(self, config: RenderConfig, siting: str) -> None:
        if config.interpolation not in KERNELS:
            raise UsageError(f"the torch backend has no {config.interpolation} kernel; there are: {', '.join(KERNELS)}")
        self._torch = _torch()
        self._device = _device(self._torch, config.device)
        self._kernel = config.interpolation
        self._siting = siting

    def __call__(self, source: Frame, field: WarpField, out: Frame) -> None:
        with self._torch.inference_mode():
            for layout, plane, target in zip(source.layout.planes, source.planes, out.planes, strict=True):
                places = self._places(field, out.size, layout, plane)
                sampled = self._torch.nn.functional.grid_sample(
                    self._uploaded(plane), places, mode=self._kernel, padding_mode="border", align_corners=False
                )
                _download(self._torch, sampled[0], target, source.layout)

    def _uploaded(self, plane: Plane) -> Any:
        """(1, channels, rows, cols), float32."""
        samples = self._torch.tensor(plane, device=self._device).to(self._torch.float32)
        return (samples.permute(2, 0, 1) if samples.ndim == 3 else samples[None])[None]

    def _places(self, field: WarpField, out_size: tuple[int, int], layout: PlaneLayout, plane: Plane) -> Any:
        """Where each sample of the output's plane is read, (1, rows, cols, 2): from -1 to 1 between the outer edges of
        the source's plane. As in `planes.plane_map`, bilinear between the nodes.
        """
        shifts, place = (layout.width_shift, layout.height_shift), siting_of(self._siting)
        axes = []
        for axis, samples in ((0, plane.shape[1]), (1, plane.shape[0])):
            nodes = (2 * plane_nodes(field.source_px, shifts, place, axis) + 1) / np.float32(samples) - 1
            axes.append(nodes.astype(np.float32))
        nodes = self._torch.tensor(np.stack(axes, axis=-1), device=self._device)
        for axis in (1, 0):  # columns, then rows
            way = 1 - axis
            before, share = self._between(field.source_px.shape[axis], out_size[way], shifts[way], place[way])
            first, second = nodes.index_select(axis, before), nodes.index_select(axis, before + 1)
            nodes = first + (share[:, None] if axis else share[:, None, None]) * (second - first)
        return nodes[None]

    def _between(self, nodes: int, length: int, shift: int, place: int) -> tuple[Any, Any]:
        before, share = between_nodes(nodes, length, shift, place)
        return self._torch.tensor(before, device=self._device), self._torch.tensor(share, device=self._device)


def _download(torch: Any, sampled: Any, target: Plane, layout: PixelLayout) -> None:
    """Samples (channels, rows, cols) rounded to the layout's code values, in its range."""
    unit = 1 << layout.lsb_shift
    codes = (sampled / unit).round().clamp(0, layout.max_value // unit).to(torch.int32) * unit
    samples = codes.permute(1, 2, 0) if target.ndim == 3 else codes[0]
    np.copyto(target, samples.cpu().numpy(), casting="unsafe")


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise UsageError("the torch backend needs PyTorch: pip install 'stabilize[nets]'") from error
    return torch


def _device(torch: Any, name: Device) -> Any:
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device("cuda" if there["cuda"] else "cpu")
    if not there[name]:
        names = ", ".join(device for device, usable in there.items() if usable)
        raise UsageError(f"PyTorch finds no device {name!r} here; there is: {names}")
    return torch.device(name)
