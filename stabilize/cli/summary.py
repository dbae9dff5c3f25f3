"""The end of a run: one table, or JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localfiles.terminal import complain, say_json
from stabilize.cli.text import say_table

if TYPE_CHECKING:
    from stabilize.core import Motion
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
        complain(f"warning: {warning}")


def show_motion(  # noqa: PLR0917
    motion: Motion, source: Path, target: Path, warnings: tuple[str, ...], quiet: bool, as_json: bool
) -> None:
    """What an analysis found."""
    facts = _motion_facts(motion, source, target) | {"warnings": list(warnings)}
    if as_json:
        say_json(facts)
    elif quiet:
        show_warnings(warnings)
    else:
        rows = [("frames", f"{facts['frames']}{_parts(facts['shots'], facts['unmeasured'])}")]
        rows += [("pairs", ", ".join(f"{name} {count}" for name, count in facts["pairs"].items()))]
        rows += [("warning", warning) for warning in warnings]
        say_table(str(target), rows)


def _motion_facts(motion: Motion, source: Path, target: Path) -> dict[str, Any]:
    from stabilize.core import PairStatus

    statuses = motion.status.tolist()
    pairs = {status.name.lower(): statuses.count(status) for status in PairStatus if status in statuses}
    return {
        "source": str(source),
        "target": str(target),
        "frames": len(motion.timeline),
        "shots": len(motion.shots),
        "unmeasured": sum(count for name, count in pairs.items() if name not in ("ok", "faint", "cut")),
        "pairs": pairs,
    }


def _rows(report: Report) -> list[tuple[str, str]]:
    before, after = report.shake_before, report.shake_after
    return [
        ("frames", f"{report.frames}{_parts(report.shots, report.unmeasured)}"),
        *([("gyroscope", "its rotation was used")] if report.gyro_used else []),
        ("kept", f"{report.crop_kept:.1%} of the picture's area, at least {report.least_crop_kept:.1%}"),
        ("shake", f"{before.shift_percent:.3f} % of the long side before, {after.shift_percent:.3f} % after"),
        ("roll", f"{before.roll_deg:.3f} degrees before, {after.roll_deg:.3f} after"),
        ("seconds", seconds_line(report.seconds, report.frames)),
        *(("warning", warning) for warning in report.warnings),
    ]


def _parts(shots: int, unmeasured: int) -> str:
    bridged = f", {unmeasured} of them bridged without a measurement" if unmeasured else ""
    return (f" in {shots} shots" if shots > 1 else "") + bridged


def seconds_line(seconds: dict[str, float], frames: int) -> str:
    """Seconds of each stage and frames per second over all."""
    total = sum(seconds.values())
    speed = f" ({frames / total:.0f} frames/s)" if total > 0 else ""
    return ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items()) + speed
