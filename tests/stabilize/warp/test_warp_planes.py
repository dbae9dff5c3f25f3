"""Warped planes against pictures that are formulas: the true value is known at every place between pixels."""

from __future__ import annotations

import numpy as np
import pytest

from stabilize.core import WarpField, field_nodes
from stabilize.settings import RenderConfig
from stabilize.video.frame import Frame, PixelLayout
from stabilize.video.layouts import LAYOUTS
from stabilize.warp.planes import SITING, plane_map, warp
from stabilize.warp.sampling import SAMPLERS

W, H = 96, 64
SHIFT = (3.3, -2.7)


def _place(layout: PixelLayout, index: int, siting: str) -> tuple[np.ndarray, np.ndarray]:
    """Luma coordinates (x, y) of every sample of a plane."""
    plane = layout.planes[index]
    rows, cols = layout.plane_shape(index, W, H)[:2]
    off = SITING[siting]
    sx, sy = 1 << plane.width_shift, 1 << plane.height_shift
    x = np.arange(cols) * sx + off[0] * (sx - 1) / 2
    y = np.arange(rows) * sy + off[1] * (sy - 1) / 2
    return np.meshgrid(x, y)


def _wave(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth picture between 0.2 and 0.8."""
    return 0.5 + 0.15 * np.sin(x / 7) + 0.15 * np.cos(y / 6)


def _picture(layout: PixelLayout, siting: str, shift: tuple[float, float] = (0, 0)) -> Frame:
    planes = []
    for index, plane in enumerate(layout.planes):
        x, y = _place(layout, index, siting)
        value = _wave(x + shift[0], y + shift[1]) * ((1 << layout.bits) - 1)
        samples = np.rint(value).astype(layout.dtype) << layout.lsb_shift
        planes.append(np.repeat(samples[..., None], 2, axis=2) if plane.channels == 2 else samples)
    return Frame(0, layout, tuple(np.ascontiguousarray(p) for p in planes))


def _field(shift: tuple[float, float]) -> WarpField:
    y, x = np.meshgrid(field_nodes(12, H), field_nodes(20, W), indexing="ij")
    return WarpField(np.stack([x + shift[0], y + shift[1]], axis=-1).astype(np.float32))


def _warped(source: Frame, field: WarpField, siting: str, interpolation: str) -> Frame:
    out = Frame(0, source.layout, tuple(np.zeros_like(p) for p in source.planes))
    warp(source, field, out, siting, RenderConfig(interpolation))  # type: ignore[arg-type]
    return out


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_sampled_at_its_own_places(name: str) -> None:
    layout = LAYOUTS[name]
    out = _warped(_picture(layout, "left"), _field(SHIFT), "left", "bicubic")
    true = _picture(layout, "left", SHIFT)
    for got, want in zip(out.planes, true.planes, strict=True):
        inner = (slice(8, -8), slice(8, -8))
        error = np.abs(got[inner].astype(float) - want[inner].astype(float)) / layout.max_value
        assert error.max() < 0.004 + 1 / (1 << layout.bits)


@pytest.mark.parametrize("siting", SITING)
def test_chroma_follows_its_siting(siting: str) -> None:
    layout = LAYOUTS["yuv420p10le"]
    out = _warped(_picture(layout, siting), _field(SHIFT), siting, "bicubic")
    true = _picture(layout, siting, SHIFT)
    error = np.abs(out.planes[1][4:-4, 4:-4].astype(float) - true.planes[1][4:-4, 4:-4]) / layout.max_value
    assert error.max() < 0.005  # half a luma sample off would be 0.01


@pytest.mark.parametrize("interpolation", SAMPLERS)
def test_no_field_no_change(interpolation: str) -> None:
    source = _picture(LAYOUTS["yuv420p"], "left")
    out = _warped(source, _field((0, 0)), "left", interpolation)
    for got, want in zip(out.planes, source.planes, strict=True):
        assert np.abs(got.astype(int) - want).max() <= 1


def test_sharper_kernels_are_nearer_to_the_truth() -> None:
    layout = LAYOUTS["gray12le"]
    x, y = np.meshgrid(np.arange(W), np.arange(H))

    def fine(dx: float) -> np.ndarray:
        return np.rint((0.5 + 0.4 * np.sin((x + dx) * 0.8) * np.cos(y * 0.7)) * 4095).astype(np.uint16)

    error = {}
    for name in SAMPLERS:
        out = _warped(Frame(0, layout, (fine(0),)), _field((0.3, 0)), "left", name)
        error[name] = float(np.abs(out.planes[0][8:-8, 8:-8].astype(float) - fine(0.3)[8:-8, 8:-8]).mean())
    assert error["lanczos"] < error["bicubic"] < error["bilinear"]


@pytest.mark.parametrize("name", ["yuv420p10le", "p010le", "gray12le"])
def test_overshoot_stays_within_the_depth(name: str) -> None:
    layout = LAYOUTS[name]
    planes = []
    for index in range(len(layout.planes)):
        plane = np.zeros(layout.plane_shape(index, W, H), layout.dtype)
        plane[:, ::3] = layout.max_value
        planes.append(plane)
    out = _warped(Frame(0, layout, tuple(planes)), _field((0.4, 0.3)), "left", "bicubic")
    for plane in out.planes:
        assert plane.max() <= layout.max_value
        assert not (plane & ((1 << layout.lsb_shift) - 1)).any()


@pytest.mark.parametrize("size", [(1920, 1080), (854, 480), (641, 363), (97, 33), (16, 16), (2, 2)])
def test_the_map_over_the_pixels_is_bilinear_between_the_nodes(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x, y = field_nodes(36, size[0]), field_nodes(22, size[1])
    assert x[0] <= 0 and x[-1] >= size[0] - 1 and y[0] <= 0 and y[-1] >= size[1] - 1
    nodes = (np.stack(np.meshgrid(x, y), axis=-1) + rng.normal(0, 3, (22, 36, 2))).astype(np.float32)
    bands = [(b.rows, b.x.copy(), b.y.copy()) for b in plane_map(WarpField(nodes), size, (0, 0), "left")]
    full = np.stack([np.concatenate([band[k] for band in bands]) for k in (1, 2)], axis=-1)
    assert full.shape == (size[1], size[0], 2)
    assert [row for rows, _, _ in bands for row in range(rows.start, rows.stop)] == list(range(size[1]))
    for _ in range(50):
        i, j = rng.integers(0, size[0]), rng.integers(0, size[1])
        rows = np.array([[np.interp(i, x, row[:, c]) for row in nodes] for c in (0, 1)])
        want = [np.interp(j, y, rows[c]) for c in (0, 1)]
        np.testing.assert_allclose(full[j, i], want, atol=2e-3)
