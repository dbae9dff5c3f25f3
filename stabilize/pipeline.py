"""The three stages: analyse (video -> Motion), solve (Motion -> StablePath), render (path -> video); and all in a row.

A video is given by its path, or by the `MediaInfo` that `probe` returned for it. No process-wide state is changed. The
stages process whole frames in parallel and are fastest when OpenCV uses no threads of its own; that is left to the
program (`cv2.setNumThreads(1)`, as in the command line).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyro.errors import SyncError
from localfiles.reading import PathLike
from stabilize import spool
from stabilize.config import Config
from stabilize.core import Motion, PairStatus, StablePath
from stabilize.fields.rotation import CameraRotation
from stabilize.fuse import RotationFields, camera_path
from stabilize.gyroscope.find import candidate_logs
from stabilize.gyroscope.stretches import compared_stretches
from stabilize.motion.estimate import estimate_motion
from stabilize.motion.sources import SOURCES
from stabilize.motion.stream import picture_size
from stabilize.parallel import prefetch
from stabilize.path.keyframes import values_at
from stabilize.path.measure import Evidence, Shake, SolvedPath, evidence
from stabilize.path.solvers import ROTATION_SOLVERS, SOLVERS
from stabilize.progress import StageProgress
from stabilize.rendering.backends import open_backend
from stabilize.rendering.run import render_video
from stabilize.video.open_input import OpenInput, reopen
from stabilize.video.probe import MediaInfo, probe
from stabilize.video.reader import read_luma, read_rgb
from stabilize.video.writer import VideoWriter

if TYPE_CHECKING:
    from gyro.readers import Candidate

Source = PathLike | MediaInfo
READERS = {"gray": read_luma, "rgb": read_rgb}
READ_AHEAD_FRAMES = 8  # decoded before the analysis needs them


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did."""

    source: str
    """Path of the input."""
    target: str
    """Path of the output."""
    frames: int
    """Frames of the output."""
    shots: int
    """Shots, separated by cuts."""
    unmeasured: int
    """Pairs of frames within a shot without measured motion."""
    gyro_used: bool
    """Whether the rotation comes from a gyroscope log."""
    crop_kept: float
    """Mean share of the frame area that remains after cropping."""
    least_crop_kept: float
    """Smallest such share of any frame."""
    shake_before: Shake
    """Shake of the input."""
    shake_after: Shake
    """Shake of the output."""
    crop_breathing: float
    """RMS of the crop's log scale about its own Gaussian smooth (sigma 0.5 s), percent."""
    crop_limit: float
    """The largest share of the width that might have been cropped of any frame."""
    at_crop_limit: float
    """Share of the frames that are cropped as far as they might be."""
    seconds: dict[str, float]
    """Duration of each stage."""
    warnings: tuple[str, ...]
    """Messages for the user."""


def analyse(source: Source, config: Config | None = None, progress: StageProgress | None = None) -> Motion:
    """Measure the motion of a video.

    Raises InputError if it cannot be read, MotionError if no motion can be measured.
    """
    return measure(_probed(source), config or Config(), progress)[0]


def _probed(source: Source) -> MediaInfo:
    return source if isinstance(source, MediaInfo) else probe(source)


def measure(
    source: MediaInfo | OpenInput, config: Config, progress: StageProgress | None = None, matches: bool = True
) -> tuple[Motion, tuple[str, ...]]:
    """Measure the motion of a video; also returns warnings about damage in the file. Raises like `analyse`.

    Without `matches` the motion cannot be synchronised with a gyroscope log later.
    """
    info = source.info if isinstance(source, OpenInput) else source
    video = info.video
    read = READERS[SOURCES[config.motion.flow].needs.pixels]
    size = picture_size(video.geometry, config.motion)
    keep = compared_stretches(_duration_s(info)) if matches else None
    with read(source, size) as reader, prefetch(reader, READ_AHEAD_FRAMES) as frames:
        frame_progress = (lambda done: progress("analyse", done, video.frames)) if progress else None
        motion = estimate_motion(frames, video.geometry, video.time_base, config.motion, frame_progress, keep)
        return motion, (*reader.report.warnings, *spool.memory_warning(motion.mesh))


def _duration_s(info: MediaInfo) -> float:
    """Approximate duration of the video track; 0 if the file does not state it."""
    video = info.video
    return float(video.frames / video.average_rate) if video.frames and video.average_rate else info.duration_s


