"""The story on one page: analyse (video -> Motion), solve (Motion -> StablePath), render (path -> video), and the
three in a row.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyro.errors import SyncError
from stabilize import spool
from stabilize.config import Config
from stabilize.core import Motion, PairStatus, StablePath
from stabilize.errors import UsageError
from stabilize.fuse import RotationFields, camera_path
from stabilize.motion.estimate import analysis_size, estimate_motion
from stabilize.parallel import one_thread_each, prefetch
from stabilize.path.measure import Evidence, Shake, SolvedPath, evidence
from stabilize.path.solvers import SOLVERS
from stabilize.rendering.backends import open_backend
from stabilize.rendering.run import render_video
from stabilize.video.probe import MediaInfo, probe
from stabilize.video.reader import read_luma
from stabilize.video.writer import VideoWriter

if TYPE_CHECKING:
    from gyro.readers import Candidate

PathLike = str | os.PathLike[str]
# progress(stage, done, total): frames; total 0 where the file does not say how many there are.
Progress = Callable[[str, int, int], None]
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


def analyse(source: PathLike, config: Config | None = None, progress: Progress | None = None) -> Motion:
    """The motion of a video. Raises InputError where it cannot be read, MotionError where nothing can be measured."""
    return measure(probe(source), config or Config(), progress)[0]


def measure(info: MediaInfo, config: Config, progress: Progress | None = None) -> tuple[Motion, tuple[str, ...]]:
    """The motion of a video, and warnings of what was damaged in it. Raises as `analyse`."""
    video = info.video
    size = analysis_size(video.geometry, config.motion.long_side)
    with one_thread_each(), read_luma(info, size) as reading, prefetch(reading, PICTURES_AHEAD) as pictures:
        step = (lambda done: progress("analyse", done, video.frames)) if progress else None
        motion = estimate_motion(pictures, video.geometry, video.time_base, config.motion, step)
        return motion, (*reading.report.warnings, *spool.note(motion.mesh))


def solve(
    motion: Motion,
    config: Config | None = None,
    progress: Progress | None = None,
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
    progress: Progress | None = None,
) -> tuple[RotationFields | None, tuple[str, ...]]:
    """What the video's gyroscope says: of the log that is named, else of one beside the video, else of one inside it.

    None where there is none or it does not agree with the picture, and notes that say so. Raises GyroError for a named
    log or lens profile that cannot be read.
    """
    config = config or Config()
    return _rotation_of(Path(source), motion, _gyro_log(Path(source), log, config), config, progress)


def _gyro_log(video: Path, log: PathLike | None, config: Config) -> Iterator[Candidate]:
    """The log that is named, which is read now, or those that are found, each when its turn comes. Raises GyroError
    where what is named cannot be read.
    """
    from gyro.readers import Candidate, ReadOptions, find_logs, read_log

    asked = config.gyro
    if asked.use == "off":
        off = f"the gyroscope log {log} was not used: gyro.use is off"
        return iter(() if log is None else (Candidate(None, off),))
    if asked.lens is not None:
        from gyro.lens import load_lens

        load_lens(asked.lens)  # refused before any work is done
    columns = tuple(name.strip() for name in asked.columns.split(",")) if asked.columns else None
    options = ReadOptions(columns=columns, gyro_unit=asked.gyro_unit, time_unit=asked.time_unit)
    return find_logs(video, options) if log is None else iter((Candidate(read_log(Path(log), options)),))


def _rotation_of(
    video: Path | None, motion: Motion, logs: Iterator[Candidate], config: Config, progress: Progress | None
) -> tuple[RotationFields | None, tuple[str, ...]]:
    fields, notes = _matched(video, motion, logs, config, progress)
    if config.path.horizon_deg is not None and (fields is None or fields.level is None):
        notes += ("the horizon is left as filmed: gravity is known only from a gyroscope log with an accelerometer",)
    return fields, notes


def _matched(
    video: Path | None, motion: Motion, logs: Iterator[Candidate], config: Config, progress: Progress | None
) -> tuple[RotationFields | None, tuple[str, ...]]:
    first = None if video is None else next(logs, None)
    if video is None or first is None:
        return None, ()
    # Most videos have no log, and need no more of `gyro` than what looks for one.
    from stabilize.gyroscope import rotation_fields, synced_gyro

    try:
        step = (lambda done: progress("gyro", done, len(motion.timeline))) if progress else None
        synced, notes = synced_gyro(video, motion, chain([first], logs), config.gyro, step)
    except SyncError as error:
        return None, (f"the gyroscope log was not used, the picture decides: {error}",)
    return (rotation_fields(motion, synced) if synced else None), notes


def render(
    source: PathLike, path: StablePath, target: PathLike, config: Config | None = None, progress: Progress | None = None
) -> tuple[str, ...]:
    """Write the steady video; everything else of the file is kept. Returns warnings.

    Decoding, composing and encoding run side by side. Raises MotionError where the path was made for another video.
    """
    return _render(probe(source), path, target, config or Config(), progress)


def _render(
    info: MediaInfo, path: StablePath, target: PathLike, config: Config, progress: Progress | None
) -> tuple[str, ...]:
    total = len(path.timeline)
    step = (lambda done: progress("render", min(done, total), total)) if progress else None
    return render_video(info, path, target, config.render, config.encode, progress=step)


def stabilize_video(
    source: PathLike,
    target: PathLike,
    config: Config | None = None,
    progress: Progress | None = None,
    gyro: PathLike | None = None,
) -> Report:
    """Analyse, solve and render. `gyro` names a log; without it one beside or inside the video is used if it agrees
    with the picture.

    What cannot be written is refused before any work is done: a target that exists, unless the config says to
    overwrite, and settings that do not fit its container. So is a named log that cannot be read, and a backend that is
    not there.
    """
    config = config or Config()
    info = probe(source)
    _prepare(info, target, config)
    logs = _gyro_log(info.path, gyro, config)
    seconds: dict[str, float] = {}
    with spool.beside(target):
        with _timed(seconds, "analyse"):
            motion, notes = measure(info, config, progress)
        solution = _solution(info.path, motion, logs, config, progress)
        del motion, logs  # of a long video they are large, and no longer needed
        spool.trim()
        return _result(info, target, solution.after(seconds, notes), config, progress)


def stabilize_motion(
    source: PathLike,
    motion: Motion,
    target: PathLike,
    config: Config | None = None,
    *,
    progress: Progress | None = None,
    gyro: PathLike | None = None,
) -> Report:
    """`stabilize_video` with a motion that was measured before: solve and render."""
    config = config or Config()
    info = probe(source)
    _prepare(info, target, config)
    logs = _gyro_log(info.path, gyro, config)
    with spool.beside(target):
        return _result(info, target, _solution(info.path, motion, logs, config, progress), config, progress)


def stabilize_path(
    source: PathLike,
    solution: Solution,
    target: PathLike,
    config: Config | None = None,
    progress: Progress | None = None,
) -> Report:
    """`stabilize_video` with a path that was solved before: render, and say what is known."""
    config = config or Config()
    info = probe(source)
    _prepare(info, target, config)
    with spool.beside(target):
        return _result(info, target, solution, config, progress)


def solve_motion(
    motion: Motion,
    config: Config | None = None,
    *,
    video: PathLike | None = None,
    gyro: PathLike | None = None,
    progress: Progress | None = None,
) -> Solution:
    """`solve`, with the gyroscope's share and the evidence for a report: what `stabilize solve` saves.

    Synchronising a log looks at the `video`: of one that is given, the log is `gyro`, or lies beside or inside it.
    Raises UsageError for a log without a video.
    """
    config = config or Config()
    if video is None and gyro is not None:
        raise UsageError("a gyroscope log is synchronised by the picture: name the video as well (--video)")
    logs: Iterator[Candidate] = iter(()) if video is None else _gyro_log(Path(video), gyro, config)
    return _solution(None if video is None else Path(video), motion, logs, config, progress)


def _prepare(info: MediaInfo, target: PathLike, config: Config) -> None:
    """Refuse what cannot be made or written, before any work."""
    VideoWriter(info, target, config.encode).rehearse()
    open_backend(config.render, info.video.colour.chroma_location)


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
    video: Path | None, motion: Motion, logs: Iterator[Candidate], config: Config, progress: Progress | None
) -> Solution:
    seconds: dict[str, float] = {}
    with _timed(seconds, "gyro"):
        fields, notes = _rotation_of(video, motion, logs, config, progress)
    with _timed(seconds, "solve"):
        path = solve(motion, config, progress, fields)
    return Solution(path, evidence(path, _unmeasured(motion), fields is not None, notes), seconds)


def _result(info: MediaInfo, target: PathLike, solution: Solution, config: Config, progress: Progress | None) -> Report:
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
