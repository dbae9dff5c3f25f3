"""The end of a run: one table, or JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from stabilize.cli.text import clean, complain, say_json, say_table

if TYPE_CHECKING:
    from stabilize.pipeline import Report


def show_report(report: Report, quiet: bool, as_json: bool) -> None:
    """What a run did. Quiet leaves the warnings, which tell of what was lost."""
    if as_json:
        say_json(asdict(report))
    elif quiet:
        show_warnings(report.warnings)
    else:
        say_table(report.target, _rows(report))


def show_warnings(warnings: tuple[str, ...]) -> None:
    """On stderr."""
    for warning in warnings:
        complain(f"warning: {clean(warning)}")


def _rows(report: Report) -> list[tuple[str, str]]:
    before, after = report.shake_before, report.shake_after
    return [
        ("frames", f"{report.frames}{_parts(report)}"),
        ("kept", f"{report.crop_kept:.1%} of the picture's area, at least {report.least_crop_kept:.1%}"),
        ("shake", f"{before.shift_percent:.3f} % of the long side before, {after.shift_percent:.3f} % after"),
        ("roll", f"{before.roll_deg:.3f} degrees before, {after.roll_deg:.3f} after"),
        ("seconds", seconds_line(report.seconds, report.frames)),
        *(("warning", warning) for warning in report.warnings),
    ]


def _parts(report: Report) -> str:
    shots = f" in {report.shots} shots" if report.shots > 1 else ""
    return shots + (f", {report.unmeasured} of them bridged without a measurement" if report.unmeasured else "")


def seconds_line(seconds: dict[str, float], frames: int) -> str:
    """Seconds of each stage and frames per second over all."""
    total = sum(seconds.values())
    speed = f" ({frames / total:.0f} frames/s)" if total > 0 else ""
    return ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items()) + speed
