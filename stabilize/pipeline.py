"""The story on one page: analyse (video -> Motion), solve (Motion -> StablePath), render (path -> video), and the
three in a row.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyro.errors import SyncError
from stabilize import spool
from stabilize.artifacts import fingerprint
from stabilize.config import Config
from stabilize.core import Float, Motion, PairStatus, StablePath
from stabilize.errors import MotionError
from stabilize.fuse import RotationFields, camera_path
from stabilize.gyroscope.find import candidate_logs
from stabilize.gyroscope.stretches import compared_stretches
from stabilize.motion.estimate import estimate_motion
from stabilize.motion.sources import SOURCES
from stabilize.motion.stream import picture_size
from stabilize.parallel import in_order, one_thread_each, prefetch
from stabilize.path.field import warp_field
from stabilize.path.measure import Shake, shake
from stabilize.path.solve import solve_path
from stabilize.settings import AxisStrength, PathConfig
from stabilize.video.frame import Frame
from stabilize.video.probe import MediaInfo, probe
from stabilize.video.reader import read_frames, read_luma, read_rgb
from stabilize.video.writer import VideoWriter, new_frame
from stabilize.warp.planes import warp

if TYPE_CHECKING:
    from gyro.readers import Candidate

PathLike = str | os.PathLike[str]
# progress(stage, done, total): frames; total 0 where the file does not say how many there are.
Progress = Callable[[str, int, int], None]
MOST_WORKERS = 4  # threads that warp: each holds two frames
READERS = {"gray": read_luma, "rgb": read_rgb}
AHEAD = 4  # frames between decode, warp and encode: enough to overlap, little enough to keep memory small


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


def measure(
    info: MediaInfo, config: Config, progress: Progress | None = None, matches: bool = True
) -> tuple[Motion, tuple[str, ...]]:
    """The motion of a video, and warnings of what was damaged in it. Raises as `analyse`.

    Without `matches` it cannot be compared with a gyroscope's log later on.
    """
    video = info.video
    read = READERS[SOURCES[config.motion.flow].needs.pixels]
    size = picture_size(video.geometry, config.motion)
    keep = compared_stretches(_duration_s(info)) if matches else None
    with one_thread_each(), read(info.path, size) as reading, prefetch(reading, 2 * AHEAD) as pictures:
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
    progress: Progress | None = None,
    rotation: int = 0,
    gyro: RotationFields | None = None,
) -> StablePath:
    """The steady path for a motion, and for what a gyroscope says of it (`rotation_of`).

    `rotation`: degrees that players turn the picture by; axis strengths are of the turned picture. Raises SolveError
    where nothing fits the crop.
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
    logs = candidate_logs(Path(source), None if log is None else Path(log), config.gyro)
    return _rotation_of(motion, logs, config, progress)


def _rotation_of(
    motion: Motion, logs: Iterator[Candidate] | None, config: Config, progress: Progress | None
) -> tuple[RotationFields | None, tuple[str, ...]]:
    fields, notes = _matched(motion, logs, config, progress) if logs is not None else (None, ())
    if config.path.horizon_deg is not None and (fields is None or fields.level is None):
        notes += ("the horizon is left as filmed: gravity is known only from a gyroscope log with an accelerometer",)
    return fields, notes


