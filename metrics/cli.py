"""The commands `metrics` and `score`: plain functions for Typer, to be mounted in any app.

A `MetricsError` is for the caller of these functions to print; its `exit_code` is what the program ends with. `score`
ends with 3 also where it has finished, but some clips could not be judged.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localfiles import check_target, write_text
from localfiles.terminal import complain, say, say_json
from metrics.errors import UsageError, file_errors

if TYPE_CHECKING:
    from metrics.dataset.run import Outcome
    from metrics.model import Judgement

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
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="replace the CSV file and the page where they exist")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Judge a stabilised video: alone, or against its input with --ref."""
    from metrics.judging import check_mode, judge
    from metrics.progress import progress
    from metrics.tables import print_table, scores_table
    from metrics.video import unchanged

    check_mode(mode, ref is not None)
    if report is not None and mode != "robust":
        raise UsageError(f"a report shows the mode robust: leave --mode {mode} away")
    inputs = [path for path in (out, ref) if path is not None]
    _check_targets([path for path in (csv, report) if path is not None], inputs, overwrite)
    shown, texts = not (quiet or as_json), {}
    with unchanged(*inputs):
        with progress(f"judging {out.name}", _frame_count(out), shown) as tick:
            judgement = judge(out, ref, mode, tick)
        if csv is not None:
            texts[csv] = _frames_csv(judgement)
        if report is not None:
            from metrics.report.page import report_page

            with progress(f"writing {report.name}", None, shown):
                texts[report] = report_page(judgement)
    try:
        for path, text in texts.items():
            with file_errors():
                write_text(path, text, inputs, overwrite)
    finally:  # a disk that is full costs the files, not the scores
        if as_json:
            say_json(judgement.as_dict())
        else:
            print_table(scores_table(judgement))


def score_command(
    dataset: Annotated[Path, typer.Argument(help="a folder of inputs and outputs, or a CSV manifest")],
    *,
    mode: Mode = "robust",
    to: Annotated[Path, typer.Option("--out", "-o", help="folder of tables and finished clips")] = Path("scores"),
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="processes; 0: one for each core")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of tables")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="replace files that have a table's name, but are none of `score`")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Score many clips and several methods; interrupted runs go on where they stopped."""
    from metrics.dataset.layout import find_jobs
    from metrics.dataset.results import prepare, result_texts, write_results
    from metrics.dataset.run import score_dataset
    from metrics.dataset.summary import summary_tables, worth_showing
    from metrics.judging import check_mode
    from metrics.progress import progress
    from metrics.tables import print_table

    check_mode(mode, with_ref=True)
    pairs = find_jobs(dataset)
    inputs = [dataset, *(path for job in pairs for path in (job.ref, job.out))]
    prepare(to, mode, inputs, overwrite)
    with progress(f"scoring {dataset.name}", len(pairs), not (quiet or as_json)) as tick:
        outcomes = score_dataset(pairs, mode, to / "finished", jobs or os.cpu_count() or 1, tick)
    texts = result_texts(outcomes, mode)
    write_results(to, texts, inputs, overwrite)
    if as_json:
        for line in texts[f"{mode}.json"].splitlines():
            say(line)
    else:
        for table in worth_showing(summary_tables(outcomes, mode)):
            print_table(table)
    _say_failures(outcomes)


def _say_failures(outcomes: tuple[Outcome, ...]) -> None:
    broken = [o for o in outcomes if o.judgement is None]
    for o in broken:
        complain(f"not judged: {o.job.method}/{o.job.category}/{o.job.clip}: {o.error}")
    if broken:
        raise typer.Exit(SOME_FAILED)


def _check_targets(targets: list[Path], inputs: list[Path], overwrite: bool) -> None:
    """What cannot be written in the end is refused before any work is done."""
    with file_errors():
        for target in targets:
            check_target(target, inputs, overwrite)
    if len({os.path.realpath(target) for target in targets}) < len(targets):
        raise UsageError(f"{targets[0]}: --csv and --report need a file each")


def _frame_count(path: Path) -> int | None:
    from metrics.video import probe

    info = probe(path)
    return info.frames or max(0, round(info.duration_s * info.fps)) or None


def _frames_csv(judgement: Judgement) -> str:
    """One row a frame; an empty cell where a figure could not be measured."""
    names = list(judgement.frames)
    lines = [",".join(names)]
    for row in zip(*judgement.frames.values(), strict=True):
        lines.append(",".join(f"{value:.6g}" if math.isfinite(value) else "" for value in row))
    return "\n".join(lines) + "\n"
