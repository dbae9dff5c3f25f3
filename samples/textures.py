"""Procedural textures: images in float32 RGB(A) 0-255, and their mip atlas that is sampled without aliasing.

Cards carry alpha, premultiplied. Everything else is periodic in both directions, so a surface may be as large as it
likes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Rng = np.random.Generator
Box = tuple[int, int, int, int]  # left, top, width, height
PAD = 4  # texels around each mip level, for the support of a bicubic look-up


@dataclass(frozen=True, slots=True)
class Atlas:
    """All mip levels of one texture in one image; `origin` (levels, 2) is where the first texel of each lies."""

    image: Float32
    origin: Float32
    width: int
    height: int
    periodic: bool

    def sample(self, u: Float32, v: Float32, level: Float32) -> Float32:
        """Colour at texel coordinates of level 0 (integer centres), trilinear between levels, bicubic within: (h, w,
        channels).
        """
        last = np.float32(len(self.origin) - 1)
        level = np.clip(level, np.float32(0), last)
        low = np.floor(level).astype(np.int32)
        fine = self._look_up(u, v, low)
        share = (level - low)[..., None]
        if not share.any():
            return fine
        return np.asarray(fine + share * (self._look_up(u, v, np.minimum(low + 1, int(last))) - fine))

    def _look_up(self, u: Float32, v: Float32, level: NDArray[np.int32]) -> Float32:
        scale = np.exp2(-np.arange(len(self.origin), dtype=np.float32))[level]
        half = np.float32(0.5)
        if self.periodic:
            u, v = np.mod(u + half, np.float32(self.width)), np.mod(v + half, np.float32(self.height))
        else:
            u, v = (
                np.clip(u + half, 0, self.width, dtype=np.float32),
                np.clip(v + half, 0, self.height, dtype=np.float32),
            )
        x = u * scale - half + self.origin[level, 0]
        y = v * scale - half + self.origin[level, 1]
        return np.asarray(cv2.remap(self.image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def atlas(image: Float32, periodic: bool = True) -> Atlas:
    """Halve the image by area until it is small, and lay the levels side by side: level 0 left, the rest in a
    column.
    """
    height, width = image.shape[:2]
    levels: list[NDArray[Any]] = [image]
    while min(levels[-1].shape[:2]) >= 16:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    border = cv2.BORDER_WRAP if periodic else cv2.BORDER_REPLICATE
    padded = [cv2.copyMakeBorder(level, PAD, PAD, PAD, PAD, border) for level in levels]
    column = padded[1].shape[1]
    rows = max(padded[0].shape[0], sum(p.shape[0] for p in padded[1:]))
    canvas = np.zeros((rows, padded[0].shape[1] + column, image.shape[2]), np.float32)
    origin, y = [], 0
    for index, level in enumerate(padded):
        x = 0 if index == 0 else padded[0].shape[1]
        canvas[y : y + level.shape[0], x : x + level.shape[1]] = level
        origin.append((x + PAD, y + PAD))
        y = 0 if index == 0 else y + level.shape[0]
    return Atlas(canvas, np.array(origin, np.float32), width, height, periodic)


def noise(rng: Rng, height: int, width: int, slope: float, shortest_px: float = 3.0) -> Float32:
    """Periodic noise of zero mean and unit deviation: amplitude falls as frequency^-slope, nothing finer than
    `shortest_px`.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1.0
    gain = frequency**-slope * np.exp(-((frequency * shortest_px) ** 2))
    gain[0, 0] = 0.0
    field = np.fft.irfft2(spectrum * gain, (height, width))
    return np.asarray(field / field.std(), np.float32)


def muted(rng: Rng, low: float, high: float, tint: float = 0.15) -> Float32:
    """A muted colour: one brightness, a little of each channel's own."""
    return np.asarray(rng.uniform(low, high) * (1 + rng.uniform(-tint, tint, 3)), np.float32)


def _filled(size: tuple[int, int], colour: Float32) -> Float32:
    return np.full((*size, 3), colour, np.float32)


def _finish(image: Float32, blur_px: float = 0.8) -> Float32:
    """Low-pass filter and clip; periodic."""
    pad = 8
    wrapped = cv2.GaussianBlur(cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_WRAP), (0, 0), blur_px)
    return np.asarray(np.clip(wrapped[pad:-pad, pad:-pad], 0, 255), np.float32)


