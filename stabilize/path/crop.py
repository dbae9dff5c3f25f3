"""The crop window inside the frame: the constraint as the solver sees it, and as it truly is on the final field.

The solver's constraint is linear: the four corners of the placed window stay inside the frame less a margin for each side and frame. The
true one is on the field after the wobble. `margins` measures how much further out the field reaches than its corners do.
"""

from __future__ import annotations

import numpy as np

from stabilize.core import CameraPath, Float, Float32, FrameGeometry

SIDES = ("right", "bottom", "left", "top")
BORDER_NODES = 33  # along each edge of the output where the true constraint is checked while solving


def half_span(geometry: FrameGeometry) -> Float:
    """Half extents in units between the centres of the outermost pixels, (2,): what a sample may reach without leaving the picture."""
    pixels = np.array([(geometry.width - 1) * geometry.pixel_aspect, geometry.height - 1.0])
    return np.asarray(np.maximum(pixels, 1e-3) / 2 / geometry.half_long_px)


def corner_rows(span: Float, min_scale: float) -> tuple[Float, Float]:
    """Rows g (9, 4) and the index of the side (8,) each belongs to; the last row is the least scale: -a <= -min_scale."""
    rows, sides = [], []
    for sx in (-1, 1):
        for sy in (-1, 1):
            rows.append(np.array([sx * span[0], -sy * span[1], 1, 0]) * sx)
            sides.append(0 if sx > 0 else 2)
            rows.append(np.array([sy * span[1], sx * span[0], 0, 1]) * sy)
            sides.append(1 if sy > 0 else 3)
    return np.array([*rows, [-1.0, 0, 0, 0]]), np.array(sides)


def border_points(span: Float, count: int = BORDER_NODES) -> Float:
    """Points (4 (count - 1), 2) around the edge of the output, unit frame."""
    s = np.linspace(-1, 1, count)[:-1]
    one = np.ones_like(s)
    ring = np.concatenate([np.stack(p, 1) for p in ((s, -one), (one, s), (-s, one), (-one, -s))])
    return np.asarray(ring * span)


def place(points: Float, pose: Float) -> Float:
    """Crop poses (n, 4) on points (p, 2): rectified points (n, p, 2)."""
    a, b, x, y = (pose[:, i, None] for i in range(4))
    px, py = points[:, 0], points[:, 1]
    return np.stack([a * px - b * py + x, b * px + a * py + y], axis=-1)


def sample_wobble(wobble: Float32, points: Float, half_extent: tuple[float, float]) -> Float:
    """Bilinear values of wobble (n, rows, cols, 2) at points (n, p, 2) in units; clamped at the edges."""
    n, rows, cols, _ = wobble.shape
    u = np.clip((points[..., 0] / half_extent[0] + 1) / 2 * (cols - 1), 0, cols - 1)
    v = np.clip((points[..., 1] / half_extent[1] + 1) / 2 * (rows - 1), 0, rows - 1)
    left, top = np.minimum(u.astype(np.intp), cols - 2), np.minimum(v.astype(np.intp), rows - 2)
    fu, fv = (u - left)[..., None], (v - top)[..., None]
    flat = wobble.reshape(n * rows * cols, 2)
    first = (np.arange(n)[:, None] * rows + top) * cols + left
    upper = flat[first] * (1 - fu) + flat[first + 1] * fu
    lower = flat[first + cols] * (1 - fu) + flat[first + cols + 1] * fu
    return np.asarray(upper * (1 - fv) + lower * fv)


def reach(points: Float) -> Float:
    """How far points (n, p, 2) reach right, down, left, up: (n, 4)."""
    high, low = points.max(axis=1), points.min(axis=1)
    return np.concatenate([high, -low], axis=1)


def margins(camera: CameraPath, pose: Float, part: slice) -> tuple[Float, Float]:
    """For the frames of `part`: margin (n, 4) that the wobble takes from each side, and by how much the field leaves the frame (n,)."""
    span = half_span(camera.geometry)
    rectified = place(border_points(span), pose)
    field = rectified + sample_wobble(camera.wobble[part], rectified, camera.geometry.half_extent)
    outer = reach(field)
    return outer - reach(rectified), (outer - np.tile(span, 2)).max(axis=1)
