"""The camera's rotation from the picture alone: Motion and a lens -> CameraRotation.

Each pair's motion moves the nodes of a grid. Of all rotations of their rays the one is taken that explains most of
that, robustly (Wahba 1965, by singular values). It includes what of a translation looks like a turn. What is left of
the motion, by rolling shutter, parallax or a lens that is not quite as assumed, is removed where it is fast, as wobble.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stabilize import spool
from stabilize.core import Float, Float16, Motion
from stabilize.fields.grid import node_positions
from stabilize.fields.picture_motion import bridge_gaps, picture_motion
from stabilize.fields.rotation import BANDS, CameraRotation, UnitLens, nearest_rotations
from stabilize.fields.smoothing import in_frames
from stabilize.fields.wobble import LOCAL_UNITS_MAX, accumulate_wobble, limit_wobble
from stabilize.settings import FuseConfig

ROUNDS = 5  # of reweighting
OUTLIER_MEDIANS = 2.0  # median distances at which a node starts to count less
DISTANCE_RAD_MIN = 1e-4  # a tenth of a pixel of 1000: what is closer agrees
TURN_RAD_MAX = 0.5  # of the camera between two frames: more is a wrong measurement
CHUNK_PAIRS = 256  # whose rays are in memory at once


def picture_rotation(motion: Motion, lens: UnitLens, config: FuseConfig, notes: tuple[str, ...] = ()) -> CameraRotation:
    """The camera's orientation in every frame, that of the first one of each shot being the world's axes.

    Pairs without measured motion are bridged by the rotations around them. `notes` are for the user.
    """
    frames = len(motion.timeline)
    wobble: Float16 = spool.zeros((frames, *motion.mesh.shape[1:]), np.float16)
    local = wobble[1:]  # first each pair's motion beyond rotation, then, in the same array, the wobble of each frame
    turn, known = _turns(motion, lens, local)
    turn[~known] = local[~known] = 0
    orientation, sigma = np.zeros((frames, 3)), in_frames(config.wobble_s, motion.timeline.interval_s)
    for shot in motion.shots:
        pairs = slice(shot.start, shot.stop - 1)
        bridge_gaps(turn[pairs], known[pairs])
        orientation[shot] = _accumulate(turn[pairs])
        accumulate_wobble(wobble[shot], sigma)
    limit_wobble(wobble, config.wobble_limit)
    return CameraRotation(
        orientation=orientation,
        line_turn=spool.zeros((frames, BANDS, 3), np.float64),
        line_shift=spool.zeros((frames, BANDS, 2), np.float64),
        by_columns=False,
        known=np.ones(frames, bool),
        gravity=False,
        half_extent=motion.geometry.half_extent,
        lens=lens,
        wobble=wobble,
        notes=notes,
    )


def _turns(motion: Motion, lens: UnitLens, local: Float16) -> tuple[Float, NDArray[np.bool_]]:
    """Rotation vectors (n-1, 3) of R_next_prev, and which of them (n-1,) were measured.

    Fills `local` (n-1, rows, cols, 2) with what each node moves beyond that.
    """
    from scipy.spatial.transform import Rotation  # loaded on demand: it takes memory

    nodes = node_positions(*motion.mesh_shape, motion.geometry.half_extent).reshape(-1, 2)
    rays = lens.rays(nodes)
    turn = np.zeros((len(motion.H_next_prev), 3))
    for start in range(0, len(turn), CHUNK_PAIRS):
        part = slice(start, start + CHUNK_PAIRS)
        next_ = picture_motion(motion, part, nodes)
        R_next_prev = _rotations_between(rays, lens.rays(next_))
        turn[part] = Rotation.from_matrix(R_next_prev).as_rotvec()
        beyond = np.nan_to_num(next_ - lens.points(rays @ R_next_prev.transpose(0, 2, 1)))
        local[part] = beyond.clip(-LOCAL_UNITS_MAX, LOCAL_UNITS_MAX).reshape(local[part].shape)
    return turn, motion.measured & (np.linalg.norm(turn, axis=1) < TURN_RAD_MAX)


def _rotations_between(prev: Float, next_: Float) -> Float:
    """Rotations (m, 3, 3) that take rays (k, 3) nearest to rays (m, k, 3); NaN rays do not count."""
    valid = np.isfinite(prev).all(axis=-1) & np.isfinite(next_).all(axis=-1)
    prev, next_ = np.nan_to_num(prev), np.nan_to_num(next_)
    share = valid.astype(np.float64)
    for _ in range(ROUNDS):
        R_next_prev = nearest_rotations(np.einsum("mk,mki,kj->mij", share, next_, prev))
        distance = np.linalg.norm(next_ - prev @ R_next_prev.transpose(0, 2, 1), axis=2)
        scale = OUTLIER_MEDIANS * np.maximum(np.median(distance, axis=1, keepdims=True), DISTANCE_RAD_MIN)
        share = valid / (1 + (distance / scale) ** 2)
    return R_next_prev


def _accumulate(turn: Float) -> Float:
    """Rotation vectors (n, 3) of R_world_cam from those of R_next_prev (n-1, 3)."""
    from scipy.spatial.transform import Rotation

    R_world_cam = Rotation.identity()
    orientation = np.zeros((len(turn) + 1, 3))
    for i, R_prev_next in enumerate(Rotation.from_rotvec(-turn) if len(turn) else ()):
        R_world_cam = R_world_cam * R_prev_next
        orientation[i + 1] = R_world_cam.as_rotvec()
    return orientation
