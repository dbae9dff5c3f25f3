"""Tiny clips with known motion for the judge: an analytic picture sampled through a known map, no warping of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from metrics.model import Judgement

SIZE = (320, 192)
Map = NDArray[np.float64]  # (3, 3), frame px to scene px
Frame = NDArray[np.uint8]  # (height, width), gray


def scene(x: NDArray[np.float64], y: NDArray[np.float64], seed: int = 7) -> NDArray[np.float64]:
    """Gray value at scene coordinates: plane waves of many lengths and directions; smooth everywhere."""
    rng = np.random.default_rng(seed)
    x, y = x.astype(np.float32), y.astype(np.float32)
    value = np.zeros_like(x)
    for length in np.geomspace(9, 120, 16):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        across, down = (2 * np.pi / length * np.array([np.cos(angle), np.sin(angle)])).astype(np.float32)
        value += np.float32(np.sqrt(length)) * np.sin(x * across + y * down + np.float32(phase))
    return np.clip(128 + 2.6 * value, 16, 235)


def view(H_scene_frame: Map, size: tuple[int, int] = SIZE, scale: float = 1.0) -> Frame:
    """The frame of `size` whose pixel p shows the scene at H p; `scale` shrinks it (pixel centres integer)."""
    w, h = round(size[0] * scale), round(size[1] * scale)
    x, y = np.meshgrid((np.arange(w) + 0.5) / scale - 0.5, (np.arange(h) + 0.5) / scale - 0.5)
    u, v, d = np.tensordot(H_scene_frame, np.stack([x, y, np.ones_like(x)]), axes=1)
    return scene(u / d, v / d).round().astype(np.uint8)


def about_centre(matrix: Map, size: tuple[int, int] = SIZE) -> Map:
    """`matrix` taken about the frame's centre instead of its first pixel."""
    shift = np.eye(3)
    shift[:2, 2] = (np.array(size) - 1) / 2
    return shift @ matrix @ np.linalg.inv(shift)


def similarity(dx: float = 0, dy: float = 0, roll_deg: float = 0, zoom: float = 1) -> Map:
    """Camera at (dx, dy) px in the scene, rolled and zoomed about the frame's centre."""
    c, s = np.cos(np.radians(roll_deg)) * zoom, np.sin(np.radians(roll_deg)) * zoom
    H = about_centre(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]))
    H[:2, 2] += [dx, dy]
    return H


def write(
    path: Path,
    frames: Iterable[Frame],
    fps: int = 30,
    codec: str = "ffv1",
    options: dict[str, str] | None = None,
) -> Path:
    """Gray frames as a video: FFV1 gray (lossless) or H.264 yuv420p."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "gray" if codec == "ffv1" else "yuv420p"
        for index, gray in enumerate(frames):
            if index == 0:
                stream.height, stream.width = gray.shape
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray")))
        container.mux(stream.encode())
    return path


def figure(judgement: Judgement, name: str) -> float:
    """A score that must have a value."""
    value = judgement[name].value
    assert value is not None, judgement[name].note
    return value


SHAKE_HZ = (1.75, 2.5, 3.25, 5.5, 8.0)


def shake(amplitude_px: float, hz: tuple[float, ...] = SHAKE_HZ) -> Callable[[float], tuple[float, float]]:
    """A stationary shake: sines of equal amplitude, fixed phases; RMS of each axis is amplitude * sqrt(len(hz) / 2)."""

    def at(t_s: float) -> tuple[float, float]:
        return (
            amplitude_px * sum(np.sin(2 * np.pi * f * t_s + i) for i, f in enumerate(hz)),
            amplitude_px * sum(np.sin(2 * np.pi * f * t_s + 2.3 * i + 1) for i, f in enumerate(hz)),
        )

    return at


def walk_cameras() -> list[Map]:
    """H_scene_frame of 36 frames of a gentle walk."""
    return [similarity(2 * np.sin(i / 5) + i * 0.5, 1.5 * np.cos(i / 4)) for i in range(36)]
