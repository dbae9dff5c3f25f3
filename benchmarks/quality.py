"""`python -m benchmarks.quality [--clips NAME...] [--pareto] [-- OPTIONS OF STABILIZE]`: steadiness and view against
vid.stab.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from . import pareto
from .arguments import split_options
from .bars import Compared, verdicts
from .measured import ENCODER, INPUT, TRANSCODE, Score, kept, measure_ours, score_together, vidstab_name
from .peers import CLIPS, WORK, PeerError, ffmpeg_version, machine

SMOOTHING = 30  # vid.stab's, frames
FIGURES = (("accel", 3), ("jitter", 2), ("roll", 2), ("breathing", 2), ("zoom_speed", 1), ("fov", 3))
RATIOS = ("accel", "jitter", "roll")


@dataclass(frozen=True, slots=True)
class Row:
    """A clip: the figures, or the reason why there are none of ours."""

    clip: str
    before: Score
    peer: Score
    mine: Score | None
    plain: Score | None
    """Of a plain transcode."""
    failure: str = ""

    @property
    def compared(self) -> Compared | None:
        """All four versions, where ours finished."""
        if self.mine is None or self.plain is None:
            return None
        return Compared(self.clip, self.before, self.peer, self.mine, self.plain)


def compare(source: Path, options: Sequence[str], identity: bool) -> Row:
    """Run everything that is not kept, for one clip."""
    before, peer, plain = (kept(source, name) for name in (INPUT, vidstab_name(SMOOTHING), TRANSCODE))
    try:
        mine = plain if identity else measure_ours(source, options)
    except PeerError as error:
        score_before, score_peer = score_together([before, peer])
        return Row(source.stem, score_before, score_peer, None, None, str(error))
    versions = [before, peer, mine, plain]
    lengths = [len(v.steps.found) for v in versions]
    differ = f"pairs of frames differ: {lengths} (input, vid.stab, ours, transcode)" if len(set(lengths)) > 1 else ""
    score_before, score_peer, score_mine, score_plain = score_together(versions)
    return Row(source.stem, score_before, score_peer, score_mine, score_plain, differ)


def table(rows: Sequence[Row]) -> Table:
    """Per clip and as medians: input / vid.stab / ours."""
    title = "input / vid.stab / ours; px RMS at a long side of 640, degrees, %, % a second, share of the input's area"
    out = Table(title=title, box=None, pad_edge=False)
    out.add_column("clip")
    for name in (*(figure for figure, _ in FIGURES), *(f"{name}\nratio" for name in RATIOS), "judged"):
        out.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        out.add_row(row.clip, *_cells(row), f"{(row.mine or row.peer).judged:.2f}")
    finished = [c for c in (row.compared for row in rows) if c]
    if finished:
        ratios = [f"{np.median([c.ratio(name) for c in finished]):.2f}" for name in RATIOS]
        medians = [
            "/".join(f"{np.median([getattr(s, name) for s in part]):.{digits}f}" for part in _versions(finished))
            for name, digits in FIGURES
        ]
        out.add_row("median", *medians, *ratios, "", style="bold")
    return out


def _versions(rows: Sequence[Compared]) -> tuple[list[Score], list[Score], list[Score]]:
    return [r.before for r in rows], [r.peer for r in rows], [r.mine for r in rows]


def _cells(row: Row) -> list[str]:
    scores = (row.before, row.peer, row.mine)
    figures = [
        "/".join("-" if s is None else f"{getattr(s, name):.{digits}f}" for s in scores) for name, digits in FIGURES
    ]
    compared = row.compared
    return [*figures, *(f"{compared.ratio(name):.2f}" if compared else "-" for name in RATIOS)]


def _shown(console: Console, row: Row) -> Row:
    """A line as soon as a clip is done: a run that is cut short has still said something."""
    figures = zip(FIGURES, _cells(row), strict=False)
    console.print(f"{row.clip}: {' '.join(f'{name} {cell}' for (name, _), cell in figures)}")
    return row


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    pareto.add_arguments(parser)
    parser.add_argument(
        "--jobs", type=int, default=2, choices=[1, 2], help="clips at the same time (default: %(default)s)"
    )
    parser.add_argument("--identity", action="store_true", help="a plain transcode in our place, to try the harness")
    parser.add_argument(
        "--json", type=Path, default=WORK / "quality.json", help="where the figures go (default: %(default)s)"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: every bar is met; 1: not; 2: nothing to measure."""
    own, options = split_options(arguments)
    args = _parser().parse_args(own)
    console = Console(width=170)
    (WORK / "quality").mkdir(parents=True, exist_ok=True)
    sources = pareto.chosen_clips(args)
    if not sources:
        console.print(f"no clips in {CLIPS}: nothing to measure")
        return 2
    record: dict[str, object] = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "ffmpeg": ffmpeg_version(),
        "encoder": asdict(ENCODER),
        "options": options,
    }
    with ProcessPoolExecutor(args.jobs) as pool:
        if args.pareto:
            curves = pareto.run(console, pool, sources, args.smoothness, options)
            record["clips"], passed = [asdict(curve) for curve in curves], all(curve.passed for curve in curves)
        else:
            job = partial(compare, options=options, identity=args.identity)
            rows = [_shown(console, row) for row in pool.map(job, sources)]
            record["clips"], passed = [asdict(row) for row in rows], _judged(console, rows, record)
    args.json.write_text(json.dumps(record, indent=1) + "\n")
    return 0 if passed else 1


def _judged(console: Console, rows: Sequence[Row], record: dict[str, object]) -> bool:
    """Print the table and the bars, and put the bars into the record; whether all are met."""
    console.print(table(rows))
    for row in rows:
        if row.failure:
            console.print(f"[red]{row.clip}: {row.failure}[/red]")
    bars = verdicts([c for c in (row.compared for row in rows) if c], [row.clip for row in rows if row.failure])
    for bar in bars:
        console.print(f"{'[green]pass' if bar.passed else '[red]FAIL'}[/]  {bar.text}: {bar.figure}")
    record["bars"] = [asdict(bar) for bar in bars]
    return all(bar.passed for bar in bars)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