def _matched(
    motion: Motion, logs: Iterator[Candidate], config: Config, progress: Progress | None
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
        return None, (f"the gyroscope log was not used, the picture decides: {error}",)
    step("gyro", frames, frames)
    return fields, notes


def _turned(config: PathConfig, rotation: int) -> PathConfig:
    """Axis strengths in the stored picture's axes."""
    s = config.strength
    return replace(config, strength=AxisStrength(s.y, s.x, s.roll)) if rotation % 180 else config


def render(
    source: PathLike, path: StablePath, target: PathLike, config: Config | None = None, progress: Progress | None = None
) -> tuple[str, ...]:
    """Write the steady video; everything else of the file is kept. Returns warnings.

    Decoding, warping and encoding run side by side. Raises MotionError where the path was made for another video.
    """
    return _render(probe(source), path, target, config or Config(), progress)


def _render(
    info: MediaInfo, path: StablePath, target: PathLike, config: Config, progress: Progress | None
) -> tuple[str, ...]:
    _fits(info, path)
    total = len(path.camera.timeline)
    with one_thread_each(), VideoWriter(info, target, config.encode) as writer:
        reading = read_frames(info.path)
        with prefetch(reading, AHEAD) as frames, prefetch(_warped(frames, path, info, config), AHEAD) as ready:
            for done, frame in enumerate(ready, start=1):
                writer.write(frame)
                if progress:
                    progress("render", done, total)
    return (*reading.report.warnings, *writer.warnings)


def _warped(frames: Iterator[Frame], path: StablePath, info: MediaInfo, config: Config) -> Iterator[Frame]:
    """Frames as the path places them, several at a time."""
    pts = path.camera.timeline.pts
    siting = info.video.colour.chroma_location

    def steady(frame: Frame) -> Frame:
        index = int(np.clip(np.searchsorted(pts, frame.pts), 0, len(pts) - 1))
        if pts[index] != frame.pts:
            raise MotionError(
                f"{info.path}: has a frame at pts {frame.pts} that was not there when it was analysed; analyse it again"
            )
        out = new_frame(frame.layout, *frame.size, frame.pts, frame.duration)
        warp(frame, warp_field(path, index), out, siting, config.render)
        if index % spool.CHUNK == 0:
            spool.release(path.camera.wobble)
        return out

    return in_order(steady, frames, min(MOST_WORKERS, os.cpu_count() or 1))


def _fits(info: MediaInfo, path: StablePath) -> None:
    made, is_ = path.camera.geometry, info.video.geometry
    if (made.width, made.height) != (is_.width, is_.height):
        raise MotionError(
            f"{info.path}: is {is_.width}x{is_.height}, the motion was measured on {made.width}x{made.height}; "
            "analyse it again"
        )


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
    overwrite, and settings that do not fit its container. So is a named log that cannot be read.
    """
    with spool.beside(target):
        return _stabilize_video(probe(source), target, config or Config(), progress, gyro)


def _stabilize_video(
    info: MediaInfo, target: PathLike, config: Config, progress: Progress | None, gyro: PathLike | None
) -> Report:
    VideoWriter(info, target, config.encode)  # looks whether it could write; opens nothing
    logs = candidate_logs(info.path, None if gyro is None else Path(gyro), config.gyro)
    clock = [time.perf_counter()]
    motion, read_notes = measure(info, config, progress, matches=logs is not None)
    clock.append(time.perf_counter())
    fields, gyro_notes = _rotation_of(motion, logs, config, progress)
    clock.append(time.perf_counter())
    path, lost, used = (
        solve(motion, config, progress, info.video.rotation, fields),
        unmeasured(motion),
        fields is not None,
    )
    del motion, fields, logs  # of a long video they are large, and no longer needed
    spool.trim()
    clock.append(time.perf_counter())
    notes = _render(info, path, target, config, progress)
    clock.append(time.perf_counter())
    seconds = dict(zip(("analyse", "gyro", "solve", "render"), np.diff(clock).tolist(), strict=True))
    return report(info.path, target, path, lost, used, seconds, (*read_notes, *gyro_notes, *notes))


def unmeasured(motion: Motion) -> int:
    """Pairs within a shot in which the picture showed no motion."""
    return int(np.count_nonzero(~motion.measured & (motion.status != PairStatus.CUT)))


def report(  # noqa: PLR0917
    source: PathLike,
    target: PathLike,
    path: StablePath,
    unmeasured_pairs: int,
    gyro_used: bool,
    seconds: dict[str, float],
    warnings: tuple[str, ...],
) -> Report:
    """What is to be said of a run; the path's own notes are among the warnings, and nothing twice."""
    kept: Float = np.hypot(path.crop_pose[:, 0], path.crop_pose[:, 1]) ** 2
    before, after = shake(path)
    return Report(
        source=os.fspath(source),
        target=os.fspath(target),
        frames=len(path.camera.timeline),
        shots=len(path.camera.shots),
        unmeasured=unmeasured_pairs,
        gyro_used=gyro_used,
        crop_kept=float(kept.mean()),
        least_crop_kept=float(kept.min()),
        shake_before=before,
        shake_after=after,
        seconds=seconds,
        warnings=tuple(dict.fromkeys((*warnings, *path.notes))),
    )


__all__ = [
    "Report",
    "analyse",
    "fingerprint",
    "measure",
    "render",
    "report",
    "rotation_of",
    "solve",
    "stabilize_video",
]
