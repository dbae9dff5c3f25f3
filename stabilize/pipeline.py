"""The story on one page: analyse (video -> Motion), solve (Motion -> StablePath), render (path -> video), and the
three in a row.

A video is given by its path, or by what `probe` said of it. Nothing here sets anything of the process: work runs side
by side on whole frames, and is fastest where OpenCV has no threads of its own (`cv2.setNumThreads(1)`, which is for the
program to say, as the command line does).
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
from stabilize.fuse import RotationFields, camera_path
from stabilize.gyroscope.find import candidate_logs
from stabilize.gyroscope.stretches import compared_stretches
from stabilize.motion.estimate import estimate_motion
from stabilize.motion.sources import SOURCES
from stabilize.motion.stream import picture_size
from stabilize.parallel import prefetch
from stabilize.path.measure import Evidence, Shake, SolvedPath, evidence
from stabilize.path.solvers import SOLVERS
from stabilize.progress import StageProgress
from stabilize.rendering.backends import open_backend
from stabilize.rendering.run import render_video
from stabilize.video.opened import OpenInput, opened
from stabilize.video.probe import MediaInfo, probe
from stabilize.video.reader import read_luma, read_rgb
from stabilize.video.writer import VideoWriter

if TYPE_CHECKING:
    from gyro.readers import Candidate

Source = PathLike | MediaInfo  # what was probed is not probed again
READERS = {"gray": read_luma, "rgb": read_rgb}
PICTURES_AHEAD = 8  # that the reader may be ahead of the analysis


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. `seconds` per stage; `crop_kept` the mean share of the picture's area that is still shown;
    warnings in plain words.
    """

    source: str
    target: str
    frames: int
    shots: int
    unmeasured: int
    gyro_used: bool
    crop_kept: float
    least_crop_kept: float
    shake_before: Shake
    shake_after: Shake
    seconds: dict[str, float]
    warnings: tuple[str, ...]


def analyse(source: Source, config: Config | None = None, progress: StageProgress | None = None) -> Motion:
    """The motion of a video. Raises InputError where it cannot be read, MotionError where nothing can be measured."""
    return measure(_probed(source), config or Config(), progress)[0]


def _probed(source: Source) -> MediaInfo:
    return source if isinstance(source, MediaInfo) else probe(source)


def measure(
    source: MediaInfo | OpenInput, config: Config, progress: StageProgress | None = None, matches: bool = True
) -> tuple[Motion, tuple[str, ...]]:
    """The motion of a video, and warnings of what was damaged in it. Raises as `analyse`.

    Without `matches` it cannot be compared with a gyroscope's log later on.
    """
    info = source.info if isinstance(source, OpenInput) else source
    video = info.video
    read = READERS[SOURCES[config.motion.flow].needs.pixels]
    size = picture_size(video.geometry, config.motion)
    keep = compared_stretches(_duration_s(info)) if matches else None
    with read(source, size) as reading, prefetch(reading, PICTURES_AHEAD) as pictures:
        step = (lambda done: progress("analyse", done, video.frames)) if progress else None
        motion = estimate_motion(pictures, video.geometry, video.time_base, config.motion, step, keep)
        return motion, (*reading.report.warnings, *spool.note(motion.mesh))


def _duration_s(info: MediaInfo) -> float:
    """About how long the pictures last; 0 where the file does not say."""
    video = info.video
    return float(video.frames / video.average_rate) if video.frames and video.average_rate else info.duration_s


def solve(
    motion: Motion,
    config: Config | None = None,
    progress: StageProgress | None = None,
    gyro: RotationFields | None = None,
) -> SolvedPath:
    """The steady path for a motion, and for what a gyroscope says of it (`rotation_of`), by the solver of the settings.

    Raises SolveError where no path fits the crop, UsageError where the solver needs a gyroscope and there is none.
    """
    config = config or Config()
    step = (lambda done, total: progress("solve", done, total)) if progress else None
    camera = camera_path(motion, config.fuse, gyro)
    return SOLVERS[config.path.solver](camera, None if gyro is None else gyro.camera, config.path, step)


def rotation_of(
    source: PathLike,
    motion: Motion,
    log: PathLike | None = None,
    config: Config | None = None,
    progress: StageProgress | None = None,
) -> tuple[RotationFields | None, tuple[str, ...]]:
    """What the video's gyroscope says: of the log that is named, else of one beside the video, else of one inside it.

    None where there is none or it does not agree with the picture, and notes that say so. Raises GyroError for a named
    log or lens profile that cannot be read.
    """
    config = config or Config()
    logs = candidate_logs(Path(source), None if log is None else Path(log), config.gyro)
    return _rotation_of(motion, logs, config, progress)


def _rotation_of(
    motion: Motion, logs: Iterator[Candidate] | None, config: Config, progress: StageProgress | None
) -> tuple[RotationFields | None, tuple[str, ...]]:
    fields, notes = _matched(motion, logs, config, progress) if logs is not None else (None, ())
    if config.path.horizon_deg is not None and (fields is None or fields.level is None):
        notes += ("the horizon is left as filmed: gravity is known only from a gyroscope log with an accelerometer",)
    return fields, notes


def _matched(
    motion: Motion, logs: Iterator[Candidate], config: Config, progress: StageProgress | None
) -> tuple[RotationFields | None, tuple[str, ...]]:
    # Most videos have no log, and need no more of `gyro` than what looks for one.
    from stabilize.gyroscope.fields import rotation_fields
    from stabilize.gyroscope.match import synced_gyro

    step = progress or (lambda *_: None)
    frames = len(motion.timeline)
    step("gyro", 0, frames)
    try:
        synced, notes = synced_gyro(motion, logs, config.gyro)
        fields = rotation_fields(motion, synced) if synced else None
    except SyncError as error:
        return None, (f"the gyroscope log was not used, visual motion alone is used: {error}",)
    step("gyro", frames, frames)
    return fields, notes


