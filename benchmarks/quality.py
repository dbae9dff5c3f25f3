"""`python -m benchmarks.quality [--clips NAME...] [-- OPTIONS OF STABILIZE]`: shake and field of view vs. vid.stab."""

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

from . import judge
from .arguments import split_options
from .peers import (
    CLIPS,
    WORK,
    Encoder,
    PeerError,
    ffmpeg_version,
    fingerprint,
    machine,
    ours,
    transcode,
    unfinished,
    vidstab,
)

ENCODER = Encoder("medium", 18)
TRIPOD_CLIP = "static_box"  # the output must not move
ACCEL_RATIO_MAX, FOV_GAIN_MIN, TRIPOD_RMS_MAX_PX = 0.9, 0.08, 0.1  # issue 2


@dataclass(frozen=True, slots=True)
class Measurement:
    """Measurement of one version of a clip."""

    steps: judge.Steps
    """Camera-centre path."""
    placement: tuple[judge.Float, ...] = ()
    """H_in_out of every k-th frame, between frames of unit size."""
    aspect: float = 1.0
    """Width over height."""

    @property
    def fov(self) -> float:
        """Median share of the input's area that is visible."""
        return float(np.median([judge.visible_share(H) for H in self.placement])) if self.placement else float("nan")


@dataclass(frozen=True, slots=True)
class Score:
    """Scores of one version of a clip, over the pairs that are measured in all versions."""

    accel: float
    """RMS second difference of the camera-centre path, px."""
    jitter: float
    """RMS distance of the camera-centre path from its smooth, px."""
    fov: float
    """Median share of the input's area that is visible."""
    wander: float
    """RMS motion of the output's centre over the input frame, px."""
    judged: float
    """Share of the pairs that are used."""


@dataclass(frozen=True, slots=True)
class Row:
    """Scores of a clip."""

    clip: str
    """Stem of the clip."""
    before: Score
    """Of the input."""
    peer: Score
    """Of the output of vid.stab."""
    ours: Score | None
    """Of our output; None if it failed."""
    failure: str = ""
    """Reason of a failure."""


def measure(source: Path, output: Path | None, every: int) -> Measurement:
    """Measure the source itself (output None) or a stabilised version of it."""
    steps = judge.centre_steps(output or source)
    placement = tuple(judge.placements(source, output, every)) if output else (np.eye(3),)
    height, width = next(judge.frames(source)).shape
    return Measurement(steps, placement, width / height)


def cached(source: Path, name: str, every: int) -> Measurement:
    """The measurement of the source or of vid.stab's output, which do not depend on our code."""
    key = fingerprint(source, name, ENCODER, every, judge.VERSION)
    store = WORK / "quality" / f"{source.stem}-{name}-{key}.npz"
    if not store.exists():
        output = None if name == "input" else _vidstab_output(source)
        measurement = measure(source, output, every)
        steps, placement = measurement.steps, np.array(measurement.placement)
        arrays = {"step_px": steps.step_px, "found": steps.measured, "fps": np.array(steps.fps)}
        with unfinished(store) as part:
            np.savez(part, allow_pickle=False, placement=placement, aspect=np.array(measurement.aspect), **arrays)
    with np.load(store) as data:
        steps = judge.Steps(data["step_px"], data["found"], float(data["fps"]))
        return Measurement(steps, tuple(data["placement"]), float(data["aspect"]))


def _vidstab_output(source: Path) -> Path:
    target = WORK / "quality" / f"{source.stem}-vidstab-{fingerprint(source, ENCODER)}.mp4"
    if not target.exists():
        with unfinished(target) as part:
            vidstab(source, part, ENCODER)
    return target


def compare(source: Path, every: int, options: Sequence[str], identity: bool) -> Row:
    """Compare input, vid.stab's output and our output of a clip."""
    before, peer = cached(source, "input", every), cached(source, "vidstab", every)
    our_measurement, failure = None, ""
    try:
        with unfinished(WORK / "quality" / f"{source.stem}-ours.mp4") as part:
            if identity:
                transcode(source, part, ENCODER)
            else:
                ours(source, part, ENCODER, options)
            our_measurement = measure(source, part, every)
    except PeerError as error:
        failure = str(error)
    versions = [before, peer, *([our_measurement] if our_measurement else [])]
    pairs = [len(v.steps.measured) for v in versions]
    if len(set(pairs)) > 1:
        failure = f"pairs of frames differ: {pairs} (input, vid.stab, ours)"
    judged = np.all([v.steps.measured[: min(pairs)] for v in versions], axis=0)
    scores = [_score(v, judged, before.steps.fps) for v in versions]
    return Row(source.stem, scores[0], scores[1], scores[2] if our_measurement else None, failure)


def _score(version: Measurement, judged: judge.Bool, fps: float) -> Score:
    steps = judge.Steps(version.steps.step_px[: len(judged)], version.steps.measured[: len(judged)], fps)
    shake = judge.shake(steps, judged)
    wander = judge.centre_wander_px(list(version.placement), version.aspect)
    return Score(shake.accel_px, shake.jitter_px, version.fov, wander, shake.judged)


