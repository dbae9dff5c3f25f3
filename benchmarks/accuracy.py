"""`python -m benchmarks.accuracy`: corner error of the inter-frame homography on generated clips without parallax.

The error of a pair is the mean distance, over the four corner pixels, between where the estimate and where the truth
take them, in px at 640x360. The judge's own tracker is measured beside `stabilize.analyse` for comparison.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from samples import CLIPS, truth, write_clip
from samples.truth import Truth

from . import judge
from .peers import WORK, machine

BAR_PX = 0.1  # issue 2
NAMES = [name for name in CLIPS if name.startswith("flat-")]
Float = judge.Float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Over the pairs that an estimator answered: errors in px; `answered` is the share of pairs, `ms` the time per
    frame.
    """

    clip: str
    estimator: str
    mean_px: float
    median_px: float
    p95_px: float
    answered: float
    ms: float


def by_stabilize(path: Path) -> list[Float | None]:
    """`stabilize.analyse`, unit frame to pixels; None where the pair has no measurement."""
    import stabilize

    motion = stabilize.analyse(path)
    T = motion.geometry.T_px_unit
    inverse = np.linalg.inv(T)
    return [
        T @ H @ inverse if status == 0 else None for H, status in zip(motion.H_next_prev, motion.status, strict=True)
    ]


def by_judge(path: Path) -> list[Float | None]:
    """The judge's KLT and MAGSAC."""
    return [judge.homography(a, b) for a, b in pairwise(judge.frames(path))]


ESTIMATORS: dict[str, Callable[[Path], list[Float | None]]] = {"judge": by_judge, "stabilize": by_stabilize}


def corner_errors(estimates: Sequence[Float | None], true: Truth) -> Float:
    """Mean corner distance of each pair (n-1,), NaN where there is no estimate."""
    width, height = true.spec.width, true.spec.height
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [width - 1, height - 1, 1], [0, height - 1, 1]], float).T

    def moved(H: Float) -> Float:
        out = H @ corners
        return np.asarray(out[:2] / out[2])

    distances = [
        np.nan if H is None else np.linalg.norm(moved(H) - moved(H_true), axis=0).mean()
        for H, H_true in zip(estimates, true.H_next_prev, strict=True)
    ]
    return np.array(distances) * 640 / width


def clip_file(name: str) -> Path:
    """The encoded clip, made once per specification."""
    folder = WORK / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.mp4"
    spec = folder / f"{name}.spec.txt"
    if not path.exists() or not spec.exists() or spec.read_text() != repr(CLIPS[name]):
        write_clip(CLIPS[name], path, crf=12, files=False)
        spec.write_text(repr(CLIPS[name]))
    return path


def evaluate(name: str, estimator: str) -> Accuracy:
    """One clip by one estimator."""
    path, true = clip_file(name), truth(CLIPS[name])
    start = perf_counter()
    errors = corner_errors(ESTIMATORS[estimator](path), true)
    ms = 1000 * (perf_counter() - start) / len(true.time_s)
    known = errors[np.isfinite(errors)]
    if not len(known):
        return Accuracy(name, estimator, np.nan, np.nan, np.nan, 0.0, ms)
    share = len(known) / len(errors)
    return Accuracy(name, estimator, known.mean(), float(np.median(known)), float(np.percentile(known, 95)), share, ms)


def table(rows: Sequence[Accuracy]) -> Table:
    out = Table(title="corner error of H_next_prev, px at 640x360")
    for column in ("clip", "estimator", "mean", "median", "95 %", "answered", "ms/frame"):
        out.add_column(column, justify="left" if column in {"clip", "estimator"} else "right")
    for r in rows:
        figures = [f"{v:.3f}" for v in (r.mean_px, r.median_px, r.p95_px, r.answered)]
        out.add_row(r.clip, r.estimator, *figures, f"{r.ms:.1f}")
    return out


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--clips", nargs="+", default=NAMES, choices=NAMES, help="(default: all)")
    parser.add_argument("--estimators", nargs="+", default=list(ESTIMATORS), choices=list(ESTIMATORS))
    parser.add_argument("--json", type=Path, default=WORK / "accuracy.json", help="(default: %(default)s)")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: the mean error of every clip is under the bar; 1: not."""
    args = _parser().parse_args(arguments)
    rows = [evaluate(name, estimator) for name in args.clips for estimator in args.estimators]
    console = Console(width=110)
    console.print(table(rows))
    judged = [r for r in rows if r.estimator == "stabilize"]
    failing = [r.clip for r in judged if not r.mean_px < BAR_PX]
    console.print(
        f"{'[red]FAIL' if failing else '[green]pass'}[/]  mean < {BAR_PX} px: {', '.join(failing) or 'every clip'}"
    )
    record = {"date": date.today().isoformat(), "machine": machine()}
    rows_json = [{name: getattr(r, name) for name in r.__slots__} for r in rows]
    args.json.write_text(json.dumps(record | {"rows": rows_json}, indent=1) + "\n")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