def render(
    source: Source,
    path: StablePath,
    target: PathLike,
    config: Config | None = None,
    progress: StageProgress | None = None,
) -> tuple[str, ...]:
    """Write the steady video; everything else of the file is kept. Returns warnings.

    Decoding, composing and encoding run side by side. Raises MotionError where the path was made for another video.
    """
    return _render(_probed(source), path, target, config or Config(), progress)


def _render(
    info: MediaInfo, path: StablePath, target: PathLike, config: Config, progress: StageProgress | None
) -> tuple[str, ...]:
    total = len(path.timeline)
    step = (lambda done: progress("render", min(done, total), total)) if progress else None
    return render_video(info, path, target, config.render, config.encode, progress=step)


def stabilize_video(
    source: Source,
    target: PathLike,
    config: Config | None = None,
    progress: StageProgress | None = None,
    gyro: PathLike | None = None,
) -> Report:
    """Analyse, solve and render. `gyro` names a log; without it one beside or inside the video is used if it agrees
    with the picture.

    What cannot be written is refused before any work is done: a target that exists, unless the config says to
    overwrite, and settings that do not fit its container. So is a named log that cannot be read, and a backend that is
    not there.

    Runs in several threads of one process do not touch each other. OpenCV's threads are left as they are; it is faster
    without (`cv2.setNumThreads(1)`).
    """
    config = config or Config()
    info = _probed(source)
    seconds: dict[str, float] = {}
    with spool.beside(target):
        with opened(info) as video:  # once for what is to be refused and for the analysis
            _prepare(video, target, config)
            logs = candidate_logs(info.path, None if gyro is None else Path(gyro), config.gyro, info.tracks)
            with _timed(seconds, "analyse"):
                motion, notes = measure(video, config, progress, matches=logs is not None)
        solution = _solution(motion, logs, config, progress)
        del motion, logs  # of a long video they are large, and no longer needed
        spool.trim()
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
    """`stabilize_video` with a motion that was measured before: solve and render."""
    config = config or Config()
    info = _probed(source)
    with opened(info) as video:
        _prepare(video, target, config)
    logs = candidate_logs(info.path, None if gyro is None else Path(gyro), config.gyro, info.tracks)
    with spool.beside(target):
        return _result(info, target, _solution(motion, logs, config, progress), config, progress)


def stabilize_path(
    source: Source,
    solution: Solution,
    target: PathLike,
    config: Config | None = None,
    progress: StageProgress | None = None,
) -> Report:
    """`stabilize_video` with a path that was solved before: render, and say what is known."""
    config = config or Config()
    info = _probed(source)
    with opened(info) as video:
        _prepare(video, target, config)
    with spool.beside(target):
        return _result(info, target, solution, config, progress)


def solve_motion(
    motion: Motion,
    config: Config | None = None,
    *,
    video: PathLike | None = None,
    gyro: PathLike | None = None,
    progress: StageProgress | None = None,
) -> Solution:
    """`solve`, with the gyroscope's share and the evidence for a report: what `stabilize solve` saves.

    The log is `gyro`, or the one that lies beside or inside the `video`; without either there is none.
    """
    config = config or Config()
    logs = None
    if gyro is not None or video is not None:
        named = None if gyro is None else Path(gyro)
        logs = candidate_logs(Path(video if video is not None else ""), named, config.gyro)
    return _solution(motion, logs, config, progress)


def _prepare(video: OpenInput, target: PathLike, config: Config) -> None:
    """Refuse what cannot be made or written, before any work."""
    VideoWriter(video, target, config.encode).rehearse()
    open_backend(config.render, video.info.video.colour.chroma_location)


@dataclass(frozen=True, slots=True)
class Solution:
    """What is left of a motion once it is solved."""

    path: SolvedPath
    """For the renderer."""
    evidence: Evidence
    """For the report."""
    seconds: dict[str, float]
    """Of each stage."""

    def after(self, seconds: dict[str, float], notes: tuple[str, ...]) -> Solution:
        """With the seconds and notes of earlier work."""
        noted = replace(self.evidence, notes=(*notes, *self.evidence.notes))
        return replace(self, seconds=seconds | self.seconds, evidence=noted)


def _solution(
    motion: Motion, logs: Iterator[Candidate] | None, config: Config, progress: StageProgress | None
) -> Solution:
    seconds: dict[str, float] = {}
    with _timed(seconds, "gyro"):
        fields, notes = _rotation_of(motion, logs, config, progress)
    with _timed(seconds, "solve"):
        path = solve(motion, config, progress, fields)
    return Solution(path, evidence(path, _unmeasured(motion), fields is not None, notes), seconds)


def _result(
    info: MediaInfo, target: PathLike, solution: Solution, config: Config, progress: StageProgress | None
) -> Report:
    seconds, known = dict(solution.seconds), solution.evidence
    with _timed(seconds, "render"):
        notes = _render(info, solution.path, target, config, progress)
    return Report(
        source=os.fspath(info.path),
        target=os.fspath(target),
        frames=len(solution.path.timeline),
        shots=len(solution.path.shots),
        unmeasured=known.unmeasured,
        gyro_used=known.gyro_used,
        crop_kept=known.crop_kept,
        least_crop_kept=known.least_crop_kept,
        shake_before=known.shake_before,
        shake_after=known.shake_after,
        seconds=seconds,
        warnings=tuple(dict.fromkeys((*known.notes, *notes))),
    )


def _unmeasured(motion: Motion) -> int:
    """Pairs within a shot in which the picture showed no motion."""
    return int(np.count_nonzero(~motion.measured & (motion.status != PairStatus.CUT)))


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begun