def facade(rng: Rng, size: int = 1024) -> Float32:
    """A house front: plaster, storeys, windows with frames and sills, each lit its own way."""
    wall = muted(rng, 110, 190)
    image = _filled((size, size), wall) * (1 + 0.06 * noise(rng, size, size, 1.0))[..., None]
    storeys, columns = 4, int(rng.integers(4, 7))
    step_y, step_x = size // storeys, size // columns
    frame = muted(rng, 200, 235, 0.05)
    for row in range(storeys):
        cv2.rectangle(image, (0, row * step_y), (size, row * step_y + 14), (wall * 0.7).tolist(), -1)
        for column in range(columns):
            _window(rng, image, (column * step_x, row * step_y, step_x, step_y), frame)
    image *= 1 + 0.05 * noise(rng, size, size, 0.5)[..., None]
    return _finish(image)


def _window(rng: Rng, image: Float32, cell: Box, frame: Float32) -> None:
    x, y, w, h = cell
    left, right, top, bottom = x + w // 4, x + 3 * w // 4, y + h // 4, y + 5 * h // 6
    cv2.rectangle(image, (left - 9, top - 9), (right + 9, bottom + 9), frame.tolist(), -1)
    cv2.rectangle(image, (left - 16, bottom + 9), (right + 16, bottom + 20), (frame * 0.6).tolist(), -1)
    glass = muted(rng, 25, 95, 0.25)
    cv2.rectangle(image, (left, top), (right, bottom), glass.tolist(), -1)
    blind = int(rng.uniform(0, 0.7) * (bottom - top))
    cv2.rectangle(image, (left, top), (right, top + blind), muted(rng, 120, 230).tolist(), -1)
    cv2.line(image, ((left + right) // 2, top), ((left + right) // 2, bottom), frame.tolist(), 6)
    cv2.line(image, (left, (2 * top + bottom) // 3), (right, (2 * top + bottom) // 3), frame.tolist(), 6)


def bricks(rng: Rng, size: int = 1024) -> Float32:
    """A brick wall with a few posters."""
    base = muted(rng, 95, 130, 0.05) * np.array([1.25, 0.85, 0.7], np.float32)
    image = _filled((size, size), muted(rng, 150, 170, 0.03))
    height, width = 32, 64
    for row in range(size // height):
        for column in range(-1, size // width + 1):
            x, y = column * width + (row % 2) * width // 2, row * height
            shade = (base * rng.uniform(0.75, 1.2)).tolist()
            cv2.rectangle(image, (x + 2, y + 2), (x + width - 3, y + height - 3), shade, -1)
    for _ in range(4):
        x, y = rng.integers(40, size - 300, 2).tolist()
        w, h = rng.integers(120, 250, 2).tolist()
        _poster(rng, image, (x, y, w, h))
    image *= 1 + 0.09 * noise(rng, size, size, 0.8)[..., None]
    return _finish(image)


def _poster(rng: Rng, image: Float32, box: Box) -> None:
    x, y, w, h = box
    cv2.rectangle(image, (x, y), (x + w, y + h), muted(rng, 120, 240, 0.4).tolist(), -1)
    cv2.circle(image, (x + w // 2, y + h // 3), min(w, h) // 4, muted(rng, 40, 200, 0.5).tolist(), -1)
    for line in range(4):
        top, right = int(y + h * (0.65 + 0.08 * line)), int(x + w * rng.uniform(0.5, 0.9))
        cv2.rectangle(image, (x + w // 10, top), (right, top + max(2, h // 40)), (30, 30, 30), -1)


def paving(rng: Rng, size: int = 1024) -> Float32:
    """Flagstones of uneven shade, joints, stains and leaves."""
    base = muted(rng, 120, 150, 0.06)
    image = _filled((size, size), base * 0.55)
    height = size // 8
    for row in range(8):
        edges = np.sort(np.concatenate([[0], rng.integers(0, size, 5), [size]]))
        for left, right in pairwise(edges):
            shade = (base * rng.uniform(0.8, 1.2)).tolist()
            cv2.rectangle(image, (int(left) + 4, row * height + 4), (int(right) - 4, (row + 1) * height - 4), shade, -1)
    for x, y, radius in zip(*rng.integers(0, size, (2, 60)), rng.integers(4, 12, 60), strict=True):
        angle, leaf = float(rng.uniform(0, 180)), muted(rng, 60, 140) * np.array([1.2, 1.0, 0.5], np.float32)
        cv2.ellipse(
            image, (int(x), int(y)), (int(radius), int(radius) // 2), angle, 0, 360, leaf.tolist(), -1, cv2.LINE_AA
        )
    image *= 1 + (0.10 * noise(rng, size, size, 1.4) + 0.06 * noise(rng, size, size, 0.3))[..., None]
    return _finish(image)


def mural(rng: Rng, size: int = 2048, shapes: int = 2600) -> Float32:
    """Corners of every scale everywhere: overlapping polygons and discs under grain."""
    image = _filled((size, size), np.array([128, 126, 122], np.float32))
    image += 30 * noise(rng, size, size, 1.3)[..., None]
    for scale in np.geomspace(0.1, 0.005, shapes):
        centre, radius = rng.uniform(0, size, 2), scale * size * rng.uniform(0.6, 1.4)
        corners = int(rng.integers(3, 6))
        angle = np.sort(rng.uniform(0, 2 * np.pi, corners)) if corners > 3 else rng.uniform(0, 7) + np.arange(3) * 2.1
        shape = centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        _draw_periodic(image, shape, muted(rng, 30, 230, 0.35))
    image *= 1 + 0.08 * noise(rng, size, size, 0.8)[..., None]
    return _finish(image)


def _draw_periodic(image: Float32, corners: NDArray[np.float64], colour: Float32) -> None:
    size = image.shape[0]
    for dx in (-size, 0, size):
        for dy in (-size, 0, size):
            moved = corners + np.array([dx, dy])
            if (moved.max(0) > 0).all() and (moved.min(0) < size).all():
                cv2.fillPoly(image, [np.round(moved * 16).astype(np.int32)], colour.tolist(), cv2.LINE_AA, shift=4)


def plain(rng: Rng, size: int = 1024) -> Float32:
    """Almost no texture: a painted wall, with soft stains of a few gray levels."""
    field = 150 + 2.2 * noise(rng, size, size, 1.6, shortest_px=24) + 0.35 * noise(rng, size, size, 0.6, shortest_px=4)
    return np.asarray(field[..., None] * np.array([1.0, 0.97, 0.9], np.float32), np.float32)


def panorama(rng: Rng, height: int = 1024, width: int = 4096) -> Float32:
    """All around and 45 degrees up and down: sky with clouds, hills, a skyline; its horizon is the middle row."""
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    image = (1 - rows) * np.array([70, 120, 190], np.float32) + rows * np.array([225, 225, 215], np.float32)
    image = np.ascontiguousarray(np.repeat(image, width, axis=1), np.float32)
    clouds = np.clip(noise(rng, height, width, 1.7) * 0.7, 0, 1)[..., None]
    image += clouds * (245 - image)
    column = np.arange(width)
    for rise, shade in ((70, 150), (40, 110)):
        ridge = height // 2 - 10 - rise * (1 + 0.5 * noise(rng, 8, width, 1.0)[0])
        hill = np.stack([np.append(column, [width, 0]), np.append(ridge, [height, height])], axis=1)
        cv2.fillPoly(image, [np.round(hill).astype(np.int32)], (shade * 0.8, shade, shade * 0.9))
    for _ in range(110):
        _tower(rng, image, int(rng.uniform(0, width)), height // 2 + 30)
    image[height // 2 + 30 :] = muted(rng, 100, 130)
    image *= 1 + 0.04 * noise(rng, height, width, 0.7)[..., None]
    return _finish(image, 0.7)


def _tower(rng: Rng, image: Float32, x: int, foot: int) -> None:
    w, h = int(rng.uniform(25, 70)), int(rng.uniform(40, 150))
    wall = muted(rng, 110, 190)
    cv2.rectangle(image, (x, foot - h), (x + w, foot), wall.tolist(), -1)
    for top in range(foot - h + 6, foot - 8, 12):
        for left in range(x + 4, x + w - 6, 10):
            cv2.rectangle(image, (left, top), (left + 5, top + 6), muted(rng, 40, 150).tolist(), -1)


SURFACES: dict[str, Callable[[Rng], Float32]] = {
    "facade": facade,
    "bricks": bricks,
    "paving": paving,
    "mural": mural,
    "plain": plain,
    "panorama": panorama,
}
