"""`python -m benchmarks.accuracy`: corner error of the inter-frame homography on generated clips without parallax.

The error of a pair is the mean distance, over the four corner pixels, between their positions by the estimate and by
the ground truth, in px at 640x360. The tracker of `judge.py` is measured for comparison.
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

ERROR_MAX_PX = 0.1  # issue 2
NAMES = [name for name in CLIPS if name.startswith("flat-")]
Float = judge.Float


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors of an estimator on a clip, over the pairs for which it has an estimate."""

    clip: str
    """Name of the clip."""
    estimator: str
    """Name of the estimator."""
    mean_px: float
    """Mean error."""
    median_px: float
    """Median error."""
    p95_px: float
    """95th percentile of the error."""
    answered: float
    """Share of the pairs with an estimate."""
    ms: float
    """Time per frame."""


def by_stabilize(path: Path) -> list[Float | None]:
    """`stabilize.analyse`, converted from the unit frame to pixels; None for pairs without measured motion."""
    import stabilize

    motion = stabilize.analyse(path)
    T = motion.geometry.T_px_unit
    inverse = np.linalg.inv(T)
    return [
        T @ H @ inverse if status == 0 else None for H, status in zip(motion.H_next_prev, motion.status, strict=True)
    ]


def by_judge(path: Path) -> list[Float | None]:
    """KLT and MAGSAC of `judge.py`."""
    return [judge.homography(a, b) for a, b in pairwise(judge.frames(path))]


ESTIMATORS: dict[str, Callable[[Path], list[Float | None]]] = {"judge": by_judge, "stabilize": by_stabilize}


def corner_errors(estimates: Sequence[Float | None], true: Truth) -> Float:
    """Mean corner distance of each pair (n-1,), NaN without an estimate."""
    width, height = true.spec.width, true.spec.height
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [width - 1, height - 1, 1], [0, height - 1, 1]], float).T

    def map_corners(H: Float) -> Float:
        mapped = H @ corners
        return np.asarray(mapped[:2] / mapped[2])

    distances = [
        np.nan if H is None else np.linalg.norm(map_corners(H) - map_corners(H_true), axis=0).mean()
        for H, H_true in zip(estimates, true.H_next_prev, strict=True)
    ]
    return np.array(distances) * 640 / width


def clip_file(name: str) -> Path:
    """The encoded clip, generated once per specification."""
    folder = WORK / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.mp4"
    spec = folder / f"{name}.spec.txt"
    if not path.exists() or not spec.exists() or spec.read_text() != repr(CLIPS[name]):
        write_clip(CLIPS[name], path, crf=12, files=False)
        spec.write_text(repr(CLIPS[name]))
    return path


def evaluate(name: str, estimator: str) -> Accuracy:
    """Accuracy of one estimator on one clip."""
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
    """Exit code 0: the mean error of all clips is below ERROR_MAX_PX; 1: it is not."""
    args = _parser().parse_args(arguments)
    rows = [evaluate(name, estimator) for name in args.clips for estimator in args.estimators]
    console = Console(width=110)
    console.print(table(rows))
    failing = [r.clip for r in rows if r.estimator == "stabilize" and not r.mean_px < ERROR_MAX_PX]
    verdict = "[red]FAIL" if failing else "[green]pass"
    console.print(f"{verdict}[/]  mean < {ERROR_MAX_PX} px: {', '.join(failing) or 'every clip'}")
    record = {"date": date.today().isoformat(), "machine": machine()}
    rows_json = [{name: getattr(r, name) for name in r.__slots__} for r in rows]
    args.json.write_text(json.dumps(record | {"rows": rows_json}, indent=1) + "\n")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
