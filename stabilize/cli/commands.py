"""`run`, `analyse`, `solve`, `render`, `info`: each takes its options, calls the library and shows the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localfiles import check_target
from stabilize.cli.options import Choices, with_settings_options
from stabilize.errors import MotionError, UsageError, file_errors

# The library is imported inside the functions, so that --help is there at once.
if TYPE_CHECKING:
    from stabilize.artifacts import Fingerprint
    from stabilize.core import Motion
    from stabilize.pipeline import Solution

Input = Annotated[Path | None, typer.Argument(metavar="IN", help="The video.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="OUT", help="The result (<stem>_stabilized.<ext>).", show_default=False),
]
MotionOutput = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="OUT", help="The motion (<stem>_motion.npz).", show_default=False),
]
PathOutput = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="OUT", help="The path (<stem>_path.npz).", show_default=False),
]
SavedMotion = Annotated[Path | None, typer.Argument(metavar="MOTION", help="What `analyse` wrote.", show_default=False)]
MotionInput = Annotated[
    Path | None,
    typer.Option("--motion", metavar="FILE.npz", help="What `analyse` wrote: solve, and render.", show_default=False),
]
PathInput = Annotated[
    Path | None, typer.Option("--path", metavar="FILE.npz", help="What `solve` wrote: render.", show_default=False)
]
Video = Annotated[
    Path | None,
    typer.Option(
        "--video",
        metavar="IN",
        help="The video, to look for a gyroscope log beside it and inside it.",
        show_default=False,
    ),
]
Gyro = Annotated[
    Path | None, typer.Option("--gyro", metavar="LOG", help="Gyroscope log of the clip.", show_default=False)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace the result where it exists.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no table; warnings and errors stay.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of a table; no progress.")]


def _needed(source: Path | None) -> Path:
    """The input: an argument that only --print-config can do without."""
    if source is None:
        raise UsageError("the name of the video is missing (IN)")
    return source


def one_opencv_thread() -> None:
    """OpenCV without threads of its own, for the whole process, which is ours: where several stages run side by side,
    they cost more than they bring.
    """
    import cv2

    cv2.setNumThreads(1)


@with_settings_options("motion", "gyro", "fuse", "path", "render", "encode")
def run(
    source: Input = None,
    *,
    choices: Choices,
    output: Output = None,
    gyro: Gyro = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a shaky video steady; everything else of the file is kept."""
    source, config = _needed(source), choices.resolve()
    from stabilize.cli.plan import plan
    from stabilize.cli.progress import progress
    from stabilize.cli.summary import show_report
    from stabilize.pipeline import stabilize_video
    from stabilize.video.probe import probe

    info = probe(source)
    target = plan(info, output, config).output.target  # what does not fit is refused before any work is done
    one_opencv_thread()
    with progress(not (quiet or as_json)) as step:
        report = stabilize_video(info, target, config, step, gyro)
    show_report(report, quiet, as_json)


