"""CameraPath -> SimilarityPath: one convex problem for each shot, under the true crop constraint.

Objective (Grundmann, Kwatra, Essa 2011, with zoom as a variable): first, second and third differences of the output's
path in L1, less a reward for every bit of picture that stays. The crop window inside the frame is a hard constraint of
the solver, tightened and solved again until the field itself, wobble included, lies inside.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stabilize import spool
from stabilize.core import CameraPath, Float, Float16, FrameGeometry
from stabilize.errors import SolveError
from stabilize.fields.similarity import to_complex, to_real
from stabilize.parallel import cores
from stabilize.path.crop import corner_rows, half_span, margins
from stabilize.path.differences import Difference, differences
from stabilize.path.interior_point import Problem, Term, solve
from stabilize.path.keyframes import at_times
from stabilize.path.measure import not_worse
from stabilize.path.similarity import SimilarityPath
from stabilize.progress import SolverProgress
from stabilize.settings import AxisStrength, PathConfig

WINDOW = 3000  # frames solved at once: larger falls out of the cache, and costs more iterations
OVERLAP = 300
SAFETY = 4e-4  # units kept free at each side (0.13 px of 640): the field between the points that are checked
ROUNDS = 6
FORESIGHT = 1.15  # by which the margin exceeds what the wobble takes at the guessed poses
# Weights of the first to third difference, for a time of one frame; columns a (zoom), b (roll), x, y. Chosen on the
# real clips for the least jitter at equal field of view. Zoom has no first-order term: walking forward is a steady
# zoom, and no shake.
WEIGHTS = np.array([[0.03, 1.0, 1.0, 1.0], [0.9, 3.0, 3.0, 3.0], [0.03, 0.1, 0.1, 0.1]])
# Reward per frame for the whole width kept; at smoothness 1 s a shake of 1 Hz costs about 100 times its amplitude.
KEEP = 30.0
GIVE_WAY = 4.0  # by which the reward grows where cropping does more harm than good
# Per frame and radian of lean: more than any crop that levels it costs, so that only the frame's edge stops it.
HORIZON = 300.0
TRIPOD = 100.0  # weight of the first difference that holds the camera still, for a time of one frame
CENTRE = 1e-6  # keeps L2-flat directions defined
STATIC_ROUNDS = 2  # each brings the scale of a static crop nearer to one number; what is left is cut
FADE = 30  # frames around one that is pulled in over which its neighbours are, less and less
NAMED = 5  # shots that a note tells the times of
AS_FILMED = np.array([1.0, 0.0, 0.0, 0.0])
LESS_WOBBLE = (
    "raise --max-crop, or leave local motion in with --set fuse.wobble_limit=0 (with a log also --set gyro.use=off)"
)


@dataclass(frozen=True, slots=True)
class _Task:
    """A camera and what is asked of its path, with the clock of the whole video: made once, not for every shot."""

    camera: CameraPath
    config: PathConfig
    time_s: Float
    """(n,) of each frame."""
    intervals: Float
    """(n-1,) between frames, in units of the usual one."""
    interval_s: float
    """The usual time between frames."""


def solve_path(camera: CameraPath, config: PathConfig, progress: SolverProgress | None = None) -> SimilarityPath:
    """The steadiest path that the crop allows.

    A shot without a solution is left as filmed, without any warp, and a note says so; raises SolveError where that is
    every shot.
    """
    clock = camera.timeline
    task = _Task(camera, config, clock.time_s, clock.intervals, clock.interval_s)
    frames = len(clock)
    pose = np.tile(AS_FILMED, (frames, 1))
    done = 0
    alone, unsolved = [], {}
    for shot in camera.shots:
        if shot.stop - shot.start < 2:
            alone.append(shot)  # a single frame has no path; it is shown as it is
            continue
        try:
            pose[shot] = _never_worse(task, shot)
        except SolveError as error:
            unsolved[shot.start, shot.stop] = error
        done += shot.stop - shot.start
        if progress:
            progress(done, frames)
    if unsolved and len(unsolved) + len(alone) == len(camera.shots):
        raise next(iter(unsolved.values()))
    filmed = alone + [slice(*ends) for ends in unsolved]
    return SimilarityPath(_without_wobble(camera, filmed), pose, _notes(camera, unsolved))


def _without_wobble(camera: CameraPath, shots: list[slice]) -> CameraPath:
    """The path with nothing taken out of some shots: what is not cropped has no room for it."""
    if not any(_wobbles(camera.wobble[shot]) for shot in shots):
        return camera
    wobble = spool.resized(camera.wobble, len(camera.wobble))
    for shot in shots:
        wobble[shot] = 0
    spool.release(wobble)
    return replace(camera, wobble=wobble)


def _notes(camera: CameraPath, unsolved: dict[tuple[int, int], SolveError]) -> tuple[str, ...]:
    """For each reason, the times that were left as filmed."""
    time_s = camera.timeline.time_s
    when: dict[str, list[str]] = {}
    for (start, stop), error in unsolved.items():
        when.setdefault(str(error), []).append(f"{time_s[start]:.2f} to {time_s[stop - 1]:.2f} s")
    return tuple(f"left as filmed, from {_listed(times)}: {why}" for why, times in when.items())


def _listed(times: list[str]) -> str:
    more = len(times) - NAMED
    return ", from ".join(times[:NAMED]) + (f", and {more} more shots" if more > 0 else "")


def _never_worse(task: _Task, shot: slice) -> Float:
    """The shot's poses; where the crop enlarges more shake than it takes out, less and less of it is cropped.

    Not so where a level horizon was asked for: that is worth a crop by itself.
    """
    if not _moves(task.camera, shot):
        return np.tile(AS_FILMED, (shot.stop - shot.start, 1))
    keep = KEEP
    for _ in range(4):
        pose = _solve_shot(task, shot, keep)
        uncropped = not _largest_crop(task, shot).any()
        levelled = task.config.horizon_deg is not None
        if uncropped or levelled or not_worse(task.camera, shot, pose, task.interval_s):
            break
        keep *= GIVE_WAY
    return pose


def _moves(camera: CameraPath, shot: slice) -> bool:
    return bool((camera.step[shot.start : shot.stop - 1] != AS_FILMED).any() or _wobbles(camera.wobble[shot]))


def _wobbles(wobble: Float16) -> bool:
    return any(bool(wobble[part].any()) for part in spool.chunks(len(wobble), wobble))


def _solve_shot(task: _Task, shot: slice, keep: float) -> Float:
    frames = shot.stop - shot.start
    starts = range(0, max(frames - OVERLAP, 1), WINDOW)
    windows = [slice(shot.start + s, shot.start + min(s + WINDOW + OVERLAP, frames)) for s in starts]

    def solved(window: slice, real: Float | None) -> Float:
        pose = _solve_window(task, window, keep, real)
        spool.trim()  # or each window leaves something behind
        return pose

    def joined(pool: ThreadPoolExecutor, real: Float | None = None) -> Float:
        share = [None if real is None else real[w.start - shot.start : w.stop - shot.start] for w in windows]
        return _join(list(pool.map(solved, windows, share)), [w.start - shot.start for w in windows], frames)

    with ThreadPoolExecutor(max_workers=min(cores(), len(windows))) as pool:
        pose = joined(pool)
        if task.config.zoom == "static":
            scale = float(_scales(pose).min())
            for _ in range(STATIC_ROUNDS):
                pose = joined(pool, scale * pose[:, 0] / _scales(pose))
            pose = _pull_in(task.camera, shot, _with_one_scale(pose), as_one=True)
    return pose


def _scales(pose: Float) -> Float:
    return np.asarray(np.hypot(pose[:, 0], pose[:, 1]))


def _with_one_scale(pose: Float) -> Float:
    """Every window made as small as the smallest: about its own centre, so that it stays inside what held it."""
    size = _scales(pose)[:, None]
    return np.concatenate([pose[:, :2] * (size.min() / size), pose[:, 2:]], axis=1)


def _join(parts: list[Float], starts: list[int], frames: int) -> Float:
    """Cross-fade windows where they overlap: a blend of two poses inside a convex set is inside it."""
    out = np.zeros((frames, 4))
    for part, start in zip(parts, starts, strict=True):
        shared = max(0, min(OVERLAP, len(part))) if start else 0
        t = np.linspace(0, 1, shared + 2)[1:-1, None] if shared else np.zeros((0, 1))
        fade = t * t * (3 - 2 * t)
        out[start : start + shared] += fade * (part[:shared] - out[start : start + shared])
        out[start + shared : start + len(part)] = part[shared:]
    return out


def _solve_window(task: _Task, part: slice, keep: float, real: Float | None) -> Float:
    """Solve, measure what the wobble takes, tighten, and solve again until the field lies inside.

    `real` (n,), for a static crop, is what the real part of each pose's scale is held at: the scale itself is no linear
    constraint, but with the roll of the round before it is.
    """
    # At the tightest crop and near the edge of the frame: most solutions lie between, and need no second round.
    camera = task.camera
    margin = np.zeros((part.stop - part.start, 4))
    crop = _largest_crop(task, part)
    for guess in (1 - crop, 1 - crop / 2, np.full_like(crop, 0.98)):
        pose = guess[:, None] * [1.0, 0, 0, 0]
        margin = np.maximum(margin, FORESIGHT * margins(camera, pose, part)[0])
    for _ in range(ROUNDS):
        pose = _solve_once(task, part, margin + SAFETY, keep, real)
        found, outside = margins(camera, pose, part)
        if outside.max(initial=0) <= 0:
            return pose
        margin = np.where(outside[:, None] > 0, np.maximum(margin, found + SAFETY), margin)
    return _pull_in(camera, part, pose)


def _pull_in(camera: CameraPath, part: slice, pose: Float, as_one: bool = False) -> Float:
    """Last resort where the wobble keeps changing under the solver: shrink towards the centre, smoothly in time, or all
    frames `as_one`.
    """
    for shrink in (0.995, 0.99, 0.98, 0.95, 0.9, 0.8):
        outside = margins(camera, pose, part)[1] > 0
        if not outside.any():
            return pose
        need = np.ones(len(pose)) if as_one else _spread(outside)
        pose = pose * (1 - need[:, None] * (1 - shrink))
    if (margins(camera, pose, part)[1] > 0).any():
        raise SolveError(f"the local motion is too strong for the crop: {LESS_WOBBLE}")
    return pose


def _spread(outside: NDArray[np.bool_]) -> Float:
    """1 where frames (n,) are outside, fading within a second around."""
    around = np.convolve(outside, np.hanning(2 * FADE + 1))
    return np.asarray(around[FADE : FADE + len(outside)].clip(0, 1))


def _solve_once(task: _Task, part: slice, margin: Float, keep: float, real: Float | None) -> Float:
    span = half_span(task.camera.geometry)
    frames = part.stop - part.start
    rows, sides = corner_rows(span)
    room = np.tile(span, 2) - margin
    least = _least_scale(1 - _largest_crop(task, part) if real is None else real, room, span)
    limit = np.concatenate([room[:, sides], -least[:, None]], axis=1)
    cost = np.tile([-keep, 0.0, 0, 0], (frames, 1))
    start = np.tile(AS_FILMED, (frames, 1)) * least[:, None] * (1 + 1e-4)
    if real is not None:  # a static crop: the scale may not leave a hair's breadth
        limit = np.concatenate([limit, real[:, None] * (1 + 2e-4)], axis=1)
        rows = np.concatenate([rows, [[1.0, 0, 0, 0]]])
    return solve(Problem(_terms(task, part), cost, rows, limit, start, task.config.loss))


def _largest_crop(task: _Task, part: slice) -> Float:
    """The share of the width (n,) that may be cropped at each frame."""
    return at_times(task.config.max_crop, task.time_s[part])


def _least_scale(wanted: Float, room: Float, span: Float) -> Float:
    """Least scale of each frame: what is wanted, less where the wobble leaves no room even for that."""
    fits = (room / np.tile(span, 2)).min(axis=1) * (1 - 5e-4)
    if fits.min() < 0.3:
        raise SolveError(f"the local motion leaves less than a third of the picture: {LESS_WOBBLE}")
    return np.asarray(np.minimum(wanted, fits))


def _terms(task: _Task, part: slice) -> tuple[Term, ...]:
    """Weighted differences of the window; in tripod mode the first one counts for all."""
    camera, config, time_s = task.camera, task.config, task.time_s[part]
    pairs = slice(part.start, part.stop - 1)
    steps = to_complex(_scaled(camera.step[pairs], _stored(config.strength, camera.geometry), time_s[:-1]))
    interval, belief = task.intervals[pairs], camera.weight[pairs]
    horizon = at_times(config.smoothness_s, time_s) / task.interval_s
    pace = np.minimum(horizon, WINDOW)[:, None]
    terms = []
    for order, difference in enumerate(differences(steps, interval), start=1):
        local = pace[: difference.factor.shape[1]]
        weight = np.full(4, TRIPOD) * local if config.tripod and order == 1 else WEIGHTS[order - 1] * local**order
        terms.append(Term(difference, np.maximum(weight * _least(belief, order)[:, None], CENTRE)))
    if config.horizon_deg is not None and camera.level is not None:
        terms += _horizon(camera.level[part], np.radians(config.horizon_deg))
    return tuple(terms)


def _least(belief: Float, span: int) -> Float:
    """The least belief (n - span,) of any `span` steps in a row."""
    return np.asarray(sliding_window_view(belief, span).min(axis=1))


def _stored(strength: AxisStrength, geometry: FrameGeometry) -> AxisStrength:
    """Strengths for the axes of the stored picture, of those for the displayed one."""
    return AxisStrength(strength.y, strength.x, strength.roll) if geometry.lies_on_its_side else strength


def _horizon(level: Float, limit: float) -> list[Term]:
    """Lean beyond the limit: |r| from level, or (|r - limit| + |r + limit|) / 2, which is even between them."""
    sides = (0.0,) if limit == 0 else (-limit, limit)
    weight = np.full((len(level), 4), CENTRE)
    weight[np.isfinite(level), 1] = HORIZON / len(sides)
    upright = np.nan_to_num(level)
    nothing = np.zeros((len(level), 2), complex)
    return [Term(Difference(np.exp(-1j * (upright + side))[None], nothing), weight) for side in sides]


def _scaled(step: Float, strength: AxisStrength, time_s: Float) -> Float:
    """Only the share of the camera's motion that is to be taken out is shown to the solver."""
    if strength == AxisStrength():
        return step
    x, y, roll = (at_times(share, time_s) for share in (strength.x, strength.y, strength.roll))
    z = np.exp(1j * np.angle(to_complex(step)[:, 0]) * roll) * np.abs(to_complex(step)[:, 0])
    w = step[:, 2] * x + 1j * step[:, 3] * y
    return to_real(np.stack([z, w], axis=1))
