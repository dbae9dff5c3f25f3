"""The story on one page: analyse (video -> Motion), solve (Motion -> StablePath), render (path -> video), and the
three in a row.

A video is given by its path, or by what `probe` said of it. Nothing here sets anything of the process: work runs side
by side on whole frames, and is fastest where OpenCV has no threads of its own (`cv2.setNumThreads(1)`, which is for the
program to say, as the command line does).
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
from localfiles.reading import PathLike
from stabilize import spool
from stabilize.config import Config
from stabilize.core import Float, Motion, PairStatus, StablePath
from stabilize.fuse import RotationFields, camera_path
from stabilize.motion.estimate import analysis_size, estimate_motion
from stabilize.parallel import prefetch
from stabilize.path.measure import Shake, shake
from stabilize.path.similarity import SimilarityPath
from stabilize.path.solve import solve_path
from stabilize.rendering.backends import open_backend
from stabilize.rendering.run import render_video
from stabilize.settings import AxisStrength, PathConfig
from stabilize.video.opened import OpenInput, opened
from stabilize.video.probe import MediaInfo, Track, probe
from stabilize.video.reader import read_luma
from stabilize.video.writer import VideoWriter

if TYPE_CHECKING:
    from gyro.readers import Candidate

Source = PathLike | MediaInfo  # what was probed is not probed again
# progress(stage, done, total): frames; total 0 where the file does not say how many there are.
Progress = Callable[[str, int, int], None]
NO_TELEMETRY = ("tmcd", "text")  # tags of tracks that hold time codes and chapters
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


def analyse(source: Source, config: Config | None = None, progress: Progress | None = None) -> Motion:
    """The motion of a video. Raises InputError where it cannot be read, MotionError where nothing can be measured."""
    return measure(_probed(source), config or Config(), progress)[0]


def _probed(source: Source) -> MediaInfo:
    return source if isinstance(source, MediaInfo) else probe(source)


def measure(
    source: MediaInfo | OpenInput, config: Config, progress: Progress | None = None
) -> tuple[Motion, tuple[str, ...]]:
    """The motion of a video, and warnings of what was damaged in it. Raises as `analyse`."""
    video = source.info.video if isinstance(source, OpenInput) else source.video
    size = analysis_size(video.geometry, config.motion.long_side)
    with read_luma(source, size) as reading, prefetch(reading, PICTURES_AHEAD) as pictures:
        step = (lambda done: progress("analyse", done, video.frames)) if progress else None
        motion = estimate_motion(pictures, video.geometry, video.time_base, config.motion, step)
        return motion, (*reading.report.warnings, *spool.note(motion.mesh))


def solve(
    motion: Motion,
    config: Config | None = None,
    progress: Progress | None = None,
    rotation: int = 0,
    gyro: RotationFields | None = None,
) -> SimilarityPath:
    """The steady path for a motion, and for what a gyroscope says of it (`rotation_of`).

    `rotation`: degrees that players turn the picture by; axis strengths are of the turned picture.
    """
    config = config or Config()
    step = (lambda done, total: progress("solve", done, total)) if progress else None
    path = solve_path(camera_path(motion, config.fuse, gyro), _turned(config.path, rotation), step)
    return replace(path, notes=(*path.notes, *spool.note(path.camera.wobble)))


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
    video = Path(source)
    return _rotation_of(video, motion, _gyro_log(video, log, config), config, progress)


def _gyro_log(
    video: Path, log: PathLike | None, config: Config, tracks: tuple[Track, ...] | None = None
) -> Iterator[Candidate]:
    """The log that is named, which is read now, or those that are found, each when its turn comes. Raises GyroError
    where what is named cannot be read. `tracks`: what is known to be in the video.
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
    if log is not None:
        return iter((Candidate(read_log(Path(log), options)),))
    may_hold_one = tracks is None or any(t.kind == "data" and t.tag not in NO_TELEMETRY for t in tracks)
    return find_logs(video, options, may_hold_one)


def _rotation_of(
    video: Path, motion: Motion, logs: Iterator[Candidate], config: Config, progress: Progress | None
) -> tuple[RotationFields | None, tuple[str, ...]]:
    fields, notes = _matched(video, motion, logs, config, progress)
    if config.path.horizon_deg is not None and (fields is None or fields.level is None):
        notes += ("the horizon is left as filmed: gravity is known only from a gyroscope log with an accelerometer",)
    return fields, notes


def _matched(
    video: Path, motion: Motion, logs: Iterator[Candidate], config: Config, progress: Progress | None
) -> tuple[RotationFields | None, tuple[str, ...]]:
    first = next(logs, None)
    if first is None:
        return None, ()
    # Most videos have no log, and need no more of `gyro` than what looks for one.
    from stabilize.gyroscope import rotation_fields, synced_gyro

    try:
        step = (lambda done: progress("gyro", done, len(motion.timeline))) if progress else None
        synced, notes = synced_gyro(video, motion, chain([first], logs), config.gyro, step)
    except SyncError as error:
        return None, (f"the gyroscope log was not used, the picture decides: {error}",)
    return (rotation_fields(motion, synced) if synced else None), notes


