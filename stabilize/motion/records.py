"""The motion of a whole video in arrays that grow as it comes: an hour of single objects would fill a gigabyte."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stabilize import spool
from stabilize.core import FrameGeometry, Motion, Timeline
from stabilize.errors import MotionError
from stabilize.matches import Matches
from stabilize.motion.mesh import mesh_shape
from stabilize.motion.observation import FrameMotion

PAIR = np.dtype(
    [
        ("status", np.uint8),
        ("model", np.uint8),
        ("coverage", np.float32),
        ("residual", np.float32),
        ("H_next_prev", np.float64, (3, 3)),
    ]
)
MATCH = np.dtype(
    [
        ("pair", np.int64),
        ("prev_unit", np.float32, (2,)),
        ("next_unit", np.float32, (2,)),
        ("weight", np.float32),
    ]
)
MATCH_ROWS = 1 << 16  # that are taken from the file at a time


def collect(frames: Iterable[FrameMotion], geometry: FrameGeometry, time_base: Fraction) -> Motion:
    """The motion of all frames. Raises MotionError where there is none, or their times cannot be used."""
    pts: list[int] = []
    sharpness: list[float] = []
    records = np.zeros(spool.CHUNK_FRAMES, PAIR)
    mesh = _Rows((*mesh_shape(geometry.half_extent), 2), np.float16, spool.CHUNK_FRAMES)
    matches = _Rows((), MATCH, MATCH_ROWS)
    for frame in frames:
        pts.append(frame.pts)
        sharpness.append(frame.sharpness)
        if frame.motion is None:
            continue
        pair, motion = len(pts) - 2, frame.motion
        if pair == len(records):
            records.resize(2 * pair, refcheck=False)  # in place: memory that is not yet used costs nothing
        records[pair] = (motion.status, motion.model, motion.coverage, motion.residual, motion.H_next_prev)
        mesh.add(motion.mesh[None])
        if frame.matches is not None:
            matches.add(_rows(pair, frame))
    timeline = _timeline(pts, time_base)
    pairs = len(pts) - 1
    return Motion(
        timeline=timeline,
        geometry=geometry,
        **{name: records[name][:pairs] for name in ("H_next_prev", "status", "model", "coverage", "residual")},
        mesh=mesh.array,
        sharpness=np.array(sharpness, np.float32),
        matches=Matches(**{name: matches.array[name] for name in MATCH.names or ()}),
    )


def _timeline(pts: list[int], time_base: Fraction) -> Timeline:
    if not pts:
        raise MotionError("the video has no frame to analyse")
    try:
        return Timeline(np.array(pts, np.int64), time_base)
    except (ValueError, OverflowError) as error:
        raise MotionError(f"the times of the video's frames are damaged beyond use ({error})") from error


def _rows(pair: int, frame: FrameMotion) -> NDArray[np.void]:
    assert frame.matches is not None
    rows = np.empty(len(frame.matches.weight), MATCH)
    rows["pair"] = pair
    for name in ("prev_unit", "next_unit", "weight"):
        rows[name] = getattr(frame.matches, name)
    return rows


class _Rows:
    """A spooled array that grows along its first axis."""

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike, chunk: int) -> None:
        self._rows = spool.zeros((chunk, *shape), dtype)
        self._count, self._chunk = 0, chunk

    def add(self, rows: NDArray[np.generic]) -> None:
        end = self._count + len(rows)
        if end > len(self._rows):
            self._rows = spool.resized(self._rows, max(2 * len(self._rows), end))
        self._rows[self._count : end] = rows
        if end // self._chunk > self._count // self._chunk:
            spool.release(self._rows)
        self._count = end

    @property
    def array(self) -> NDArray[Any]:
        """What has been added."""
        return self._rows[: self._count]
