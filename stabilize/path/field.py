"""StablePath -> the WarpField of one frame."""

from __future__ import annotations

import numpy as np

from stabilize.core import Float, FrameGeometry, StablePath, WarpField, field_nodes
from stabilize.fields.grid import sample
from stabilize.path.crop import place

NODES = (19, 33)  # rows, columns: 18 x 32 cells


def output_nodes(geometry: FrameGeometry) -> Float:
    """Nodes (rows * cols, 2) of the output picture in units."""
    y, x = np.meshgrid(field_nodes(NODES[0], geometry.height), field_nodes(NODES[1], geometry.width), indexing="ij")
    return geometry.to_unit(np.stack([x.ravel(), y.ravel()], axis=1))


def warp_field(path: StablePath, index: int) -> WarpField:
    """Where each pixel of output frame `index` comes from in the input frame of the same index."""
    geometry = path.camera.geometry
    rectified = place(output_nodes(geometry), path.crop_pose[index : index + 1])
    wobble = path.camera.wobble[index : index + 1]
    source = rectified + sample(wobble, rectified, geometry.half_extent)
    return WarpField(geometry.to_px(source[0]).reshape(*NODES, 2).astype(np.float32))
