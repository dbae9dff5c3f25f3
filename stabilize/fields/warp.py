"""The output's nodes, and the WarpField of their source points: used by every kind of path."""

from __future__ import annotations

import numpy as np

from stabilize.core import Float, FrameGeometry, WarpField, field_nodes

NODES = (19, 33)  # rows, columns: 18 x 32 cells


def output_nodes(geometry: FrameGeometry) -> Float:
    """Nodes (rows * cols, 2) of the output picture in units."""
    y, x = np.meshgrid(field_nodes(NODES[0], geometry.height), field_nodes(NODES[1], geometry.width), indexing="ij")
    return geometry.to_unit(np.stack([x.ravel(), y.ravel()], axis=1))


def warp_field(source: Float, geometry: FrameGeometry) -> WarpField:
    """The field of source points (rows * cols, 2), units, one for each node of the output."""
    return WarpField(geometry.to_px(source).reshape(*NODES, 2).astype(np.float32))
