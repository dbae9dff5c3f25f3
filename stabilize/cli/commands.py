"""The commands `run`, `analyse`, `solve`, `render`, `info`: options, a call of the library, the result printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localfiles import check_target
from stabilize.cli.options import Choices, with_settings_options
from stabilize.errors import MotionError, UsageError, file_errors

# The library is imported inside the functions, so that --help is fast.
if TYPE_CHECKING:
    from stabilize.artifacts import Fingerprint
    from stabilize.core import Motion
    from stabilize.pipeline import Solution

Input = Annotated[Path | None, typer.Argument(metavar="IN", help="The video.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="OUT", help="Output (<stem>_stabilized.<ext>).", show_default=False),
]
MotionOutput = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="OUT", help="Output (<stem>_motion.npz).", show_default=False),
]
PathOutput = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="OUT", help="Output (<stem>_path.npz).", show_default=False),
]
SavedMotion = Annotated[Path | None, typer.Argument(metavar="MOTION", help="Output of `analyse`.", show_default=False)]
MotionInput = Annotated[
    Path | None,
    typer.Option("--motion", metavar="FILE.npz", help="Output of `analyse`: solve and render.", show_default=False),
]
PathInput = Annotated[
    Path | None, typer.Option("--path", metavar="FILE.npz", help="Output of `solve`: only render.", show_default=False)
]
Video = Annotated[
    Path | None,
    typer.Option(
        "--video",
        metavar="IN",
        help="The video; a gyroscope log beside or inside it is used.",
        show_default=False,
    ),
]
Gyro = Annotated[
    Path | None, typer.Option("--gyro", metavar="LOG", help="Gyroscope log of the clip.", show_default=False)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace an existing output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only warnings and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of a table; no progress.")]


def _require_video(source: Path | None) -> Path:
    """Return the input. It is optional for the parser only because --print-config works without it."""
    if source is None:
        raise UsageError("the video is missing (IN)")
    return source


def use_one_opencv_thread() -> None:
    """Disable OpenCV's own threads for the whole process: the stages already run in parallel, and are faster so."""
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
    """Stabilise a video; audio, metadata and everything else in the file is kept."""
    source, config = _require_video(source), choices.resolve()
    from stabilize.cli.plan import plan
    from stabilize.cli.progress import progress
    from stabilize.cli.summary import show_report
    from stabilize.pipeline import stabilize_video
    from stabilize.video.probe import probe

    info = probe(source)
    target = plan(info, output, config).output.target  # refuses unsuitable settings before any work is done
    use_one_opencv_thread()
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
    """Measure the motion of a video and save it for `solve` and `render`."""
    source, config = _require_video(source), choices.resolve()
    from stabilize import pipeline, spool
    from stabilize.artifacts import fingerprint, save_motion
    from stabilize.cli.progress import progress
    from stabilize.cli.summary import show_motion
    from stabilize.video.probe import probe

    info = probe(source)  # first, because it refuses pipes: hashing one would wait forever
    target = output or source.with_name(f"{source.stem}_motion.npz")
    with file_errors():
        check_target(target, [info.path], overwrite)
    origin = fingerprint(info.path)
    use_one_opencv_thread()
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
    """Compute the smooth path for a saved motion and save it for `render`."""
    config = choices.resolve()
    if motion is None:
        raise UsageError("the motion file is missing (MOTION): the output of `stabilize analyse`")
    from stabilize import pipeline, spool
    from stabilize.artifacts import load_motion
    from stabilize.cli.progress import progress
    from stabilize.cli.summary import show_path
    from stabilize.path_file import save_path

    loaded, origin = load_motion(motion)
    if video is not None:
        _check_origin(video, origin, motion)
    target = output or motion.with_name(f"{motion.stem.removesuffix('_motion')}_path.npz")
    with file_errors():
        check_target(target, [path for path in (motion, video, gyro) if path is not None], overwrite)
    with spool.use_folder_of(target), progress(not (quiet or as_json)) as step:
        solution = pipeline.solve_motion(loaded, config, video=video, gyro=gyro, progress=step)
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
    """Stabilise a video with a saved path or a saved motion."""
    source, config = _require_video(source), choices.resolve()
    if (motion is None) == (path is None):
        raise UsageError("give either --path FILE.npz (from `solve`) or --motion FILE.npz (from `analyse`)")
    if path is not None:
        reason = "the path is already solved; pass it to `solve` instead, or render with --motion"
        choices.check_unused("gyro", "fuse", "path", reason=reason)
        if gyro is not None:
            raise UsageError(f"--gyro has no effect here: {reason}")
    from stabilize import pipeline
    from stabilize.cli.plan import plan
    from stabilize.cli.progress import progress
    from stabilize.cli.summary import show_report
    from stabilize.video.probe import probe

    info = probe(source)
    solution = None if path is None else _load_solution(path, info.path)
    loaded = None if motion is None else _load_motion(motion, info.path)
    target = plan(info, output, config).output.target
    use_one_opencv_thread()
    with progress(not (quiet or as_json)) as step:
        if solution is not None:
            report = pipeline.stabilize_path(info, solution, target, config, step)
        elif loaded is not None:
            report = pipeline.stabilize_motion(info, loaded, target, config, progress=step, gyro=gyro)
    show_report(report, quiet, as_json)


def _load_motion(file: Path, video: Path) -> Motion:
    """Load a motion. Raises MotionError if it belongs to another video."""
    from stabilize.artifacts import load_motion

    motion, origin = load_motion(file)
    _check_origin(video, origin, file)
    return motion


def _load_solution(file: Path, video: Path) -> Solution:
    """Load a path. Raises MotionError if it belongs to another video."""
    from stabilize.path_file import load_path
    from stabilize.pipeline import Solution

    path, evidence, origin = load_path(file)
    _check_origin(video, origin, file)
    return Solution(path, evidence, {})


def _check_origin(video: Path, origin: Fingerprint | None, file: Path) -> None:
    from stabilize.artifacts import fingerprint

    if origin is not None and origin != fingerprint(video):
        raise MotionError(
            f"{file} belongs to another video than {video}, or to an earlier version of it; analyse the video again"
        )


@with_settings_options("motion", "gyro", "fuse", "path", "render", "encode")
def info(source: Input = None, *, choices: Choices, output: Output = None, as_json: Json = False) -> None:
    """Show what is in a video and what `run` would write; nothing is written."""
    source, config = _require_video(source), choices.resolve()
    from localfiles.terminal import say_json
    from stabilize.cli import plan
    from stabilize.cli.text import say_table
    from stabilize.video.probe import probe

    run_plan = plan.plan(probe(source), output, config)
    if as_json:
        say_json(plan.as_dict(run_plan))
    else:
        say_table(str(source), plan.rows(run_plan))
