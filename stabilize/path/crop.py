"""The crop window inside the frame: the linear constraint of the solver, and the true one on the final field.

In the solver, the four corners of the placed window stay inside the frame less a margin per side and frame. In truth,
the field with its wobble has to stay inside the frame. `margins` measures how much further out the field reaches than
the window.
"""

from __future__ import annotations

import numpy as np

from stabilize import spool
from stabilize.core import CameraPath, Float, FrameGeometry
from stabilize.fields.grid import sample

SIDES = ("right", "bottom", "left", "top")
CHUNK_FRAMES = 512  # whose borders are in memory at once
BORDER_NODES = 33  # along each edge of the output, where the true constraint is checked


def half_span(geometry: FrameGeometry) -> Float:
    """Half extents (2,) in units from centre to centre of the outermost pixels: samples within lie in the picture."""
    pixels = np.array([(geometry.width - 1) * geometry.pixel_aspect, geometry.height - 1.0])
    return np.asarray(np.maximum(pixels, 1e-3) / 2 / geometry.half_long_px)


def corner_rows(span: Float) -> tuple[Float, Float]:
    """Constraint rows (9, 4) on a pose, and the index (8,) in SIDES of the first eight.

    Those are the coordinates of the corners. The last row is the lower bound of the scale: -a <= -minimum.
    """
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


def extents(points: Float) -> Float:
    """How far points (n, p, 2) reach right, down, left, up: (n, 4)."""
    high, low = points.max(axis=1), points.min(axis=1)
    return np.concatenate([high, -low], axis=1)


def margins(camera: CameraPath, pose: Float, part: slice) -> tuple[Float, Float]:
    """The margin (n, 4) that the wobble needs at each side, and how far the field leaves the frame (n,), units.

    Both are for crop poses (n, 4) of the frames of `part`; a field that lies inside leaves the frame by 0 or less.
    """
    span = half_span(camera.geometry)
    margin, outside = np.empty((len(pose), 4)), np.empty(len(pose))
    for chunk in spool.chunks(len(pose), camera.wobble, size=CHUNK_FRAMES):
        rectified = place(border_points(span), pose[chunk])
        wobble = camera.wobble[part.start + chunk.start : part.start + chunk.stop]
        outer = extents(rectified + sample(wobble, rectified, camera.geometry.half_extent))
        margin[chunk] = outer - extents(rectified)
        outside[chunk] = (outer - np.tile(span, 2)).max(axis=1)
    return margin, outside
