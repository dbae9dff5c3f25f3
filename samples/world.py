"""Scenes: a backdrop at infinity, then textured planes from far to near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .cards import CARDS, GAIT_HZ
from .spec import EYE_HEIGHT_M, ClipSpec, MovingCard
from .textures import SURFACES, Atlas, atlas

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Surface:
    """A rectangle in the world. Its point (s, t) metres lies at origin + axes @ (s, t, 0), axes (3, 3) being right,
    down and normal.

    `half_m` is its half size (infinite for a ground); `textures` are the phases of a moving figure, else one; a card's
    texture spans it once, a periodic one has `texels_per_m`.
    """

    origin_m: Float
    axes: Float
    half_m: tuple[float, float]
    textures: tuple[Atlas, ...]
    texels_per_m: tuple[float, float]
    mover: MovingCard | None = None

    def origin_at(self, t_s: Float) -> Float:
        """Return the position of its centre at (n,) times, (n, 3)."""
        fixed = np.repeat(self.origin_m[None], len(t_s), axis=0)
        if self.mover is None:
            return fixed
        swing = np.sin(2 * np.pi * self.mover.swing_hz * t_s)[:, None] * np.array(self.mover.swing_m)
        return np.asarray(fixed + t_s[:, None] * np.array(self.mover.velocity_m_s) + swing)

    def texture_at(self, t_s: float) -> Atlas:
        """Return the texture of the gait phase at a time; figures start at different phases."""
        turn = GAIT_HZ * t_s + float(self.origin_m[0])
        return self.textures[int(turn * len(self.textures)) % len(self.textures)]


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A texture at infinity: (longitude, latitude) in radians times `texels_per_rad`, from its middle."""

    texture: Atlas
    texels_per_rad: float


@dataclass(frozen=True, slots=True)
class World:
    """`background` is what the truth of homographies is about: the backdrop, or the plane that hides it entirely."""

    backdrop: Backdrop
    surfaces: tuple[Surface, ...]  # painted in this order

    @property
    def single_plane(self) -> Surface | None:
        """The first surface where it is an endless wall in front of the camera, else None: the background is at
        infinity.
        """
        first = self.surfaces[0] if self.surfaces else None
        return first if first and np.isinf(first.half_m).all() and abs(first.axes[2, 2]) > 0.5 else None


@lru_cache(maxsize=24)
def _texture(name: str, seed: int) -> Atlas:
    return atlas(SURFACES[name](np.random.default_rng((seed, 10))))


@lru_cache(maxsize=24)
def _card_textures(name: str, seed: int) -> tuple[Atlas, ...]:
    return tuple(atlas(image, periodic=False) for image in CARDS[name](np.random.default_rng((seed, 11))))


