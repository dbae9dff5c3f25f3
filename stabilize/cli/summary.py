"""The summary printed at the end of a command: a table, or JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localfiles.terminal import complain, say_json
from stabilize.cli.text import say_table
from stabilize.cli.verdict import verdict

if TYPE_CHECKING:
    from stabilize.core import Motion
    from stabilize.path.measure import Evidence
    from stabilize.pipeline import Report, Solution


def show_report(report: Report, quiet: bool, as_json: bool) -> None:
    """Print the report of a run. With `quiet` only the warnings."""
    if as_json:
        say_json({"verdict": verdict(report, report.frames)} | asdict(report))
    elif quiet:
        show_warnings(report.warnings)
    else:
        say_table(report.target, _rows(report))


def show_warnings(warnings: tuple[str, ...]) -> None:
    """Print warnings on stderr."""
    for warning in warnings:
        complain(f"warning: {warning}")


def show_motion(  # noqa: PLR0917
    motion: Motion, source: Path, target: Path, warnings: tuple[str, ...], quiet: bool, as_json: bool
) -> None:
    """Print the summary of an analysis."""
    facts = _motion_facts(motion, source, target) | {"warnings": list(warnings)}
    if as_json:
        say_json(facts)
    elif quiet:
        show_warnings(warnings)
    else:
        rows = [("frames", f"{facts['frames']}{_shots_text(facts['shots'], facts['unmeasured'])}")]
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


def show_path(solution: Solution, source: Path, target: Path, quiet: bool, as_json: bool) -> None:
    """Print the summary of a solved path."""
    path, evidence = solution.path, solution.evidence
    counts = {"frames": len(path.timeline), "shots": len(path.shots)}
    if as_json:
        facts = {k: v for k, v in asdict(evidence).items() if k != "notes"}
        summary = {"verdict": verdict(evidence, counts["frames"]), "source": str(source), "target": str(target)}
        facts = summary | counts | facts
        say_json(facts | {"seconds": solution.seconds, "warnings": list(evidence.notes)})
    elif quiet:
        show_warnings(evidence.notes)
    else:
        rows = _evidence_rows(evidence, **counts)
        rows += [("seconds", seconds_line(solution.seconds, counts["frames"]))]
        say_table(str(target), rows + [("warning", note) for note in evidence.notes])


def _rows(report: Report) -> list[tuple[str, str]]:
    return [
        *_evidence_rows(report, report.frames, report.shots),
        ("seconds", seconds_line(report.seconds, report.frames)),
        *(("warning", warning) for warning in report.warnings),
    ]


def _evidence_rows(source: Report | Evidence, frames: int, shots: int) -> list[tuple[str, str]]:
    before, after = source.shake_before, source.shake_after
    return [
        ("verdict", verdict(source, frames)),
        ("frames", f"{frames}{_shots_text(shots, source.unmeasured)}"),
        *([("gyroscope", "rotation of the log used")] if source.gyro_used else []),
        ("kept", f"{source.crop_kept:.1%} of the frame area, at least {source.least_crop_kept:.1%}"),
        ("shake", f"{before.shift_percent:.3f} % of the long side before, {after.shift_percent:.3f} % after"),
        ("roll", f"{before.roll_deg:.3f} degrees before, {after.roll_deg:.3f} after"),
    ]


def _shots_text(shots: int, unmeasured: int) -> str:
    bridged = f", {unmeasured} without measured motion (interpolated)" if unmeasured else ""
    return (f" in {shots} shots" if shots > 1 else "") + bridged


def seconds_line(seconds: dict[str, float], frames: int) -> str:
    """Seconds per stage, and frames per second overall."""
    total = sum(seconds.values())
    speed = f" ({frames / total:.0f} frames/s)" if total > 0 else ""
    return ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items()) + speed
