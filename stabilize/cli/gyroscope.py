"""`stabilize gyro ...`: what needs both a log and a video. Who knows only logs is `gyro.cli`, whose command is mounted
beside these.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gyro import cli as logs
from gyro.cli import AccelOpt, ColumnsOpt, FormatOpt, LogArg, OverwriteOpt, TimeOpt, UnitOpt

# Heavy imports stay inside the functions, so that --help is there at once.
if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

    from gyro.estimate import Match, Tracks
    from gyro.log import Float, GyroLog
    from gyro.readers import Candidate
    from stabilize.video.probe import MediaInfo

app = typer.Typer(no_args_is_help=True, help="Gyroscope logs: what is in them, how they fit a video.")
app.command()(logs.info)


@app.command()
def sync(  # noqa: PLR0917
    video: Annotated[Path, typer.Argument(help="The video.", show_default=False)],
    log: Annotated[Path | None, typer.Argument(help="Its log; without it, the one beside or inside the video.")] = None,
    columns: ColumnsOpt = None,
    gyro_units: UnitOpt = None,
    accel_units: AccelOpt = None,
    time_unit: TimeOpt = None,
    log_format: FormatOpt = None,
    focal_px: Annotated[
        float | None, typer.Option("--focal", help="Focal length in pixels, where it is known.")
    ] = None,
    lens: Annotated[Path | None, typer.Option("--lens", help="Lens profile, where there is one.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw both rates into this picture (.png, .jpg).")] = None,
    overwrite: OverwriteOpt = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Find offset, drift, axes, readout and focal length, each with its standard error; exit 1 where log and video
    disagree."""
    from gyro.readers import Candidate, find_logs, read_log, side_files

    options = logs.read_options(columns, gyro_units, accel_units, time_unit, log_format)
    inputs = [path for path in (video, log, lens, *side_files(video)) if path is not None]
    if plot is not None:
        from gyro.plot import check_ending, plot_sync

        check_ending(plot)
        logs.check_result(plot, inputs, overwrite)
    named = None if log is None else [Candidate(read_log(log, options))]
    found, notes = _matched(video, named or find_logs(video, options), focal_px, lens)
    if plot is not None:
        plot_sync(found, plot, [*inputs, *found.log.files], overwrite)
    if as_json:
        logs.say_json(logs.sync_facts(found, notes))
    else:
        for line in logs.sync_lines(found, notes):
            logs.say(line)
    if not found.sync.accepted:
        raise typer.Exit(1)


@app.command()
def export(  # noqa: PLR0917
    log: LogArg,
    output: Annotated[Path, typer.Option("--output", "-o", help=".gcsv: the log; .csv or .json: the camera's path.")],
    video: Annotated[
        Path | None, typer.Option("--video", help="Give the path at this video's frames, in its axes.")
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
    logs.check_result(output, [log, *([video] if video else [])], overwrite)
    found = read_log(log, logs.read_options(columns, gyro_units, accel_units, time_unit, log_format))
    inputs = [*map(Path, found.files), *([video] if video else [])]
    logs.check_result(output, inputs, overwrite)  # the log may be in more files than the one that was named
    if output.suffix.lower() == ".gcsv":
        write_gcsv(found, output, inputs, overwrite)
    else:
        time_s, R_world_cam = logs.path_of(found) if video is None else _path_over(found, video)
        write_path(time_s, R_world_cam, output, inputs, overwrite)
    logs.say(output)


def _path_over(log: GyroLog, video: Path) -> tuple[Float, Rotation]:
    """Orientations at the frames of a video. Raises SyncError where the log does not fit it."""
    from gyro.errors import SyncError
    from gyro.estimate import camera_orientation
    from gyro.readers import Candidate

    match, _ = _matched(video, [Candidate(log)])
    if not match.sync.accepted:
        raise SyncError(f"{log.source} and {video} do not fit: {match.sync.refusal}")
    time_s = match.tracks.time_s
    return time_s, camera_orientation(log, match.sync).evaluate(time_s)


def _matched(
    video: Path, candidates: Iterable[Candidate], focal_px: float | None = None, lens: Path | None = None
) -> tuple[Match, tuple[str, ...]]:
    """The log that fits, or the one that was compared. Raises LogError where there is none, InputError where the video
    cannot be read.
    """
    from gyro.errors import LogError
    from gyro.estimate import check_known, match_logs
    from stabilize.video.probe import probe

    info = probe(video)  # what is no video is refused first
    check_known(focal_px, lens)
    found, notes = match_logs(candidates, lambda: tracks_in(info), focal_px, lens)
    if found is None:
        raise LogError("; ".join(notes) or f"{video.name}: no log in it and none beside it; name one")
    return found, notes


def tracks_in(info: MediaInfo) -> Tracks:
    """What the picture says, as an analysis finds it."""
    from stabilize.config import Config
    from stabilize.gyroscope.match import tracks_of
    from stabilize.pipeline import measure
    from stabilize.settings import MotionConfig

    motion, _ = measure(info, Config(motion=MotionConfig(mesh=False)))
    return tracks_of(motion)