def _axes(yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> Float:
    """Columns right, down, normal of a surface that faces the camera at rest, turned about the vertical, then
    tilted.
    """
    yaw, pitch = np.deg2rad([yaw_deg, pitch_deg])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    return np.asarray(turn @ tilt)


def _plane(
    name: str,
    seed: int,
    at: tuple[float, float, float],
    half: tuple[float, float],
    per_m: float,
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
) -> Surface:
    return Surface(np.array(at, float), _axes(yaw, pitch), half, (_texture(name, seed),), (per_m, per_m))


def _card(
    kind: str, seed: int, at: tuple[float, float, float], size: tuple[float, float], mover: MovingCard | None = None
) -> Surface:
    textures = _card_textures(kind, seed)
    per_m = (textures[0].width / size[0], textures[0].height / size[1])
    return Surface(np.array(at, float), _axes(), (size[0] / 2, size[1] / 2), textures, per_m, mover)


def _standing(kind: str, seed: int, x: float, z: float, size: tuple[float, float]) -> Surface:
    return _card(kind, seed, (x, EYE_HEIGHT_M - size[1] / 2, z), size)


def _ground(seed: int) -> Surface:
    return _plane("paving", seed, (0, EYE_HEIGHT_M, 0), (np.inf, np.inf), 150.0, pitch=90.0)


def _panorama(seed: int) -> Backdrop:
    texture = _texture("panorama", seed)
    return Backdrop(texture, texture.width / (2 * np.pi))


def _muraled(name: str, seed: int, repeats: int) -> Backdrop:
    texture = _texture(name, seed)
    return Backdrop(texture, texture.width * repeats / (2 * np.pi))


def street(spec: ClipSpec, seed: int) -> World:
    """Houses on both sides, trees and signs at the kerb, a house across at the end: parallax at every depth."""
    length = 60.0
    sides = [
        _plane("facade", seed, (-7, EYE_HEIGHT_M - 7, length / 2), (length / 2 + 30, 7), 64.0, yaw=-90),
        _plane("bricks", seed, (7.5, EYE_HEIGHT_M - 5, length / 2), (length / 2 + 30, 5), 90.0, yaw=90),
        _plane("facade", seed + 1, (2, EYE_HEIGHT_M - 4.5, length), (11, 4.5), 64.0),
    ]
    rng = np.random.default_rng((seed, 12))
    kerb = []
    for index, z in enumerate(np.arange(46.0, 4.0, -5.5)):
        kind, size = ("tree", (4.2, 4.2)) if index % 2 else ("sign", (1.2, 2.4))
        side = -1 if index % 4 < 2 else 1
        kerb.append(_standing(kind, seed + index % 3, side * rng.uniform(3.2, 4.6), float(z), size))
    return World(_panorama(seed), (*sides, _ground(seed), *kerb))


def plaza(spec: ClipSpec, seed: int) -> World:
    """An open place under a wide sky: walls, trees and signs at 6 to 40 m."""
    rng = np.random.default_rng((seed, 13))
    walls = [
        _plane(name, seed + index, (x, EYE_HEIGHT_M - h / 2, z), (w / 2, h / 2), per_m, yaw=yaw)
        for index, (name, x, z, w, h, per_m, yaw) in enumerate(
            [("facade", -16, 38, 20, 11, 64, 20), ("facade", 14, 30, 16, 9, 64, -15), ("bricks", 0, 22, 7, 4, 90, 5)]
        )
    ]
    places = [
        ("tree", -6.0, 16.0),
        ("tree", 7.0, 14.0),
        ("sign", 2.5, 11.0),
        ("tree", -11.0, 11.0),
        ("sign", -2.6, 8.0),
    ]
    cards = [
        _standing(kind, seed + index, x + rng.uniform(-0.5, 0.5), z, (4.5, 4.5) if kind == "tree" else (1.2, 2.4))
        for index, (kind, x, z) in enumerate(places)
    ]
    return World(_panorama(seed), (_ground(seed), *walls, *cards))


def wall(spec: ClipSpec, seed: int) -> World:
    """One endless painted wall square to the camera at `distance_m`: an exact homography for any camera motion."""
    per_m = 1.2 * spec.lens.f_px / spec.distance_m
    plane = _plane("mural", seed, (0, 0, spec.distance_m), (np.inf, np.inf), per_m)
    return World(_muraled("plain", seed, 4), (plane,))


def far(spec: ClipSpec, seed: int) -> World:
    """Texture at infinity all around: an exact homography for any rotation, and none for translation."""
    return World(_muraled("mural", seed, 2), ())


def dim(spec: ClipSpec, seed: int) -> World:
    """Almost no texture, at infinity."""
    return World(_muraled("plain", seed, 4), ())


WORLDS: dict[str, Callable[[ClipSpec, int], World]] = {
    "street": street,
    "plaza": plaza,
    "wall": wall,
    "far": far,
    "plain": dim,
}


def _movers(spec: ClipSpec) -> tuple[Surface, ...]:
    """Return the moving objects, far ones first, each with its own texture."""
    order = sorted(range(len(spec.objects)), key=lambda i: -spec.objects[i].centre_m[2])
    cards = [(spec.objects[i], spec.seed + 100 + i) for i in order]
    return tuple(_card(c.kind, seed, c.centre_m, c.size_m, c) for c, seed in cards)


def shots(spec: ClipSpec) -> list[tuple[float, World]]:
    """Return (start time, world) of every shot; each has its own seed."""
    starts = [(-np.inf, spec.world), *spec.cuts]
    worlds = [WORLDS[name](spec, spec.seed + 1000 * index) for index, (_, name) in enumerate(starts)]
    return [
        (start, World(w.backdrop, (*w.surfaces, *_movers(spec)))) for (start, _), w in zip(starts, worlds, strict=True)
    ]
