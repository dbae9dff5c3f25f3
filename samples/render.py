"""Renderer: every line of a frame uses the camera pose at its own time (rolling shutter)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .camera import centre_px, lens_shift_px, line_times, rays
from .motion import CameraTrack, camera_track, frame_times
from .spec import ClipSpec
from .textures import Float32
from .world import Backdrop, Surface, World, shots

Float = NDArray[np.float64]
UInt8 = NDArray[np.uint8]
SEARCH_CELL_PX = 8  # grid on which the bounding box of a surface is searched
NEAR_PLANE_M = 0.15


def plane_map(surface: Surface, R_world_cam: Float, position_m: Float, origin_m: Float) -> Float:
    """(n, 3, 3) maps of camera rays to (s w, t w, w) on a plane: s, t in metres on it, w = 1 / distance along the
    ray.
    """
    turned = surface.axes.T @ R_world_cam
    x, y, z = np.moveaxis((position_m - origin_m) @ surface.axes, -1, 0)
    shear = np.zeros_like(turned)
    shear[:, 0, 0] = shear[:, 1, 1] = 1
    shear[:, 0, 2], shear[:, 1, 2], shear[:, 2, 2] = -x / z, -y / z, -1 / z
    return np.asarray(shear @ turned)


class _View:
    """Rays of one frame with the pose of each line; regions are (row, column) slices."""

    def __init__(self, spec: ClipSpec, track: CameraTrack, fixed_rays: Float32 | None, time_s: float) -> None:
        self.spec, self.time_s = spec, time_s
        self.lines_s = line_times(spec, time_s)
        self.R_world_cam = track.rotation_world_cam(self.lines_s).as_matrix()
        self.position_m = track.position_m(self.lines_s)
        self.rays = fixed_rays if fixed_rays is not None else self._shifted_rays()

    def _shifted_rays(self) -> Float32:
        shift = lens_shift_px(self.spec, self.lines_s)
        shift = shift[:, None] if self.spec.shutter.lines == "rows" else shift[None]
        return _rays(self.spec, centre_px(self.spec) + shift)

    def mapped(self, maps: Float, region: tuple[slice, slice]) -> tuple[Float32, Float32, Float32]:
        """The three coordinates of maps (lines, 3, 3) applied to the rays of a region."""
        region_rays = self.rays[region]
        lines = maps.astype(np.float32)
        if len(lines) > 1:
            lines = lines[region[0], None] if self.spec.shutter.lines == "rows" else lines[None, region[1]]
        x, y, z = (region_rays[..., i] for i in range(3))
        out = [lines[..., i, 0] * x + lines[..., i, 1] * y + lines[..., i, 2] * z for i in range(3)]
        return out[0], out[1], out[2]


def _rays(spec: ClipSpec, centre: Float) -> Float32:
    y, x = np.mgrid[: spec.height, : spec.width].astype(float)
    return rays(spec.lens, np.stack([x, y], axis=-1), centre).astype(np.float32)


WHOLE = (slice(None), slice(None))


def _paint_backdrop(view: _View, backdrop: Backdrop) -> Float32:
    x, y, z = view.mapped(view.R_world_cam, WHOLE)
    texture = backdrop.texture
    u = np.arctan2(x, z) * np.float32(backdrop.texels_per_rad) + np.float32(texture.width / 2)
    v = np.arctan2(y, np.hypot(x, z)) * np.float32(backdrop.texels_per_rad) + np.float32(texture.height / 2)
    # a panorama does not go on beyond its top and bottom
    v = np.clip(v, 0, texture.height - 1) if texture.width != texture.height else v
    level = np.full_like(u, np.log2(backdrop.texels_per_rad / view.spec.lens.f_px))
    return texture.sample(u, v, level)[..., :3]


def _region(view: _View, surface: Surface, maps: Float) -> tuple[slice, slice] | None:
    """Return the bounding box of a surface, from a coarse grid and enlarged by a cell; None if it is not visible."""
    coarse = (slice(None, None, SEARCH_CELL_PX), slice(None, None, SEARCH_CELL_PX))
    s, t, w = view.mapped(maps, coarse)
    distance = 1 / np.maximum(w, 1e-6)
    reach = 2 * SEARCH_CELL_PX * distance / view.spec.lens.f_px
    inside = (w > 0) & (distance > NEAR_PLANE_M)
    inside &= (np.abs(s * distance) < surface.half_m[0] + reach) & (np.abs(t * distance) < surface.half_m[1] + reach)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return None
    return tuple(slice(max(0, (i[0] - 1) * SEARCH_CELL_PX), (i[-1] + 2) * SEARCH_CELL_PX) for i in (rows, columns))  # type: ignore[return-value]


def _paint(view: _View, image: Float32, surface: Surface) -> None:
    """Paint one surface over the image, anti-aliased at its edge."""
    origin = surface.origin_at(view.lines_s)
    maps = plane_map(surface, view.R_world_cam, view.position_m, origin)
    region = _region(view, surface, maps)
    if region is None:
        return
    s, t, w = view.mapped(maps, region)
    distance = np.reciprocal(np.maximum(w, np.float32(1e-6)))
    s, t = s * distance, t * distance
    pixel_m = distance / np.float32(view.spec.lens.f_px)
    cover = ((w > 0) & (distance > NEAR_PLANE_M)).astype(np.float32)
    for coordinate, half in ((s, surface.half_m[0]), (t, surface.half_m[1])):
        if np.isfinite(half):
            cover *= np.clip((np.float32(half) - np.abs(coordinate)) / pixel_m + np.float32(0.5), 0, 1)
    colour = _colour(view, surface, (s, t, distance), origin)
    alpha = cover[..., None] if colour.shape[2] == 3 else cover[..., None] * colour[..., 3:] / np.float32(255)
    under = image[region]
    under += cover[..., None] * colour[..., :3] - alpha * under


def _colour(view: _View, surface: Surface, place: tuple[Float32, Float32, Float32], origin: Float) -> Float32:
    s, t, distance = place
    texture = surface.texture_at(view.time_s)
    x_per_m, y_per_m = surface.texels_per_m
    height = abs(float(((view.position_m - origin) @ surface.axes)[:, 2].mean()))
    # one pixel is distance / f across and, on a plane seen aslant, distance / height times longer: between the two,
    # nearer the longer
    slant = np.maximum(distance / np.float32(height), 1) ** np.float32(0.85)
    level = np.log2(
        np.maximum(np.float32(min(x_per_m, y_per_m) / view.spec.lens.f_px) * distance * slant, np.float32(1))
    )
    half = np.float32(0.5)
    u = s * np.float32(x_per_m) + np.float32(texture.width) * half - half
    v = t * np.float32(y_per_m) + np.float32(texture.height) * half - half
    return texture.sample(u, v, level)


def _world_at(worlds: list[tuple[float, World]], time_s: float) -> World:
    return next(world for start, world in reversed(worlds) if time_s >= start)


def _gain(spec: ClipSpec, time_s: float) -> float:
    if not spec.gain_keys:
        return 1.0
    times, gains = zip(*spec.gain_keys, strict=True)
    return float(np.interp(time_s, np.array(times), np.array(gains)))


def _exposures(spec: ClipSpec, time_s: float) -> Float:
    count = max(1, spec.shutter.blur_samples)
    return np.asarray(time_s + spec.shutter.exposure_s * ((np.arange(count) + 0.5) / count - 0.5))


def generate(spec: ClipSpec) -> Iterator[tuple[float, UInt8]]:
    """Yield (time in s, RGB uint8 frame (height, width, 3)) in order. Deterministic for a specification."""
    track, worlds = camera_track(spec), shots(spec)
    fixed_rays = None if spec.ois else _rays(spec, centre_px(spec))
    for index, time_s in enumerate(frame_times(spec).tolist()):
        world = _world_at(worlds, time_s)
        exposures = _exposures(spec, time_s)
        light = sum(_render(_View(spec, track, fixed_rays, t), world) for t in exposures) / np.float32(len(exposures))
        image = light * np.float32(_gain(spec, time_s))
        if spec.noise:
            rng = np.random.default_rng((spec.seed, 20, index))
            image += np.float32(spec.noise) * rng.standard_normal(image.shape, dtype=np.float32)
        yield time_s, np.asarray(np.clip(image + np.float32(0.5), 0, 255), np.uint8)


def _render(view: _View, world: World) -> Float32:
    covered = world.single_plane is not None
    shape = (view.spec.height, view.spec.width, 3)
    image = np.zeros(shape, np.float32) if covered else _paint_backdrop(view, world.backdrop)
    for surface in world.surfaces:
        _paint(view, image, surface)
    return image
