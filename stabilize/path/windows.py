"""One shot solved: in overlapping windows side by side, each under the true crop constraint, with one scale or many.

The crop window inside the frame is a hard constraint of the solver. It is tightened, and the window solved again, until
the field itself, wobble included, lies inside.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from stabilize import spool
from stabilize.core import Float
from stabilize.errors import SolveError
from stabilize.parallel import cores
from stabilize.path.crop import corner_rows, half_span, margins
from stabilize.path.interior_point import Problem, solve
from stabilize.path.shrink import LESS_WOBBLE, shrink_into_frame
from stabilize.path.terms import SolverInput, objective_terms

WINDOW_FRAMES = 3000  # solved at once: larger falls out of the cache, and costs more iterations
OVERLAP_FRAMES = 300  # over which two windows are blended
SAFETY_UNITS = 4e-4  # kept free at each side (0.13 px of 640): the field between the points that are checked
MARGIN_ROUNDS = 7  # solves of a window, each with wider margins
ROUGH_TOLERANCE, TOLERANCE = 1e-3, 1e-5  # of the solver: for the first solution, which only tells the margins
STATIC_ZOOM_ROUNDS = 2  # each brings the scales of a static zoom nearer to one number; the rest is made equal
SCALE_MIN = 0.3  # of a crop: where the margins leave less, there is no solution
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])  # the pose that shows the whole rectified frame


@dataclass(frozen=True, slots=True)
class Balance:
    """What the steadiness of the n frames of a shot is weighed against."""

    fov_reward: Float
    """(n,) gain of the objective for the whole width kept."""
    zoom_factor: Float
    """(n,) of the penalties of the zoom."""

    def of(self, frames: slice) -> Balance:
        """Of some of the frames."""
        return Balance(self.fov_reward[frames], self.zoom_factor[frames])


def solve_shot(data: SolverInput, shot: slice, balance: Balance) -> Float:
    """Crop poses (n, 4) of a shot of at least two frames.

    Raises SolveError where there is no solution.
    """
    frames = shot.stop - shot.start
    starts = range(0, max(frames - OVERLAP_FRAMES, 1), WINDOW_FRAMES)
    windows = [slice(shot.start + s, shot.start + min(s + WINDOW_FRAMES + OVERLAP_FRAMES, frames)) for s in starts]

    def solve_one(window: slice, real_scale: Float | None) -> Float:
        inside_shot = slice(window.start - shot.start, window.stop - shot.start)
        pose = _solve_window(data, window, balance.of(inside_shot), real_scale)
        spool.trim_heap()  # or freed memory of each window would stay with the process
        return pose

    def solve_all(pool: ThreadPoolExecutor, real_scale: Float | None = None) -> Float:
        inside_shot = [slice(w.start - shot.start, w.stop - shot.start) for w in windows]
        scales = [None if real_scale is None else real_scale[part] for part in inside_shot]
        return _blend(list(pool.map(solve_one, windows, scales)), [part.start for part in inside_shot], frames)

    with ThreadPoolExecutor(max_workers=min(cores(), len(windows))) as pool:
        pose = solve_all(pool)
        if data.config.zoom == "static":
            scale = float(_scales(pose).min())
            for _ in range(STATIC_ZOOM_ROUNDS):
                pose = solve_all(pool, scale * pose[:, 0] / _scales(pose))
            pose = shrink_into_frame(data.camera, shot, _equal_scales(pose), uniform=True)
    return pose


def _scales(pose: Float) -> Float:
    return np.asarray(np.hypot(pose[:, 0], pose[:, 1]))


def _equal_scales(pose: Float) -> Float:
    """All crops made as small as the smallest, each about its own centre, so that none grows out of the frame."""
    scale = _scales(pose)[:, None]
    return np.concatenate([pose[:, :2] * (scale.min() / scale), pose[:, 2:]], axis=1)


def _blend(parts: list[Float], starts: list[int], frames: int) -> Float:
    """Cross-fade windows where they overlap: a blend of two poses inside a convex set is inside it."""
    out = np.zeros((frames, 4))
    for part, start in zip(parts, starts, strict=True):
        shared = max(0, min(OVERLAP_FRAMES, len(part))) if start else 0
        t = np.linspace(0, 1, shared + 2)[1:-1, None] if shared else np.zeros((0, 1))
        fade = t * t * (3 - 2 * t)
        out[start : start + shared] += fade * (part[:shared] - out[start : start + shared])
        out[start + shared : start + len(part)] = part[shared:]
    return out


def _solve_window(data: SolverInput, window: slice, balance: Balance, real_scale: Float | None) -> Float:
    """Solve roughly, measure the margins that the wobble needs there, and solve until the field lies inside.

    `real_scale` (n,) holds the real part of each pose's scale for a static zoom. The scale itself is no linear
    constraint, but its real part is, given the roll of the round before.
    """
    camera = data.camera
    margin, tolerance = _first_margins(data, window), ROUGH_TOLERANCE
    for _ in range(MARGIN_ROUNDS):
        pose = _solve_with_margins(data, window, margin + SAFETY_UNITS, balance, real_scale, tolerance)
        needed, outside = margins(camera, pose, window)
        if tolerance == ROUGH_TOLERANCE:
            margin, tolerance = needed, TOLERANCE
        elif outside.max() <= -SAFETY_UNITS / 2:
            return pose
        else:
            margin = np.where(outside[:, None] > -SAFETY_UNITS / 2, np.maximum(margin, needed + SAFETY_UNITS), margin)
    return shrink_into_frame(camera, window, pose)


def _first_margins(data: SolverInput, window: slice) -> Float:
    """Margins (n, 4) that the wobble needs at the tightest crop, at half of it, and near the edge of the frame."""
    margin = np.zeros((window.stop - window.start, 4))
    crop = data.max_crop(window)
    for scale in (1 - crop, 1 - crop / 2, np.full_like(crop, 0.98)):
        margin = np.maximum(margin, margins(data.camera, scale[:, None] * IDENTITY, window)[0])
    return margin


def _solve_with_margins(  # noqa: PLR0917
    data: SolverInput, window: slice, margin: Float, balance: Balance, real_scale: Float | None, tolerance: float
) -> Float:
    """Poses (n, 4) whose corners keep the margins (n, 4), in the order of `crop.SIDES`."""
    span = half_span(data.camera.geometry)
    frames = window.stop - window.start
    rows, sides = corner_rows(span)
    room = np.tile(span, 2) - margin
    scale_min = _feasible_scale(1 - data.max_crop(window) if real_scale is None else real_scale, room, span)
    limit = np.concatenate([room[:, sides], -scale_min[:, None]], axis=1)
    cost = np.zeros((frames, 4))
    cost[:, 0] = -balance.fov_reward
    start = np.tile(IDENTITY, (frames, 1)) * scale_min[:, None] * (1 + 1e-4)
    if real_scale is not None:  # bounded from above too, with just enough room for a start strictly inside
        limit = np.concatenate([limit, real_scale[:, None] * (1 + 2e-4)], axis=1)
        rows = np.concatenate([rows, [[1.0, 0, 0, 0]]])
    return solve(Problem(objective_terms(data, window, balance.zoom_factor), cost, rows, limit, start), tolerance)


def _feasible_scale(scale_min: Float, room: Float, span: Float) -> Float:
    """The lower bound (n,) of each frame's scale, lowered where the margins leave no room for it.

    Raises SolveError where they leave less than SCALE_MIN.
    """
    largest = (room / np.tile(span, 2)).min(axis=1) * (1 - 5e-4)
    if largest.min() < SCALE_MIN:
        raise SolveError(f"the local motion leaves less than a third of the picture: {LESS_WOBBLE}")
    return np.asarray(np.minimum(scale_min, largest))