def solve(
    motion: Motion,
    config: Config | None = None,
    progress: StageProgress | None = None,
    gyro: RotationFields | None = None,
) -> SolvedPath:
    """Compute the smooth path for a motion, with the rotation of a gyroscope log (`rotation_of`) if there is one.

    Raises SolveError if no path fits the crop, UsageError if the solver needs a log that covers more of the video,
    GyroError if the lens profile of the settings is needed and cannot be read.
    """
    config = config or Config()
    solver_progress = (lambda done, total: progress("solve", done, total)) if progress else None
    camera = camera_path(motion, config.fuse, gyro)
    return SOLVERS[config.path.solver](camera, _camera_rotation(motion, config, gyro), config.path, solver_progress)


def _camera_rotation(motion: Motion, config: Config, gyro: RotationFields | None) -> CameraRotation | None:
    """Of the log, or of the picture where there is none and the solver works on rotations."""
    if gyro is not None or config.path.solver not in ROTATION_SOLVERS:
        return None if gyro is None else gyro.camera
    from stabilize.gyroscope.picture import rotation_from_picture  # imported late: most runs do not need it

    return rotation_from_picture(motion, config.gyro, config.fuse)


def rotation_of(
    source: PathLike,
    motion: Motion,
    log: PathLike | None = None,
    config: Config | None = None,
    progress: StageProgress | None = None,
) -> tuple[RotationFields | None, tuple[str, ...]]:
    """Rotation of the camera from a gyroscope log: `log`, else one beside the video, else one inside it.

    Returns None if there is none or it does not agree with the visual motion, and notes for the user. Raises GyroError
    if `log` or the lens profile of the settings cannot be read.
    """
    config = config or Config()
    logs = candidate_logs(Path(source), None if log is None else Path(log), config.gyro)
    return _rotation_of(motion, logs, config, progress)


def _rotation_of(
    motion: Motion, logs: Iterator[Candidate] | None, config: Config, progress: StageProgress | None
) -> tuple[RotationFields | None, tuple[str, ...]]:
    fields, notes = _synchronised(motion, logs, config, progress) if logs is not None else (None, ())
    if config.path.horizon_deg is not None and (fields is None or fields.level is None):
        notes += ("the horizon is left as filmed: leveling needs a gyroscope log with an accelerometer",)
    return fields, notes


def _synchronised(
    motion: Motion, logs: Iterator[Candidate], config: Config, progress: StageProgress | None
) -> tuple[RotationFields | None, tuple[str, ...]]:
    # Imported late: most videos have no log.
    from stabilize.gyroscope.fields import rotation_fields
    from stabilize.gyroscope.match import synchronise_gyro

    report = progress or (lambda *_: None)
    frames = len(motion.timeline)
    report("gyro", 0, frames)
    try:
        synced, notes = synchronise_gyro(motion, logs, config.gyro)
        fields = rotation_fields(motion, synced) if synced else None
    except SyncError as error:
        return None, (f"the gyroscope log was not used; falling back to visual motion: {error}",)
    report("gyro", frames, frames)
    return fields, notes


def render(
    source: Source,
    path: StablePath,
    target: PathLike,
    config: Config | None = None,
    progress: StageProgress | None = None,
) -> tuple[str, ...]:
    """Write the stabilised video; everything else in the file is kept. Returns warnings.

    Decoding, warping and encoding run in parallel. Raises MotionError if the path belongs to another video.
    """
    return _render(_probed(source), path, target, config or Config(), progress)


def _render(
    info: MediaInfo, path: StablePath, target: PathLike, config: Config, progress: StageProgress | None
) -> tuple[str, ...]:
    total = len(path.timeline)
    frame_progress = (lambda done: progress("render", min(done, total), total)) if progress else None
    return render_video(info, path, target, config.render, config.encode, progress=frame_progress)


def stabilize_video(
    source: Source,
    target: PathLike,
    config: Config | None = None,
    progress: StageProgress | None = None,
    gyro: PathLike | None = None,
) -> Report:
    """Analyse, solve and render. `gyro` is a gyroscope log; without it, one beside or inside the video is used.

    A log is used only if it agrees with the visual motion.

    Refused before any work is done: a target that exists (unless the config allows to overwrite it), settings that its
    container does not allow, a `gyro` that cannot be read, and a backend that is not installed.

    Several threads of a process may each call this function. OpenCV's threads are left as they are; it is faster
    without them (`cv2.setNumThreads(1)`).
    """
    config = config or Config()
    info = _probed(source)
    seconds: dict[str, float] = {}
    with spool.use_folder_of(target):
        with reopen(info) as video:
            _check_output(video, target, config)
            logs = candidate_logs(info.path, None if gyro is None else Path(gyro), config.gyro, info.tracks)
            with _timed(seconds, "analyse"):
                motion, notes = measure(video, config, progress, matches=logs is not None)
        solution = _solution(motion, logs, config, progress)
        del motion, logs  # large for a long video
        spool.trim_heap()
        return _result(info, target, solution.after(seconds, notes), config, progress)


