"""`stabilize gyro ...`: the commands that need both a log and a video, and `info` of `gyro.cli`, which needs a log."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gyro import cli as logs
from gyro.cli import AccelOpt, ColumnsOpt, FormatOpt, LogArg, OverwriteOpt, TimeOpt, UnitOpt

# The library is imported inside the functions, so that --help is fast.
if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

    from gyro.estimate import Match, Tracks
    from gyro.log import Float, GyroLog
    from gyro.readers import Candidate
    from stabilize.video.probe import MediaInfo

app = typer.Typer(no_args_is_help=True, help="Inspect, synchronise and export gyroscope logs.")
app.command()(logs.info)


@app.command()
def sync(  # noqa: PLR0917
    video: Annotated[Path, typer.Argument(help="The video.", show_default=False)],
    log: Annotated[Path | None, typer.Argument(help="The log (default: the one beside or inside the video).")] = None,
    columns: ColumnsOpt = None,
    gyro_units: UnitOpt = None,
    accel_units: AccelOpt = None,
    time_unit: TimeOpt = None,
    log_format: FormatOpt = None,
    focal_px: Annotated[float | None, typer.Option("--focal", help="Focal length in pixels, if known.")] = None,
    lens: Annotated[Path | None, typer.Option("--lens", help="Lens profile, if known.")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Plot the rates of log and video to this image (.png, .jpg).")
    ] = None,
    overwrite: OverwriteOpt = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate offset, drift, axes, readout and focal length with their standard errors.

    Exit code 1 if log and video disagree.
    """
    from gyro.readers import Candidate, find_logs, read_log, side_files

    options = logs.read_options(columns, gyro_units, accel_units, time_unit, log_format)
    inputs = [path for path in (video, log, lens, *side_files(video)) if path is not None]
    if plot is not None:
        from gyro.plot import check_ending, plot_sync

        check_ending(plot)
        logs.check_output(plot, inputs, overwrite)
    candidates = find_logs(video, options) if log is None else [Candidate(read_log(log, options))]
    match, notes = _match_video(video, candidates, focal_px, lens)
    if plot is not None:
        plot_sync(match, plot, [*inputs, *match.log.files], overwrite)
    if as_json:
        logs.say_json(logs.sync_facts(match, notes))
    else:
        for line in logs.sync_lines(match, notes):
            logs.say(line)
    if not match.sync.accepted:
        raise typer.Exit(1)


@app.command()
def export(  # noqa: PLR0917
    log: LogArg,
    output: Annotated[Path, typer.Option("--output", "-o", help=".gcsv: the log; .csv or .json: camera orientations.")],
    video: Annotated[
        Path | None, typer.Option("--video", help="Export orientations at the frames of this video, in camera axes.")
    ] = None,
    columns: ColumnsOpt = None,
    gyro_units: UnitOpt = None,
    accel_units: AccelOpt = None,
    time_unit: TimeOpt = None,
    log_format: FormatOpt = None,
    overwrite: OverwriteOpt = False,
) -> None:
    """Write a log as .gcsv for Gyroflow, or the camera's orientation as CSV or JSON (t_s, qw, qx, qy, qz)."""
    from gyro.errors import UsageError
    from gyro.export import write_gcsv, write_path
    from gyro.readers import read_log

    if output.suffix.lower() not in (".gcsv", ".csv", ".json"):
        raise UsageError(f"{output}: export writes .gcsv, .csv or .json")
    logs.check_output(output, [log, *([video] if video else [])], overwrite)
    gyro_log = read_log(log, logs.read_options(columns, gyro_units, accel_units, time_unit, log_format))
    inputs = [*map(Path, gyro_log.files), *([video] if video else [])]
    logs.check_output(output, inputs, overwrite)  # again: a log may consist of several files
    if output.suffix.lower() == ".gcsv":
        write_gcsv(gyro_log, output, inputs, overwrite)
    else:
        time_s, R_world_cam = logs.orientation_path(gyro_log) if video is None else _video_path(gyro_log, video)
        write_path(time_s, R_world_cam, output, inputs, overwrite)
    logs.say(output)


def _video_path(log: GyroLog, video: Path) -> tuple[Float, Rotation]:
    """Times and orientations of the frames of a video. Raises SyncError if the log does not agree with it."""
    from gyro.errors import SyncError
    from gyro.estimate import camera_orientation
    from gyro.readers import Candidate

    match, _ = _match_video(video, [Candidate(log)])
    if not match.sync.accepted:
        raise SyncError(f"{log.source} and {video} do not agree: {match.sync.refusal}")
    time_s = match.tracks.time_s
    return time_s, camera_orientation(log, match.sync).evaluate(time_s)


def _match_video(
    video: Path, candidates: Iterable[Candidate], focal_px: float | None = None, lens: Path | None = None
) -> tuple[Match, tuple[str, ...]]:
    """Return the first log that agrees with the video, else the last one compared, and notes on the others.

    Raises LogError if there is none, InputError if the video cannot be read.
    """
    from gyro.errors import LogError
    from gyro.estimate import check_priors, match_logs
    from stabilize.video.probe import probe

    info = probe(video)  # first, because it refuses files that are not videos
    check_priors(focal_px, lens)
    match, notes = match_logs(candidates, lambda: measure_tracks(info), focal_px, lens)
    if match is None:
        raise LogError("; ".join(notes) or f"{video.name}: no gyroscope log in it or beside it; give its path")
    return match, notes


def measure_tracks(info: MediaInfo) -> Tracks:
    """Matches between the frames of a video, from the same analysis that `run` uses."""
    from stabilize.config import Config
    from stabilize.gyroscope.match import motion_tracks
    from stabilize.pipeline import measure
    from stabilize.settings import MotionConfig

    motion, _ = measure(info, Config(motion=MotionConfig(mesh=False)))
    return motion_tracks(motion)
