"""`stabilize gyro ...` and `stabilize calibrate`: parse, call, print. What fails raises GyroError; whoever mounts this
catches it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

# Heavy imports stay inside the functions, so that --help is there at once.
if TYPE_CHECKING:
    from gyro.estimate import SyncResult
    from gyro.log import GyroLog
    from gyro.readers import ReadOptions

app = typer.Typer(no_args_is_help=True, help="Gyroscope logs: what is in them, how they fit a video.")

LogArg = Annotated[Path, typer.Argument(help="A log, or a video with one inside.", show_default=False)]
ColumnsOpt = Annotated[
    str | None, typer.Option("--gyro-columns", help="t,gx,gy,gz[,ax,ay,az]: names of columns, or numbers from 1.")
]
UnitOpt = Annotated[str | None, typer.Option("--gyro-units", help="rad/s, deg/s, or rad/s per count.")]
AccelOpt = Annotated[str | None, typer.Option("--accel-units", help="m/s2, g, mg, or m/s2 per count.")]
TimeOpt = Annotated[str | None, typer.Option("--time-unit", help="s, ms, us, ns, or seconds per count.")]
FormatOpt = Annotated[str | None, typer.Option("--format", help="Name of the reader, instead of detection.")]
DAMAGE_SHOWN = 20


def read_options(
    columns: str | None = None,
    gyro_unit: str | None = None,
    accel_unit: str | None = None,
    time_unit: str | None = None,
    log_format: str | None = None,
) -> ReadOptions:
    """The overrides of a command line; `columns` is a list with commas. Raises LogError where one is not understood."""
    from gyro.readers import ReadOptions

    names = tuple(name.strip() for name in columns.split(",")) if columns else None
    return ReadOptions(names, gyro_unit, time_unit, accel_unit, log_format)


@app.command()
def info(  # noqa: PLR0917
    log: LogArg,
    columns: ColumnsOpt = None,
    gyro_units: UnitOpt = None,
    accel_units: AccelOpt = None,
    time_unit: TimeOpt = None,
    log_format: FormatOpt = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what a log holds, how that was found, and what is damaged."""
    import json

    from gyro.readers import read_log

    found = read_log(log, read_options(columns, gyro_units, accel_units, time_unit, log_format))
    facts = describe(found)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        if isinstance(value, list):
            for item in value[:DAMAGE_SHOWN]:
                typer.echo(f"{key:>9}  {item}")
            if len(value) > DAMAGE_SHOWN:
                typer.echo(f"{key:>9}  ... and {len(value) - DAMAGE_SHOWN} more")
        elif value is not None:
            typer.echo(f"{key:>9}  {value}")


def describe(log: GyroLog) -> dict[str, object]:
    """The facts of a log, for a person or for JSON."""
    import numpy as np

    rms = np.degrees(np.sqrt(np.mean(log.gyro_rad_s**2, axis=0)))
    damage = [f"line {d.line}: {d.reason}" if d.line else f"{d.time_s:.3f} s: {d.reason}" for d in log.damage]
    return {
        "source": log.source,
        "format": log.format,
        "samples": len(log.time_s),
        "rate_hz": round(log.rate_hz, 3),
        "from_s": round(float(log.time_s[0]), 6),
        "to_s": round(float(log.time_s[-1]), 6),
        "origin_s": round(log.origin_s, 6) or None,
        "gyro_rms": "{:.3g} {:.3g} {:.3g} deg/s".format(*rms),
        "accel": "no" if log.accel_m_s2 is None else "yes",
        "axes": log.axes,
        "readout": None if log.readout_s is None else f"{log.readout_s * 1000:.3g} ms",
        "lens": log.lens,
        "note": list(log.notes),
        "gap": [f"{start:.3f} to {end:.3f} s" for start, end in log.gaps_s],
        "damage": damage,
    }


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
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw both rates into this picture.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Find offset, drift, axes, readout and focal length, each with its standard error; exit 1 where log and video
    disagree."""
    import json

    from gyro.estimate import known_settings, synchronize, track_video

    options = read_options(columns, gyro_units, accel_units, time_unit, log_format)
    found = log_of(video, log, options)
    tracks = track_video(video)
    result = synchronize(tracks, found, known_settings(found, (tracks.width, tracks.height), focal_px, lens))
    if plot is not None:
        from gyro.plot import plot_sync

        plot_sync(tracks, found, result, plot)
    facts = sync_facts(result)
    typer.echo(json.dumps(facts, indent=2) if as_json else "\n".join(_sync_lines(result)))
    if not result.accepted:
        raise typer.Exit(1)


def log_of(video: Path, log: Path | None, options: ReadOptions) -> GyroLog:
    """The log of a video, as `video_log` finds it. Raises LogError where there is none."""
    from gyro.errors import LogError
    from gyro.readers import video_log

    found = video_log(video, log, options)
    if found is None:
        raise LogError(f"{video.name}: no log in it and none beside it; name one")
    return found


def sync_facts(result: SyncResult) -> dict[str, object]:
    """A synchronisation as plain values: SI units, pixels, rotation vector in radians."""
    return {
        "accepted": result.accepted,
        "refusal": result.refusal,
        "offset_s": result.offset_s,
        "drift": result.drift,
        "readout_s": result.readout_s,
        "readout_axis": result.readout_axis,
        "focal_px": result.focal_px,
        "k1": result.k1,
        "axes": result.axes,
        "kind": result.kind,
        "rotation_cam_gyro": result.R_cam_gyro.as_rotvec().tolist(),
        "mirrored": result.improper,
        "bias_rad_s": result.bias_rad_s.tolist(),
        "standard_errors": dict(result.std),
        "held": list(result.held),
        "notes": list(result.notes),
    }


def _sync_lines(result: SyncResult) -> list[str]:
    """What a person wants to know: value, standard error, and whether the clip shows it."""

    def row(name: str, value: float, key: str, unit: str, scale: float = 1.0) -> str:
        held = "   (held: this clip does not show it)" if key in result.held else ""
        return f"{name:>9}  {value * scale:.4f} +- {result.std.get(key, float('nan')) * scale:.4f} {unit}{held}"

    turned = " ".join(f"{angle:.1f}" for angle in result.R_cam_gyro.as_rotvec(degrees=True))
    lines = [
        row("offset", result.offset_s, "offset_s", "ms", 1000),
        row("drift", result.drift, "drift", "%", 100),
        row("readout", result.readout_s, "readout_s", f"ms along {result.readout_axis}", 1000),
        row("focal", result.focal_px, "focal_px", "px"),
        row("k1", result.k1, "k1", ""),
        f"{'axes':>9}  {result.axes}{', mirrored' * result.improper}, turned by {turned} degrees",
    ]
    lines += [f"{'note':>9}  {note}" for note in result.notes]
    return [*lines, f"{'verdict':>9}  {result.refusal or 'the log belongs to this video'}"]


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
) -> None:
    """Write a log as .gcsv for Gyroflow, or the camera's orientation as CSV or JSON (t_s, qw, qx, qy, qz)."""
    from gyro.errors import LogError
    from gyro.export import write_gcsv
    from gyro.readers import read_log

    if output.suffix.lower() not in (".gcsv", ".csv", ".json"):
        raise LogError(f"{output}: export writes .gcsv, .csv or .json")
    if output.resolve() == log.resolve():
        raise LogError(f"{output}: is the log itself; choose another name")
    found = read_log(log, read_options(columns, gyro_units, accel_units, time_unit, log_format))
    if output.suffix.lower() == ".gcsv":
        write_gcsv(found, output)
    else:
        _export_path(found, video, output)
    typer.echo(f"{output}")