def verdicts(rows: Sequence[Row]) -> list[tuple[str, str, bool]]:
    """(criterion, figure, passed) of issue 2 over all clips with an output of ours."""
    complete = [(r, r.ours) for r in rows if r.ours]
    if not complete:
        return []
    accel = float(np.median([s.accel for _, s in complete]) / np.median([r.peer.accel for r, _ in complete]))
    paired = float(np.median([s.accel / r.peer.accel for r, s in complete]))
    fov = float(np.median([s.fov for _, s in complete]) - np.median([r.peer.fov for r, _ in complete]))
    worse = [r.clip for r, s in complete if s.accel > r.before.accel or s.jitter > r.before.jitter]
    results = [
        (
            f"median accel / vid.stab's <= {ACCEL_RATIO_MAX}",
            f"{accel:.3f} (median of ratios {paired:.3f})",
            accel <= ACCEL_RATIO_MAX,
        ),
        (f"median fov - vid.stab's >= {FOV_GAIN_MIN}", f"{fov:+.3f}", fov >= FOV_GAIN_MIN),
        ("accel and jitter never above the input's", ", ".join(worse) or "never", not worse),
        (
            "all clips complete, with all frames",
            ", ".join(r.clip for r in rows if r.failure) or "all",
            not any(r.failure for r in rows),
        ),
    ]
    for wander in (s.wander for r, s in complete if r.clip == TRIPOD_CLIP):
        criterion = f"{TRIPOD_CLIP}: output path RMS < {TRIPOD_RMS_MAX_PX} px"
        results.append((criterion, f"{wander:.3f} px", wander < TRIPOD_RMS_MAX_PX))
    return results


def table(rows: Sequence[Row]) -> Table:
    """Scores of all clips, and their medians."""
    out = Table(title="accel and jitter in px RMS at a long side of 640; fov as share of the input's area")
    out.add_column("clip")
    for name in ("accel", "jitter", "fov"):
        for version in ("in", "vid.stab", "ours"):
            if (name, version) != ("fov", "in"):
                out.add_column(f"{name}\n{version}", justify="right")
    out.add_column("accel\nratio", justify="right")
    out.add_column("judged", justify="right")
    for row in rows:
        out.add_row(row.clip, *_cells(row.before, row.peer, row.ours), f"{(row.ours or row.peer).judged:.2f}")
    complete = [r.ours for r in rows if r.ours]
    our_median = _median(complete) if complete else None
    out.add_section()
    out.add_row("median", *_cells(_median([r.before for r in rows]), _median([r.peer for r in rows]), our_median), "")
    return out


def _cells(before: Score, peer: Score, our_score: Score | None) -> list[str]:
    def figures(name: str) -> list[str]:
        return ["-" if s is None else f"{getattr(s, name):.3f}" for s in (before, peer, our_score)]

    ratio = f"{our_score.accel / peer.accel:.2f}" if our_score else "-"
    return [*figures("accel"), *figures("jitter"), *figures("fov")[1:], ratio]


def _print_row(console: Console, row: Row) -> Row:
    """Print the figures of a clip at once, in case the run is stopped."""
    figures = _cells(row.before, row.peer, row.ours)
    console.print(
        f"{row.clip}: accel {'/'.join(figures[:3])} jitter {'/'.join(figures[3:6])} fov {'/'.join(figures[6:8])}"
    )
    return row


def _median(scores: Sequence[Score]) -> Score:
    return Score(*np.median([[s.accel, s.jitter, s.fov, s.wander, s.judged] for s in scores], axis=0).tolist())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="stems of ../shared/data/clips (default: all)")
    parser.add_argument(
        "--every", type=int, default=10, help="fov is measured on every k-th frame (default: %(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, choices=[1, 2], help="clips at the same time (default: %(default)s)"
    )
    parser.add_argument(
        "--identity", action="store_true", help="a plain transcode in place of ours, to test the benchmark"
    )
    parser.add_argument(
        "--json", type=Path, default=WORK / "quality.json", help="file for the figures (default: %(default)s)"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: all criteria are met; 1: they are not; 2: nothing to measure."""
    own_arguments, options = split_options(arguments)
    args = _parser().parse_args(own_arguments)
    console = Console(width=150)
    (WORK / "quality").mkdir(parents=True, exist_ok=True)
    sources = [p for p in sorted(CLIPS.glob("*")) if not args.clips or p.stem in args.clips]
    if not sources:
        console.print(f"no clips in {CLIPS}: nothing to measure")
        return 2
    job = partial(compare, every=args.every, options=options, identity=args.identity)
    with ProcessPoolExecutor(args.jobs) as pool:
        rows = [_print_row(console, row) for row in pool.map(job, sources)]
    console.print(table(rows))
    for row in rows:
        if row.failure:
            console.print(f"[red]{row.clip}: {row.failure}[/red]")
    results = verdicts(rows)
    for criterion, figure, passed in results:
        console.print(f"{'[green]pass' if passed else '[red]FAIL'}[/]  {criterion}: {figure}")
    record = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "ffmpeg": ffmpeg_version(),
        "encoder": asdict(ENCODER),
        "options": options,
        "clips": [asdict(row) for row in rows],
        "criteria": [{"criterion": name, "figure": figure, "passed": passed} for name, figure, passed in results],
    }
    args.json.write_text(json.dumps(record, indent=1) + "\n")
    return 0 if results and all(passed for _, _, passed in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
