"""Textures with an outline, for cards that stand or move in the world: premultiplied RGBA, drawn large and reduced."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from .textures import Float32, Rng, mural, muted, noise

GAIT_PHASES = 16
GAIT_HZ = 0.9  # double steps a second
Point = tuple[float, float]


class _Sketch:
    """A transparent canvas of `height` texels whose drawing unit is its height; supersampled twice."""

    def __init__(self, height: int, width: int) -> None:
        self.rgba = np.zeros((2 * height, 2 * width, 4), np.float32)
        self.unit = 2 * height
        self.middle = width

    def _px(self, point: Point) -> tuple[int, int]:
        return round(self.middle + point[0] * self.unit), round(point[1] * self.unit)

    def limb(self, start: Point, end: Point, thick: float, colour: Float32) -> None:
        cv2.line(
            self.rgba, self._px(start), self._px(end), [*colour.tolist(), 255], round(thick * self.unit), cv2.LINE_AA
        )

    def blob(self, centre: Point, half: Point, colour: Float32) -> None:
        axes = (round(half[0] * self.unit), round(half[1] * self.unit))
        cv2.ellipse(self.rgba, self._px(centre), axes, 0, 0, 360, [*colour.tolist(), 255], -1, cv2.LINE_AA)

    def finished(self, grain: Float32) -> Float32:
        """Grain on the colours, colours times alpha, half the size."""
        reduced = cv2.resize(self.rgba, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(reduced, (0, 0), 0.7)
        speckle = np.dstack([1 + grain, 1 + grain, 1 + grain, np.ones_like(grain)])
        return np.asarray(np.clip(soft * speckle, 0, 255), np.float32)


def person(rng: Rng, height: int = 384) -> list[Float32]:
    """A walker seen from the front quarter, one image per phase of the gait."""
    skin, hair = muted(rng, 120, 200) * np.array([1.1, 0.9, 0.8], np.float32), muted(rng, 30, 110)
    coat, trousers, shoe = muted(rng, 50, 210, 0.5), muted(rng, 35, 110, 0.3), muted(rng, 30, 60)
    grain = 0.08 * noise(rng, height, height // 2, 0.8)
    stripe = muted(rng, 50, 230, 0.4)
    images = []
    for phase in 2 * np.pi * np.arange(GAIT_PHASES) / GAIT_PHASES:
        sketch = _Sketch(height, height // 2)
        lift = 0.012 * np.cos(2 * phase)
        _legs(sketch, phase, lift, trousers, shoe)
        swing = 0.09 * np.sin(phase)
        for side in (-1, 1):
            hand = (side * 0.12 - side * swing, 0.52 + lift)
            sketch.limb((side * 0.10, 0.24 + lift), hand, 0.05, coat * 0.85)
            sketch.blob(hand, (0.022, 0.026), skin)
        sketch.blob((0, 0.36 + lift), (0.105, 0.19), coat)
        for line in (0.27, 0.34, 0.41):
            sketch.limb((-0.075, line + lift), (0.075, line + lift), 0.018, stripe)
        sketch.blob((0, 0.095 + lift), (0.058, 0.078), skin)
        sketch.blob((0, 0.062 + lift), (0.06, 0.05), hair)
        images.append(sketch.finished(grain))
    return images


def _legs(sketch: _Sketch, phase: float, lift: float, trousers: Float32, shoe: Float32) -> None:
    for side in (-1, 1):
        swing = 0.11 * np.sin(phase) * side
        hip, knee = (side * 0.045, 0.5 + lift), (side * 0.045 + swing * 0.7, 0.72)
        foot = (side * 0.045 + swing, 0.955 - 0.05 * max(0.0, side * np.cos(phase)))
        sketch.limb(hip, knee, 0.075, trousers)
        sketch.limb(knee, foot, 0.06, trousers * 0.9)
        sketch.limb(foot, (foot[0] + 0.03, foot[1] + 0.008), 0.04, shoe)


def tree(rng: Rng, height: int = 512) -> list[Float32]:
    """A trunk and a crown of leaves."""
    sketch = _Sketch(height, height)
    trunk = muted(rng, 60, 90) * np.array([1.1, 0.95, 0.75], np.float32)
    sketch.limb((0, 0.5), (0, 1.0), 0.045, trunk)
    green = muted(rng, 70, 110, 0.05) * np.array([0.75, 1.15, 0.55], np.float32)
    for _ in range(500):
        angle, radius = rng.uniform(0, 2 * np.pi), 0.3 * np.sqrt(rng.uniform())
        centre = (1.15 * radius * np.cos(angle), 0.33 + radius * np.sin(angle))
        sketch.blob(centre, (0.028 * rng.uniform(0.6, 1.4), 0.02), green * rng.uniform(0.5, 1.5))
    return [sketch.finished(0.06 * noise(rng, height, height, 0.6))]


def sign(rng: Rng, height: int = 384) -> list[Float32]:
    """A board on a post, with a disc and lines of writing."""
    sketch = _Sketch(height, height // 2)
    sketch.limb((0, 0.3), (0, 1.0), 0.035, muted(rng, 80, 120, 0.05))
    board = muted(rng, 150, 240, 0.4)
    for line in np.linspace(0.06, 0.44, 12):
        sketch.limb((-0.2, line), (0.2, line), 0.045, board)
    sketch.blob((0, 0.15), (0.08, 0.08), muted(rng, 30, 90, 0.5))
    for line in (0.29, 0.35, 0.41):
        sketch.limb((-0.17, line), (rng.uniform(0.0, 0.17), line), 0.02, muted(rng, 20, 50))
    return [sketch.finished(0.03 * noise(rng, height, height // 2, 0.8))]


def box(rng: Rng, height: int = 512) -> list[Float32]:
    """A crate or a van's side: opaque to its edge, with a print and corners of its own."""
    image = mural(rng, height, 300)
    alpha = np.full((height, height, 1), 255, np.float32)
    edged = np.concatenate([image, alpha], axis=2)
    edged[:3] = edged[-3:] = 0
    edged[:, :3] = edged[:, -3:] = 0
    return [edged]


def dull(rng: Rng, height: int = 256) -> list[Float32]:
    """A coat seen close: large, dark, with little texture."""
    cloth = muted(rng, 40, 80) * (1 + 0.05 * noise(rng, height, height, 1.2, shortest_px=8))[..., None]
    card: NDArray[np.float32] = np.concatenate([cloth, np.full((height, height, 1), 255)], axis=2).astype(np.float32)
    card[:2] = card[-2:] = 0
    card[:, :2] = card[:, -2:] = 0
    return [card]


CARDS: dict[str, Callable[[Rng], list[Float32]]] = {
    "person": person,
    "tree": tree,
    "sign": sign,
    "box": box,
    "dull": dull,
}