def _export_path(log: GyroLog, video: Path | None, output: Path) -> None:
    """Orientation over the video's frames where there is a video that fits, else over the log's own samples."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    from gyro.errors import SyncError
    from gyro.estimate import integrate
    from gyro.export import write_path

    if video is None:
        track = integrate(log)
        stated = np.eye(3) if log.R_cam_gyro is None else np.asarray(log.R_cam_gyro)
        R_cam_gyro = Rotation.from_matrix(stated if np.linalg.det(stated) > 0.5 else np.eye(3))
        write_path(track.time_s, track.R_world_body * R_cam_gyro.inv(), output)
        return
    from gyro.estimate import synchronize, track_video

    tracks = track_video(video)
    result = synchronize(tracks, log)
    if result.refusal is not None:
        raise SyncError(f"{log.source} and {video} do not fit: {result.refusal}")
    sign = -1.0 if result.improper else 1.0
    rates = replace(log, gyro_rad_s=sign * log.gyro_rad_s)
    track = integrate(rates, sign * result.bias_rad_s, use_accel=not result.improper)
    R_world_cam = track.evaluate(result.log_time(tracks.time_s)) * result.R_cam_gyro.inv()
    write_path(tracks.time_s, R_world_cam, output)


def calibrate(
    source: Annotated[list[Path], typer.Argument(help="Pictures of a chessboard, a folder of them, or a video.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The lens profile (Gyroflow's JSON).")],
    pattern: Annotated[str, typer.Option("--pattern", help="Inner corners, columns x rows.")] = "9x6",
    fisheye: Annotated[bool, typer.Option("--fisheye", help="Fisheye model, for wide lenses.")] = False,
) -> None:
    """Calibrate a lens from views of a chessboard; prints every value with its standard error."""
    from gyro.errors import LensError
    from gyro.lens import calibrate as calibrate_lens
    from gyro.lens import save_lens

    sides = pattern.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise LensError(f"--pattern {pattern!r}: say columns x rows of inner corners, for example 9x6")
    board = (int(sides[0][:4]), int(sides[1][:4]))
    found = calibrate_lens(
        source[0] if len(source) == 1 else source, board, "opencv_fisheye" if fisheye else "polynomial"
    )
    K, names = found.lens.K, list(found.standard_errors)
    values = [K[0, 0], K[1, 1], K[0, 2], K[1, 2], *found.lens.coefficients]
    for name, value in zip(names, values, strict=True):
        typer.echo(f"{name:>3}  {value:.5g} +- {found.standard_errors[name]:.2g}")
    typer.echo(f"rms  {found.rms_px:.3f} px over {found.views_used} of {found.views_seen} views")
    save_lens(found.lens, output, found.rms_px)
    typer.echo(f"{output}")
