"""CameraPath -> SimilarityPath: one convex problem for each shot, under the true crop constraint.

The objective is in `path.terms`, less a reward for the field of view that is kept. How one shot is solved is in
`path.windows`. Where a crop enlarges more shake than it removes, the reward grows, and where the crop breathes, the
penalties of its zoom, both around there alone. Where nothing helps, the input's own path is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from stabilize import spool
from stabilize.core import CameraPath, Float, Float16
from stabilize.errors import SolveError
from stabilize.fields.smoothing import gaussian_mean, in_frames
from stabilize.path.compare import shake_ratios, zoom_ripple
from stabilize.path.shrink import shrink_into_frame
from stabilize.path.similarity import SimilarityPath
from stabilize.path.terms import SolverInput, solver_input
from stabilize.path.windows import IDENTITY, Balance, solve_shot
from stabilize.progress import SolverProgress
from stabilize.settings import PathConfig

# Per frame, for the whole width kept. The penalties of `path.terms` are weighed against it.
FOV_REWARD = 30.0
FOV_REWARD_GROWTH = 4.0  # factor of the next attempt, where the output is shakier than the input
ATTEMPTS = 4
ZOOM_RIPPLE_MAX = 5e-3  # RMS of the crop's log scale about its smooth: above, the next attempt zooms less there
ZOOM_FACTOR_GROWTH = 4.0
SHAKE_RATIO_MAX = 1.02  # of the input's shake: above, the next attempt crops less there
AS_FILMED_RATIO = 1.15  # of its acceleration: above, after the last attempt, the input's own path is shown
GUARD_S = 0.25  # before and after such frames, that are treated like them
FADE_S = 0.25  # standard deviation of the change to and fro
TOO_FAST = "the camera moves further than the crop can follow there; a larger --max-crop may help"
SHOTS_LISTED = 5  # whose times a note lists


@dataclass(frozen=True, slots=True)
class _SolvedShot:
    """The path of one shot."""

    pose: Float
    """(n, 4) crop poses."""
    as_filmed: Float
    """(n,) share of the input's own path, 0 to 1."""


def solve_path(camera: CameraPath, config: PathConfig, progress: SolverProgress | None = None) -> SimilarityPath:
    """The steadiest path that the crop allows; `progress(done, total)` counts frames.

    Where no crop makes the output steadier than the input, the input's own path is shown, and a note says so. A shot
    without a solution is left as filmed, without any warp. Raises SolveError where no shot has a solution.
    """
    data = solver_input(camera, config)
    frames = len(camera.timeline)
    pose, as_filmed = np.tile(IDENTITY, (frames, 1)), np.zeros(frames)
    done = 0
    unwarped: list[slice] = []
    unsolved: dict[tuple[int, int], SolveError] = {}
    for shot in camera.shots:
        if shot.stop - shot.start < 2:
            unwarped.append(shot)  # a single frame has no path: it is left as filmed
            continue
        try:
            solved = _solve_shot(data, shot)
            pose[shot], as_filmed[shot] = solved.pose, solved.as_filmed
        except SolveError as error:
            unsolved[shot.start, shot.stop] = error
            unwarped.append(shot)
        done += shot.stop - shot.start
        if progress:
            progress(done, frames)
    if unsolved and len(unsolved) == sum(shot.stop - shot.start > 1 for shot in camera.shots):
        raise next(iter(unsolved.values()))
    notes = (*_unsolved_notes(camera, unsolved), *_unsteadied_notes(camera, as_filmed))
    for shot in unwarped:
        as_filmed[shot] = 1
    return SimilarityPath(_with_less_wobble(camera, 1 - as_filmed), pose, notes)


def _with_less_wobble(camera: CameraPath, share: Float) -> CameraPath:
    """The camera path with a share (n,) of each frame's wobble: without a crop there is no room to remove it."""
    less = np.flatnonzero(share < 1)
    if not any(camera.wobble[frame].any() for frame in less):
        return camera
    wobble = spool.resized(camera.wobble, len(camera.wobble))
    for frame in less:
        wobble[frame] *= np.float16(share[frame])
    spool.release(wobble)
    return replace(camera, wobble=wobble)


