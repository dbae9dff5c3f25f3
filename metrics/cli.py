"""The commands `metrics` and `score`: plain functions for Typer, to be mounted in any app.

Exit codes: 0 done; 1 a `MetricsError` (the caller of these functions prints it); 2 wrong usage; 3 `score` finished, but
some clips could not be judged.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metrics.errors import MetricsError

if TYPE_CHECKING:
    from metrics.dataset.run import Outcome
    from metrics.model import Judgement
    from metrics.tables import Table

SOME_FAILED = 3
MODE_HELP = "robust (default), or a published program: dvs, difrint (= FuSta), difrint-v0, nndvs"
Mode = Annotated[str, typer.Option("--mode", help=MODE_HELP)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress line")]


def metrics_command(
    out: Annotated[Path, typer.Argument(help="the stabilised video")],
    *,
    ref: Annotated[Path | None, typer.Option("--ref", help="the video before stabilisation")] = None,
    mode: Mode = "robust",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="write the per-frame figures to this CSV file")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="write a self-contained HTML page")] = None,
    quiet: Quiet = False,
) -> None:
    """Judge a stabilised video: alone, or against its input with --ref."""
    from metrics.judging import judge
    from metrics.progress import progress
    from metrics.tables import print_table, scores_table

    if report is not None and mode != "robust":
        raise MetricsError(f"a report shows the mode robust: leave --mode {mode} away")
    shown = not (quiet or as_json)
    with progress(f"judging {out.name}", _frame_count(out), shown) as tick:
        judgement = judge(out, ref, mode, tick)
    if csv is not None:
        _write(csv, _frames_csv(judgement))
    if report is not None:
        from metrics.report.page import report_page

        with progress(f"writing {report.name}", None, shown):
            _write(report, report_page(judgement))
    if as_json:
        sys.stdout.write(json.dumps(judgement.as_dict(), allow_nan=False, indent=1) + "\n")
    else:
        print_table(scores_table(judgement))


def score_command(
    dataset: Annotated[Path, typer.Argument(help="a folder of inputs and outputs, or a CSV manifest")],
    *,
    mode: Mode = "robust",
    to: Annotated[Path, typer.Option("--out", "-o", help="folder of tables and finished clips")] = Path("scores"),
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="processes; 0: one for each core")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of tables")] = False,
    quiet: Quiet = False,
) -> None:
    """Score many clips and several methods; interrupted runs go on where they stopped."""
    from metrics.dataset.layout import find_jobs
    from metrics.dataset.run import score_dataset
    from metrics.dataset.summary import as_dict, summary_tables
    from metrics.judging import MODES
    from metrics.progress import progress
    from metrics.tables import print_table

    if mode not in MODES:
        raise MetricsError(f"mode {mode!r} does not exist; choose from {', '.join(MODES)}")
    pairs = find_jobs(dataset)
    with progress(f"scoring {dataset.name}", len(pairs), not (quiet or as_json)) as tick:
        outcomes = score_dataset(pairs, mode, to / "finished", jobs or os.cpu_count() or 1, tick)
    tables, whole = summary_tables(outcomes, mode), json.dumps(as_dict(outcomes, mode), allow_nan=False, indent=1)
    _write_tables(to, mode, tables, whole)
    if as_json:
        sys.stdout.write(whole + "\n")
    else:
        for table in tables:
            print_table(table)
    _say_failures(outcomes)


def _say_failures(outcomes: tuple[Outcome, ...]) -> None:
    broken = [o for o in outcomes if o.judgement is None]
    for o in broken:
        sys.stderr.write(f"not judged: {o.job.method}/{o.job.category}/{o.job.clip}: {o.error}\n")
    if broken:
        raise typer.Exit(SOME_FAILED)


def _write_tables(folder: Path, mode: str, tables: tuple[Table, ...], whole: str) -> None:
    from metrics.tables import as_csv, as_latex, as_markdown

    names = ("clips", "categories", "methods", "wins")
    for name, table in zip(names, tables, strict=True):
        _write(folder / f"{mode}_{name}.csv", as_csv(table))
    _write(folder / f"{mode}.md", "\n".join(map(as_markdown, tables)))
    _write(folder / f"{mode}.tex", "\n".join(map(as_latex, tables)))
    _write(folder / f"{mode}.json", whole)


def _write(path: Path, text: str) -> None:
    from metrics.dataset.state import write_whole

    try:
        write_whole(path, text)
    except OSError as error:
        raise MetricsError(f"{path}: cannot be written ({error.strerror})") from error


def _frame_count(path: Path) -> int | None:
    from metrics.video import probe

    info = probe(path)
    return info.frames or round(info.duration_s * info.fps) or None


def _frames_csv(judgement: Judgement) -> str:
    """One row a frame; an empty cell where a figure could not be measured."""
    names = list(judgement.frames)
    lines = [",".join(names)]
    for row in zip(*judgement.frames.values(), strict=True):
        lines.append(",".join(f"{value:.6g}" if math.isfinite(value) else "" for value in row))
    return "\n".join(lines) + "\n"