def _turned(config: PathConfig, rotation: int) -> PathConfig:
    """Axis strengths in the stored picture's axes."""
    s = config.strength
    return replace(config, strength=AxisStrength(s.y, s.x, s.roll)) if rotation % 180 else config


def render(
    source: Source, path: StablePath, target: PathLike, config: Config | None = None, progress: Progress | None = None
) -> tuple[str, ...]:
    """Write the steady video; everything else of the file is kept. Returns warnings.

    Decoding, composing and encoding run side by side. Raises MotionError where the path was made for another video.
    """
    return _render(_probed(source), path, target, config or Config(), progress)


def _render(
    info: MediaInfo, path: StablePath, target: PathLike, config: Config, progress: Progress | None
) -> tuple[str, ...]:
    total = len(path.timeline)
    step = (lambda done: progress("render", min(done, total), total)) if progress else None
    return render_video(info, path, target, config.render, config.encode, progress=step)


def stabilize_video(
    source: Source,
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

    Runs in several threads of one process do not touch each other. OpenCV's threads are left as they are; it is faster
    without (`cv2.setNumThreads(1)`).
    """
    config = config or Config()
    info = _probed(source)
    seconds: dict[str, float] = {}
    with spool.beside(target):
        with _timed(seconds, "analyse"):
            logs, motion, notes = _measured(info, target, config, progress, gyro)
        solution = _solution(info, motion, logs, config, progress)
        del motion, logs  # of a long video they are large, and no longer needed
        spool.trim()
        return _result(info, target, solution.after(seconds, notes), config, progress)


def _measured(
    info: MediaInfo, target: PathLike, config: Config, progress: Progress | None, gyro: PathLike | None
) -> tuple[Iterator[Candidate], Motion, tuple[str, ...]]:
    """The logs to try, the motion, and warnings: what is to be refused is, and the video is opened once for both."""
    with opened(info) as video:
        logs = _prepare(video, target, config, gyro)
        return logs, *measure(video, config, progress)


def stabilize_motion(
    source: Source,
    motion: Motion,
    target: PathLike,
    config: Config | None = None,
    *,
    progress: Progress | None = None,
    gyro: PathLike | None = None,
) -> Report:
    """`stabilize_video` with a motion that was measured before: solve and render."""
    config = config or Config()
    info = _probed(source)
    with opened(info) as video:
        logs = _prepare(video, target, config, gyro)
    with spool.beside(target):
        return _result(info, target, _solution(info, motion, logs, config, progress), config, progress)


def _prepare(video: OpenInput, target: PathLike, config: Config, gyro: PathLike | None) -> Iterator[Candidate]:
    """The logs to try, once it is sure that the result can be made and written."""
    VideoWriter(video, target, config.encode).rehearse()
    open_backend(config.render, video.info.video.colour.chroma_location)
    return _gyro_log(video.info.path, gyro, config, video.info.tracks)


@dataclass(frozen=True, slots=True)
class _Solution:
    """What is left of a motion once it is solved."""

    path: SimilarityPath
    unmeasured: int
    gyro_used: bool
    seconds: dict[str, float]
    notes: tuple[str, ...]

    def after(self, seconds: dict[str, float], notes: tuple[str, ...]) -> _Solution:
        """With the seconds and notes of earlier work."""
        return replace(self, seconds=seconds | self.seconds, notes=(*notes, *self.notes))


def _solution(
    info: MediaInfo, motion: Motion, logs: Iterator[Candidate], config: Config, progress: Progress | None
) -> _Solution:
    seconds: dict[str, float] = {}
    with _timed(seconds, "gyro"):
        fields, notes = _rotation_of(info.path, motion, logs, config, progress)
    with _timed(seconds, "solve"):
        path = solve(motion, config, progress, info.video.rotation, fields)
    return _Solution(path, _unmeasured(motion), fields is not None, seconds, notes)


def _result(
    info: MediaInfo, target: PathLike, solution: _Solution, config: Config, progress: Progress | None
) -> Report:
    seconds = dict(solution.seconds)
    with _timed(seconds, "render"):
        notes = _render(info, solution.path, target, config, progress)
    kept: Float = np.hypot(solution.path.crop_pose[:, 0], solution.path.crop_pose[:, 1]) ** 2
    before, after = shake(solution.path)
    return Report(
        source=os.fspath(info.path),
        target=os.fspath(target),
        frames=len(solution.path.timeline),
        shots=len(solution.path.shots),
        unmeasured=solution.unmeasured,
        gyro_used=solution.gyro_used,
        crop_kept=float(kept.mean()),
        least_crop_kept=float(kept.min()),
        shake_before=before,
        shake_after=after,
        seconds=seconds,
        warnings=tuple(dict.fromkeys((*solution.notes, *notes, *solution.path.notes))),
    )


def _unmeasured(motion: Motion) -> int:
    """Pairs within a shot in which the picture showed no motion."""
    return int(np.count_nonzero(~motion.measured & (motion.status != PairStatus.CUT)))


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begun
