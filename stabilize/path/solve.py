"""CameraPath -> SimilarityPath: one convex problem for each shot, under the true crop constraint.

The objective is in `path.terms`, less a reward for the field of view that is kept. How one shot is solved is in
`path.windows`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stabilize import spool
from stabilize.core import CameraPath, Float, Float16
from stabilize.errors import SolveError
from stabilize.path.measure import not_worse
from stabilize.path.similarity import SimilarityPath
from stabilize.path.terms import SolverInput, solver_input
from stabilize.path.windows import IDENTITY, solve_shot
from stabilize.progress import SolverProgress
from stabilize.settings import PathConfig

# Per frame, for the whole width kept. At smoothness 1 s a shake of 1 Hz costs about 100 times its amplitude.
FOV_REWARD = 30.0
FOV_REWARD_GROWTH = 4.0  # factor of the next attempt, where a crop enlarges more shake than it removes
FOV_ATTEMPTS = 4
SHOTS_LISTED = 5  # whose times a note lists


def solve_path(camera: CameraPath, config: PathConfig, progress: SolverProgress | None = None) -> SimilarityPath:
    """The steadiest path that the crop allows; `progress(done, total)` counts frames.

    A shot without a solution is left as filmed, without any warp, and a note says so. Raises SolveError where no shot
    has a solution.
    """
    data = solver_input(camera, config)
    frames = len(camera.timeline)
    pose = np.tile(IDENTITY, (frames, 1))
    done = 0
    single_frames, unsolved = [], {}
    for shot in camera.shots:
        if shot.stop - shot.start < 2:
            single_frames.append(shot)  # a single frame has no path: it is left as filmed
            continue
        try:
            pose[shot] = _solve_not_worse(data, shot)
        except SolveError as error:
            unsolved[shot.start, shot.stop] = error
        done += shot.stop - shot.start
        if progress:
            progress(done, frames)
    if unsolved and len(unsolved) + len(single_frames) == len(camera.shots):
        raise next(iter(unsolved.values()))
    as_filmed = single_frames + [slice(*ends) for ends in unsolved]
    return SimilarityPath(_without_wobble(camera, as_filmed), pose, _notes(camera, unsolved))


def _without_wobble(camera: CameraPath, shots: list[slice]) -> CameraPath:
    """The camera path with the wobble of some shots set to 0: without a crop there is no room to remove it."""
    if not any(_has_wobble(camera.wobble[shot]) for shot in shots):
        return camera
    wobble = spool.resized(camera.wobble, len(camera.wobble))
    for shot in shots:
        wobble[shot] = 0
    spool.release(wobble)
    return replace(camera, wobble=wobble)


def _notes(camera: CameraPath, unsolved: dict[tuple[int, int], SolveError]) -> tuple[str, ...]:
    """For each reason, the times that were left as filmed."""
    time_s = camera.timeline.time_s
    times_of_reason: dict[str, list[str]] = {}
    for (start, stop), error in unsolved.items():
        times_of_reason.setdefault(str(error), []).append(f"{time_s[start]:.2f} to {time_s[stop - 1]:.2f} s")
    return tuple(f"left as filmed, from {_listed(times)}: {reason}" for reason, times in times_of_reason.items())


def _listed(times: list[str]) -> str:
    more = len(times) - SHOTS_LISTED
    return ", from ".join(times[:SHOTS_LISTED]) + (f", and {more} more shots" if more > 0 else "")


def _solve_not_worse(data: SolverInput, shot: slice) -> Float:
    """The shot's poses; where the crop enlarges more shake than it removes, solved again with less and less crop.

    With a level horizon the first solution stands: levelling is worth a crop by itself.
    """
    if not _has_motion(data.camera, shot):
        return np.tile(IDENTITY, (shot.stop - shot.start, 1))
    fov_reward = FOV_REWARD
    for _ in range(FOV_ATTEMPTS):
        pose = solve_shot(data, shot, fov_reward)
        uncropped = not data.max_crop(shot).any()
        levelled = data.config.horizon_deg is not None
        if uncropped or levelled or not_worse(data.camera, shot, pose, data.interval_s):
            break
        fov_reward *= FOV_REWARD_GROWTH
    return pose


def _has_motion(camera: CameraPath, shot: slice) -> bool:
    return bool((camera.step[shot.start : shot.stop - 1] != IDENTITY).any() or _has_wobble(camera.wobble[shot]))


def _has_wobble(wobble: Float16) -> bool:
    return any(bool(wobble[part].any()) for part in spool.chunks(len(wobble), wobble))