def stabilize_motion(
    source: Source,
    motion: Motion,
    target: PathLike,
    config: Config | None = None,
    *,
    progress: StageProgress | None = None,
    gyro: PathLike | None = None,
) -> Report:
    """Like `stabilize_video`, with a motion that was measured before: solve and render."""
    config = config or Config()
    info = _probed(source)
    with reopen(info) as video:
        _check_output(video, target, config)
    logs = candidate_logs(info.path, None if gyro is None else Path(gyro), config.gyro, info.tracks)
    with spool.use_folder_of(target):
        return _result(info, target, _solution(motion, logs, config, progress), config, progress)


def stabilize_path(
    source: Source,
    solution: Solution,
    target: PathLike,
    config: Config | None = None,
    progress: StageProgress | None = None,
) -> Report:
    """Like `stabilize_video`, with a path that was solved before: only render."""
    config = config or Config()
    info = _probed(source)
    with reopen(info) as video:
        _check_output(video, target, config)
    with spool.use_folder_of(target):
        return _result(info, target, solution, config, progress)


def solve_motion(
    motion: Motion,
    config: Config | None = None,
    *,
    video: PathLike | None = None,
    gyro: PathLike | None = None,
    progress: StageProgress | None = None,
) -> Solution:
    """Like `solve`, including the gyroscope log and the evidence for a report: what `stabilize solve` saves.

    The log is `gyro`, or the one beside or inside `video`; without either, no log is used.
    """
    config = config or Config()
    logs = None
    if gyro is not None or video is not None:
        log = None if gyro is None else Path(gyro)
        logs = candidate_logs(Path(video if video is not None else ""), log, config.gyro)
    return _solution(motion, logs, config, progress)


def _check_output(video: OpenInput, target: PathLike, config: Config) -> None:
    """Refuse an output that cannot be written and a backend that is not installed, before any work is done."""
    VideoWriter(video, target, config.encode).dry_run()
    open_backend(config.render, video.info.video.colour.chroma_location)


@dataclass(frozen=True, slots=True)
class Solution:
    """A solved path and what the report needs to know of the motion."""

    path: SolvedPath
    """For the renderer."""
    evidence: Evidence
    """For the report."""
    seconds: dict[str, float]
    """Duration of each stage."""

    def after(self, seconds: dict[str, float], notes: tuple[str, ...]) -> Solution:
        """Prepend the durations and notes of earlier stages."""
        evidence = replace(self.evidence, notes=(*notes, *self.evidence.notes))
        return replace(self, seconds=seconds | self.seconds, evidence=evidence)


def _solution(
    motion: Motion, logs: Iterator[Candidate] | None, config: Config, progress: StageProgress | None
) -> Solution:
    seconds: dict[str, float] = {}
    with _timed(seconds, "gyro"):
        fields, notes = _rotation_of(motion, logs, config, progress)
    with _timed(seconds, "solve"):
        path = solve(motion, config, progress, fields)
    max_crop = values_at(config.path.max_crop, path.timeline.time_s)
    return Solution(path, evidence(path, max_crop, _unmeasured(motion), fields is not None, notes), seconds)


def _result(
    info: MediaInfo, target: PathLike, solution: Solution, config: Config, progress: StageProgress | None
) -> Report:
    seconds, summary = dict(solution.seconds), solution.evidence
    with _timed(seconds, "render"):
        notes = _render(info, solution.path, target, config, progress)
    return Report(
        source=os.fspath(info.path),
        target=os.fspath(target),
        frames=len(solution.path.timeline),
        shots=len(solution.path.shots),
        unmeasured=summary.unmeasured,
        gyro_used=summary.gyro_used,
        crop_kept=summary.crop_kept,
        least_crop_kept=summary.least_crop_kept,
        shake_before=summary.shake_before,
        shake_after=summary.shake_after,
        crop_breathing=summary.crop_breathing,
        crop_limit=summary.crop_limit,
        at_crop_limit=summary.at_crop_limit,
        seconds=seconds,
        warnings=tuple(dict.fromkeys((*summary.notes, *notes))),
    )


def _unmeasured(motion: Motion) -> int:
    """Number of pairs within a shot without measured motion."""
    return int(np.count_nonzero(~motion.measured & (motion.status != PairStatus.CUT)))


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
