"""Commands `stabilize gyro info` and `stabilize calibrate`, and what `stabilize.cli.gyroscope` shares with them.

Commands parse, call and print; a failure is a GyroError, which the program that mounts them catches."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gyro.errors import file_errors
from localfiles import terminal

# The library is imported inside the functions, so that --help is fast.
if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

    from gyro.estimate import Match
    from gyro.log import Float, GyroLog
    from gyro.readers import ReadOptions

LogArg = Annotated[Path, typer.Argument(help="A gyroscope log, or a video that contains one.", show_default=False)]
ColumnsOpt = Annotated[
    str | None, typer.Option("--gyro-columns", help="t,gx,gy,gz[,ax,ay,az]: column names, or numbers from 1.")
]
UnitOpt = Annotated[str | None, typer.Option("--gyro-units", help="rad/s, deg/s, or rad/s per count.")]
AccelOpt = Annotated[str | None, typer.Option("--accel-units", help="m/s2, g, mg, or m/s2 per count.")]
TimeOpt = Annotated[str | None, typer.Option("--time-unit", help="s, ms, us, ns, or seconds per count.")]
FormatOpt = Annotated[str | None, typer.Option("--format", help="Format of the log, instead of auto-detection.")]
OverwriteOpt = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace an existing output file.")]
DAMAGE_LINES_MAX = 20

say = file_errors()(terminal.say)
say_json = file_errors()(terminal.say_json)


def read_options(
    columns: str | None = None,
    gyro_unit: str | None = None,
    accel_unit: str | None = None,
    time_unit: str | None = None,
    log_format: str | None = None,
) -> ReadOptions:
    """Convert command-line options; `columns` is a list with commas. Raises UsageError for an invalid option."""
    from gyro.readers import ReadOptions, parse_columns

    return ReadOptions(parse_columns(columns), gyro_unit, time_unit, accel_unit, log_format)


def info(  # noqa: PLR0917
    log: LogArg,
    columns: ColumnsOpt = None,
    gyro_units: UnitOpt = None,
    accel_units: AccelOpt = None,
    time_unit: TimeOpt = None,
    log_format: FormatOpt = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what a log contains, how it was detected, and what is damaged."""
    from gyro.readers import read_log

    facts = log_facts(read_log(log, read_options(columns, gyro_units, accel_units, time_unit, log_format)))
    if as_json:
        say_json(facts)
        return
    for key, value in facts.items():
        if isinstance(value, list):
            for item in value[:DAMAGE_LINES_MAX]:
                say(f"{key:>9}  {item}")
            if len(value) > DAMAGE_LINES_MAX:
                say(f"{key:>9}  ... and {len(value) - DAMAGE_LINES_MAX} more")
        elif value is not None:
            say(f"{key:>9}  {value}")


def log_facts(log: GyroLog) -> dict[str, object]:
    """Return what a log contains, for text or JSON."""
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


def check_output(path: Path, inputs: Iterable[Path | str], overwrite: bool) -> None:
    """Check an output path before any work is done. Raises UsageError or OutputError."""
    from localfiles import check_target

    with file_errors():
        check_target(path, inputs, overwrite)


def sync_facts(match: Match, notes: tuple[str, ...] = ()) -> dict[str, object]:
    """Return a synchronisation as plain values: SI units, pixels, rotation vector in radians."""
    result = match.sync
    return {
        "log": match.log.source,
        "format": match.log.format,
        "lens_log": match.log.ois is not None,
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
        "held": list(result.unobservable),
        "notes": [*notes, *match.log.notes, *result.notes],
    }


def sync_lines(match: Match, notes: tuple[str, ...]) -> list[str]:
    """Return the lines of a synchronisation: values with standard errors, and whether the clip determines them."""
    result, log = match.sync, match.log

    def line_of(name: str, value: float, key: str, unit: str, scale: float = 1.0) -> str:
        unobservable = "   (not determined by this clip)" if key in result.unobservable else ""
        return f"{name:>9}  {value * scale:.4f} +- {result.std.get(key, float('nan')) * scale:.4f} {unit}{unobservable}"

    rotation = " ".join(f"{angle:.1f}" for angle in result.R_cam_gyro.as_rotvec(degrees=True))
    lines = [
        f"{'log':>9}  {log.source} ({log.format}{', with lens shift' * (log.ois is not None)})",
        line_of("offset", result.offset_s, "offset_s", "ms", 1000),
        line_of("drift", result.drift, "drift", "%", 100),
        line_of("readout", result.readout_s, "readout_s", f"ms along {result.readout_axis}", 1000),
        line_of("focal", result.focal_px, "focal_px", "px"),
        line_of("k1", result.k1, "k1", ""),
        f"{'axes':>9}  {result.axes}{', mirrored' * result.improper}, rotated by {rotation} degrees",
    ]
    lines += [f"{'note':>9}  {note}" for note in (*notes, *result.notes)]
    return [*lines, f"{'verdict':>9}  {result.refusal or 'the log belongs to this video'}"]


def orientation_path(log: GyroLog) -> tuple[Float, Rotation]:
    """Return times and orientations of the log's samples, in camera axes where the log states them."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    from gyro.estimate import integrate

    track = integrate(log)
    stated = np.eye(3) if log.R_cam_gyro is None else np.asarray(log.R_cam_gyro)
    R_cam_gyro = Rotation.from_matrix(stated if np.linalg.det(stated) > 0.5 else np.eye(3))
    return track.time_s, track.R_world_body * R_cam_gyro.inv()


def calibrate(
    source: Annotated[list[Path], typer.Argument(help="Images of a chessboard, a folder of them, or a video.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Lens profile to write (Gyroflow's JSON).")],
    pattern: Annotated[str, typer.Option("--pattern", help="Inner corners of the board, columns x rows.")] = "9x6",
    fisheye: Annotated[bool, typer.Option("--fisheye", help="Use the fisheye model, for wide lenses.")] = False,
    overwrite: OverwriteOpt = False,
) -> None:
    """Calibrate a lens from views of a chessboard and print every value with its standard error."""
    from gyro.lens import calibrate as calibrate_lens
    from gyro.lens import save_lens, source_files

    board = _board(pattern)
    views = source[0] if len(source) == 1 else source
    inputs = source_files(views)
    check_output(output, inputs, overwrite)
    calibration = calibrate_lens(views, board, "opencv_fisheye" if fisheye else "polynomial")
    K, names = calibration.lens.K, list(calibration.standard_errors)
    values = [K[0, 0], K[1, 1], K[0, 2], K[1, 2], *calibration.lens.coefficients]
    for name, value in zip(names, values, strict=True):
        say(f"{name:>3}  {value:.5g} +- {calibration.standard_errors[name]:.2g}")
    say(f"rms  {calibration.rms_px:.3f} px over {calibration.views_used} of {calibration.views_total} views")
    save_lens(calibration.lens, output, calibration.rms_px, inputs, overwrite)
    say(output)


def _board(pattern: str) -> tuple[int, int]:
    """Parse inner corners, columns x rows. Raises UsageError."""
    from gyro.errors import UsageError

    sides = pattern.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdecimal() for side in sides):
        raise UsageError(f"--pattern {pattern!r}: give columns x rows of inner corners, for example 9x6")
    return int(sides[0][:4]), int(sides[1][:4])