def _unsolved_notes(camera: CameraPath, unsolved: dict[tuple[int, int], SolveError]) -> tuple[str, ...]:
    """For each reason, the times that were left as filmed."""
    frames_of_reason: dict[str, list[slice]] = {}
    for ends, error in unsolved.items():
        frames_of_reason.setdefault(str(error), []).append(slice(*ends))
    return tuple(
        f"left as filmed, from {_times(camera, frames)}: {reason}" for reason, frames in frames_of_reason.items()
    )


def _unsteadied_notes(camera: CameraPath, as_filmed: Float) -> tuple[str, ...]:
    """The times in which the input's own path is shown, by its share (n,) in the solved shots."""
    stretches = _stretches(as_filmed > 0.5)
    return (f"could not steady {_times(camera, stretches)}: {TOO_FAST}",) if stretches else ()


def _stretches(frames: NDArray[np.bool_]) -> list[slice]:
    """Runs of frames (n,) that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], frames, [False]])))
    return [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _times(camera: CameraPath, stretches: list[slice]) -> str:
    """The first and last times of the first stretches, for a note."""
    time_s = camera.timeline.time_s
    times = [f"{time_s[part.start]:.2f} to {time_s[part.stop - 1]:.2f} s" for part in stretches[:SHOTS_LISTED]]
    more = len(stretches) - SHOTS_LISTED
    return ", from ".join(times) + (f", and {more} more" if more > 0 else "")


def _solve_shot(data: SolverInput, shot: slice) -> _SolvedShot:
    """The shot's path; with a level horizon the first solution stands: levelling is worth a crop by itself."""
    frames = shot.stop - shot.start
    if not _has_motion(data.camera, shot):
        return _SolvedShot(np.tile(IDENTITY, (frames, 1)), np.zeros(frames))
    balance = Balance(np.full(frames, FOV_REWARD), np.ones(frames))
    final = data.config.horizon_deg is not None or not data.max_crop(shot).any()
    for attempt in range(ATTEMPTS):
        pose = solve_shot(data, shot, balance)
        if final:
            break
        intervals = data.intervals[shot.start : shot.stop - 1]
        acceleration, distance = shake_ratios(data.camera, shot, pose, intervals, data.interval_s)
        shakier = np.maximum(acceleration, distance) > SHAKE_RATIO_MAX
        breathing = zoom_ripple(pose, data.interval_s) > ZOOM_RIPPLE_MAX
        if attempt + 1 < ATTEMPTS and (shakier.any() or breathing.any()):
            balance = Balance(
                balance.fov_reward * FOV_REWARD_GROWTH ** _faded(shakier, data.interval_s),
                balance.zoom_factor * ZOOM_FACTOR_GROWTH ** _faded(shakier | breathing, data.interval_s),
            )
        elif (acceleration > AS_FILMED_RATIO).any():
            return _as_filmed_where(data, shot, pose, _faded(acceleration > AS_FILMED_RATIO, data.interval_s))
        else:
            break
    return _SolvedShot(pose, np.zeros(frames))


def _faded(frames: NDArray[np.bool_], interval_s: float) -> Float:
    """1 at the given frames (n,) and GUARD_S around, falling smoothly to 0."""
    guard = 2 * round(in_frames(GUARD_S, interval_s)) + 1
    wide = maximum_filter1d(frames.astype(np.float64), guard + 2 * round(in_frames(2 * FADE_S, interval_s)))
    return np.asarray(gaussian_mean(wide, in_frames(FADE_S, interval_s)).clip(0, 1))


def _as_filmed_where(data: SolverInput, shot: slice, pose: Float, share: Float) -> _SolvedShot:
    """The path, faded into the input's own by a share (n,) of it."""
    whole = np.zeros(len(data.camera.timeline))
    whole[shot] = share
    mixed = (1 - share[:, None]) * pose + share[:, None] * IDENTITY
    return _SolvedShot(shrink_into_frame(_with_less_wobble(data.camera, 1 - whole), shot, mixed), share)


def _has_motion(camera: CameraPath, shot: slice) -> bool:
    return bool((camera.step[shot.start : shot.stop - 1] != IDENTITY).any() or _has_wobble(camera.wobble[shot]))


def _has_wobble(wobble: Float16) -> bool:
    return any(bool(wobble[part].any()) for part in spool.chunks(len(wobble), wobble))
