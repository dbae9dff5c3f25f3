"""Every backend against pictures that are formulas: the true value is known at every place between pixels.

STABILIZE_TEST_DEVICE names the device of the torch backend (cpu); tests are skipped where it is not there.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from stabilize.core import WarpField, field_nodes
from stabilize.errors import UsageError
from stabilize.rendering.backends import BACKENDS, open_backend
from stabilize.rendering.planes import plane_map
from stabilize.rendering.sampling import SAMPLERS
from stabilize.rendering.siting import SITING
from stabilize.settings import RenderConfig
from stabilize.video.frame import Frame, PixelLayout
from stabilize.video.layouts import LAYOUTS

W, H = 96, 64
SHIFT = (3.3, -2.7)
KERNELS = [
    (backend, kernel) for backend in BACKENDS for kernel in SAMPLERS if (backend, kernel) != ("torch", "lanczos")
]
DEVICE = os.environ.get("STABILIZE_TEST_DEVICE", "cpu")


def _config(backend: str, kernel: str = "bicubic") -> RenderConfig:
    if backend == "cpu":
        return RenderConfig(kernel)  # type: ignore[arg-type]
    torch = pytest.importorskip("torch")
    if DEVICE == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    return RenderConfig(kernel, "torch", DEVICE)  # type: ignore[arg-type]


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


def _warped(source: Frame, field: WarpField, siting: str, config: RenderConfig) -> Frame:
    out = Frame(0, source.layout, tuple(np.zeros_like(p) for p in source.planes))
    open_backend(config, siting)(source, field, out)
    return out


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_sampled_at_its_own_places(name: str, backend: str) -> None:
    layout = LAYOUTS[name]
    out = _warped(_picture(layout, "left"), _field(SHIFT), "left", _config(backend))
    true = _picture(layout, "left", SHIFT)
    for got, want in zip(out.planes, true.planes, strict=True):
        inner = (slice(8, -8), slice(8, -8))
        error = np.abs(got[inner].astype(float) - want[inner].astype(float)) / layout.max_value
        assert error.max() < 0.004 + 1 / (1 << layout.bits)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("siting", SITING)
def test_chroma_follows_its_siting(siting: str, backend: str) -> None:
    layout = LAYOUTS["yuv420p10le"]
    out = _warped(_picture(layout, siting), _field(SHIFT), siting, _config(backend))
    true = _picture(layout, siting, SHIFT)
    error = np.abs(out.planes[1][4:-4, 4:-4].astype(float) - true.planes[1][4:-4, 4:-4]) / layout.max_value
    assert error.max() < 0.005  # half a luma sample off would be 0.01


@pytest.mark.parametrize("backend, kernel", KERNELS)
def test_no_field_no_change(backend: str, kernel: str) -> None:
    source = _picture(LAYOUTS["yuv420p"], "left")
    out = _warped(source, _field((0, 0)), "left", _config(backend, kernel))
    for got, want in zip(out.planes, source.planes, strict=True):
        assert np.abs(got.astype(int) - want).max() <= 1


def test_sharper_kernels_are_nearer_to_the_truth() -> None:
    layout = LAYOUTS["gray12le"]
    x, y = np.meshgrid(np.arange(W), np.arange(H))

    def fine(dx: float) -> np.ndarray:
        return np.asarray(np.rint((0.5 + 0.4 * np.sin((x + dx) * 0.8) * np.cos(y * 0.7)) * 4095), np.uint16)

    error = {}
    for name in SAMPLERS:
        out = _warped(Frame(0, layout, (fine(0),)), _field((0.3, 0)), "left", _config("cpu", name))
        error[name] = float(np.abs(out.planes[0][8:-8, 8:-8].astype(float) - fine(0.3)[8:-8, 8:-8]).mean())
    assert error["lanczos"] < error["bicubic"] < error["bilinear"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["yuv420p10le", "p010le", "gray12le"])
def test_overshoot_stays_within_the_depth(name: str, backend: str) -> None:
    layout = LAYOUTS[name]
    planes = []
    for index in range(len(layout.planes)):
        plane = np.zeros(layout.plane_shape(index, W, H), layout.dtype)
        plane[:, ::3] = layout.max_value
        planes.append(plane)
    out = _warped(Frame(0, layout, tuple(planes)), _field((0.4, 0.3)), "left", _config(backend))
    for plane in out.planes:
        assert plane.max() <= layout.max_value
        assert not (plane & ((1 << layout.lsb_shift) - 1)).any()


def _noise(layout: PixelLayout, size: tuple[int, int]) -> Frame:
    """Nothing is harder to sample: every code value beside every other."""
    rng = np.random.default_rng(1)
    shapes = [layout.plane_shape(index, *size) for index in range(len(layout.planes))]
    planes = [rng.integers(0, 1 << layout.bits, shape).astype(layout.dtype) << layout.lsb_shift for shape in shapes]
    return Frame(0, layout, tuple(planes))


def _turned(size: tuple[int, int]) -> WarpField:
    """Turned, and beyond every border."""
    y, x = np.meshgrid(field_nodes(12, size[1]), field_nodes(20, size[0]), indexing="ij")
    field = np.stack([x * 1.1 - y * 0.05 - 3.3, x * 0.02 + y * 1.1 - 2.7], axis=-1)
    return WarpField((field + np.random.default_rng(2).normal(0, 0.5, field.shape)).astype(np.float32))


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("name, size", [*((name, (W, H)) for name in LAYOUTS), ("yuv420p10le", (3840, 18))])
def test_backends_agree_to_one_code_value(name: str, size: tuple[int, int], kernel: str) -> None:
    layout = LAYOUTS[name]
    source, field = _noise(layout, size), _turned(size)
    out = {backend: _warped(source, field, "topleft", _config(backend, kernel)) for backend in BACKENDS}
    for got, want in zip(out["torch"].planes, out["cpu"].planes, strict=True):
        off = np.abs(got.astype(int) - want) >> layout.lsb_shift
        assert off.max() <= 1
        assert np.mean(off > 0) < 0.05  # float32 places, 3840 samples wide or of 12 bits: 3 %


@pytest.mark.parametrize(
    "config, message",
    [
        (RenderConfig("lanczos", "torch", "cpu"), "no lanczos kernel"),
        (RenderConfig(device="cuda"), "needs render.backend=torch"),
    ],
)
def test_what_a_backend_cannot_do_is_refused(config: RenderConfig, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_backend(config, "left")


def test_a_backend_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not there
    with pytest.raises(UsageError, match="pip install"):
        open_backend(RenderConfig(backend="torch"), "left")


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no device 'cuda' here; there is: cpu"):
        open_backend(RenderConfig(backend="torch", device="cuda"), "left")


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