@with_settings_options("motion")
def analyse(
    source: Input = None,
    *,
    choices: Choices,
    output: MotionOutput = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure the motion of a video, and save it for `solve` and `render`."""
    source, config = _needed(source), choices.resolve()
    from stabilize import pipeline, spool
    from stabilize.artifacts import fingerprint, save_motion
    from stabilize.cli.progress import progress
    from stabilize.cli.summary import show_motion
    from stabilize.video.probe import probe

    info = probe(source)  # what is no video is refused first: opening a pipe would wait for ever
    target = output or source.with_name(f"{source.stem}_motion.npz")
    with file_errors():
        check_target(target, [info.path], overwrite)
    origin = fingerprint(info.path)
    one_opencv_thread()
    with spool.use_folder_of(target), progress(not (quiet or as_json)) as step:
        motion, warnings = pipeline.measure(info, config, step)
    save_motion(motion, target, origin)
    show_motion(motion, source, target, warnings, quiet, as_json)


@with_settings_options("gyro", "fuse", "path")
def solve(
    motion: SavedMotion = None,
    *,
    choices: Choices,
    video: Video = None,
    gyro: Gyro = None,
    output: PathOutput = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the steady path for a motion that was measured, and save it for `render`."""
    config = choices.resolve()
    if motion is None:
        raise UsageError("the name of the motion is missing (MOTION): what `stabilize analyse` wrote")
    from stabilize import pipeline, spool
    from stabilize.artifacts import load_motion
    from stabilize.cli.progress import progress
    from stabilize.cli.summary import show_path
    from stabilize.path_file import save_path

    measured, origin = load_motion(motion)
    if video is not None:
        _check_made_of(video, origin, motion)
    target = output or motion.with_name(f"{motion.stem.removesuffix('_motion')}_path.npz")
    with file_errors():
        check_target(target, [path for path in (motion, video, gyro) if path is not None], overwrite)
    with spool.use_folder_of(target), progress(not (quiet or as_json)) as step:
        solution = pipeline.solve_motion(measured, config, video=video, gyro=gyro, progress=step)
        save_path(solution.path, solution.evidence, target, origin)
    show_path(solution, motion, target, quiet, as_json)


@with_settings_options("gyro", "fuse", "path", "render", "encode")
def render(
    source: Input = None,
    *,
    choices: Choices,
    motion: MotionInput = None,
    path: PathInput = None,
    output: Output = None,
    gyro: Gyro = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a video steady by a path, or by a motion, that was made before."""
    source, config = _needed(source), choices.resolve()
    if (motion is None) == (path is None):
        raise UsageError("one of two is needed: --path FILE.npz, of `solve`, or --motion FILE.npz, of `analyse`")
    if path is not None:
        why = "the path is solved; give it to `solve`, or render by --motion"
        choices.check_unused("gyro", "fuse", "path", why=why)
        if gyro is not None:
            raise UsageError(f"--gyro has no effect here: {why}")
    from stabilize import pipeline
    from stabilize.cli.plan import plan
    from stabilize.cli.progress import progress
    from stabilize.cli.summary import show_report
    from stabilize.video.probe import probe

    info = probe(source)
    solution = None if path is None else _solution_of(info.path, path)
    measured = None if motion is None else _motion_of(info.path, motion)
    target = plan(info, output, config).output.target
    one_opencv_thread()
    with progress(not (quiet or as_json)) as step:
        if solution is not None:
            report = pipeline.stabilize_path(info, solution, target, config, step)
        elif measured is not None:
            report = pipeline.stabilize_motion(info, measured, target, config, progress=step, gyro=gyro)
    show_report(report, quiet, as_json)


def _motion_of(video: Path, saved: Path) -> Motion:
    """The saved motion; raises MotionError where it is another video's."""
    from stabilize.artifacts import load_motion

    motion, origin = load_motion(saved)
    _check_made_of(video, origin, saved)
    return motion


def _solution_of(video: Path, saved: Path) -> Solution:
    """The saved path; raises MotionError where it is another video's."""
    from stabilize.path_file import load_path
    from stabilize.pipeline import Solution

    path, evidence, origin = load_path(saved)
    _check_made_of(video, origin, saved)
    return Solution(path, evidence, {})


def _check_made_of(video: Path, origin: Fingerprint | None, saved: Path) -> None:
    from stabilize.artifacts import fingerprint

    if origin is not None and origin != fingerprint(video):
        raise MotionError(
            f"{saved} was measured on another video than {video}, or on an earlier state of it; analyse it again"
        )


@with_settings_options("motion", "gyro", "fuse", "path", "render", "encode")
def info(source: Input = None, *, choices: Choices, output: Output = None, as_json: Json = False) -> None:
    """Say what is in a video and what `run` would make of it; nothing is written."""
    source, config = _needed(source), choices.resolve()
    from localfiles.terminal import say_json
    from stabilize.cli import plan
    from stabilize.cli.text import say_table
    from stabilize.video.probe import probe

    found = plan.plan(probe(source), output, config)
    if as_json:
        say_json(plan.as_dict(found))
    else:
        say_table(str(source), plan.rows(found))
