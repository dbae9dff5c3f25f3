"""The commands `metrics` and `score`: plain functions, to be mounted in any Typer app.

The caller prints a `MetricsError` and exits with its `exit_code`. `score` also exits with 3 if it has finished but some
clips could not be judged.
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

SOME_CLIPS_FAILED = 3  # exit code
MODE_HELP = "robust (default), or a published metric program: dvs, difrint (= FuSta), difrint-v0, nndvs"
Mode = Annotated[str, typer.Option("--mode", help=MODE_HELP)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress line")]


def metrics_command(
    out: Annotated[Path, typer.Argument(help="the stabilised video")],
    *,
    ref: Annotated[Path | None, typer.Option("--ref", help="the video before stabilisation")] = None,
    mode: Mode = "robust",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="write per-frame measurements to this CSV file")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="write a self-contained HTML page")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", "-y", help="replace an existing CSV file and HTML page")
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
        raise UsageError(f"--report supports the mode robust only: remove --mode {mode}")
    inputs = [path for path in (out, ref) if path is not None]
    _check_targets([path for path in (csv, report) if path is not None], inputs, overwrite)
    show_progress = not (quiet or as_json)
    texts: dict[Path, str] = {}
    with unchanged(*inputs):
        with progress(f"judging {out.name}", _frame_count(out), show_progress) as tick:
            judgement = judge(out, ref, mode, tick)
        if csv is not None:
            texts[csv] = _frames_csv(judgement)
        if report is not None:
            from metrics.report.page import report_page

            with progress(f"writing {report.name}", None, show_progress):
                texts[report] = report_page(judgement)
    try:
        for path, text in texts.items():
            with file_errors():
                write_text(path, text, inputs, overwrite)
    finally:  # print the scores even if the files cannot be written
        if as_json:
            say_json(judgement.as_dict())
        else:
            print_table(scores_table(judgement))


def score_command(
    dataset: Annotated[Path, typer.Argument(help="a folder of inputs and outputs, or a CSV manifest")],
    *,
    mode: Mode = "robust",
    to: Annotated[Path, typer.Option("--out", "-o", help="folder for the tables and finished clips")] = Path("scores"),
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="number of processes; 0: one per core")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of tables")] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", "-y", help="also replace files of the same names that are not from `score`"),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Score many clips and several methods. An interrupted run resumes where it stopped."""
    from metrics.dataset.layout import find_jobs
    from metrics.dataset.results import prepare, result_texts, write_results
    from metrics.dataset.run import score_dataset
    from metrics.dataset.summary import informative_tables, summary_tables
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
        for table in informative_tables(summary_tables(outcomes, mode)):
            print_table(table)
    _report_failures(outcomes)


def _report_failures(outcomes: tuple[Outcome, ...]) -> None:
    failed = [o for o in outcomes if o.judgement is None]
    for o in failed:
        complain(f"not judged: {o.job.method}/{o.job.category}/{o.job.clip}: {o.error}")
    if failed:
        raise typer.Exit(SOME_CLIPS_FAILED)


def _check_targets(targets: list[Path], inputs: list[Path], overwrite: bool) -> None:
    """Refuse targets that could not be written, before any work is done."""
    with file_errors():
        for target in targets:
            check_target(target, inputs, overwrite)
    if len({os.path.realpath(target) for target in targets}) < len(targets):
        raise UsageError(f"{targets[0]}: --csv and --report need different files")


def _frame_count(path: Path) -> int | None:
    from metrics.video import probe

    info = probe(path)
    return info.frames or max(0, round(info.duration_s * info.fps)) or None


def _frames_csv(judgement: Judgement) -> str:
    """Return one row per frame; values that could not be measured are empty cells."""
    names = list(judgement.frames)
    lines = [",".join(names)]
    for row in zip(*judgement.frames.values(), strict=True):
        lines.append(",".join(f"{value:.6g}" if math.isfinite(value) else "" for value in row))
    return "\n".join(lines) + "\n"
