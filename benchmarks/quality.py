"""`python -m benchmarks.quality [--clips NAME...] [-- OPTIONS OF STABILIZE]`: steadiness and view against vid.stab."""

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
STILL = "static_box"  # on a tripod: the output must not move
ACCEL_RATIO, FOV_GAIN, STILL_PX = 0.9, 0.08, 0.1  # the bars of issue 2


@dataclass(frozen=True, slots=True)
class Measured:
    """One version of a clip, judged by itself. `placement` are maps output -> input between unit frames."""

    steps: judge.Steps
    placement: tuple[judge.Float, ...] = ()
    aspect: float = 1.0

    @property
    def fov(self) -> float:
        """Median share of the input's area that is visible."""
        return float(np.median([judge.visible_share(H) for H in self.placement])) if self.placement else float("nan")


@dataclass(frozen=True, slots=True)
class Score:
    """One version of a clip among the others."""

    accel: float
    jitter: float
    fov: float
    wander: float
    judged: float


@dataclass(frozen=True, slots=True)
class Row:
    """A clip: the input, vid.stab, ours (None with the reason where it failed)."""

    clip: str
    before: Score
    peer: Score
    mine: Score | None
    failure: str = ""


def measure(source: Path, result: Path | None, every: int) -> Measured:
    """Judge the source itself (result None) or a stabilised version of it."""
    steps = judge.centre_steps(result or source)
    placement = tuple(judge.placements(source, result, every)) if result else (np.eye(3),)
    height, width = next(judge.frames(source)).shape
    return Measured(steps, placement, width / height)


def cached(source: Path, name: str, every: int) -> Measured:
    """The source's or vid.stab's measurement: neither changes with our own work."""
    key = fingerprint(source, name, ENCODER, every, judge.VERSION)
    store = WORK / "quality" / f"{source.stem}-{name}-{key}.npz"
    if not store.exists():
        result = None if name == "input" else _made_by_vidstab(source)
        done = measure(source, result, every)
        steps, placement = done.steps, np.array(done.placement)
        arrays = {"step_px": steps.step_px, "found": steps.found, "fps": np.array(steps.fps)}
        with unfinished(store) as part:
            np.savez(part, allow_pickle=False, placement=placement, aspect=np.array(done.aspect), **arrays)
    with np.load(store) as data:
        steps = judge.Steps(data["step_px"], data["found"], float(data["fps"]))
        return Measured(steps, tuple(data["placement"]), float(data["aspect"]))


def _made_by_vidstab(source: Path) -> Path:
    target = WORK / "quality" / f"{source.stem}-vidstab-{fingerprint(source, ENCODER)}.mp4"
    if not target.exists():
        with unfinished(target) as part:
            vidstab(source, part, ENCODER)
    return target


def compare(source: Path, every: int, options: Sequence[str], identity: bool) -> Row:
    """Run everything that is not cached, for one clip."""
    before, peer = cached(source, "input", every), cached(source, "vidstab", every)
    mine, failure = None, ""
    try:
        with unfinished(WORK / "quality" / f"{source.stem}-ours.mp4") as part:
            if identity:
                transcode(source, part, ENCODER)
            else:
                ours(source, part, ENCODER, options)
            mine = measure(source, part, every)
    except PeerError as error:
        failure = str(error)
    versions = [before, peer, *([mine] if mine else [])]
    lengths = {len(v.steps.found) for v in versions}
    if len(lengths) > 1:
        failure = f"pairs of frames differ: {[len(v.steps.found) for v in versions]} (input, vid.stab, ours)"
    judged = np.all([v.steps.found[: min(lengths)] for v in versions], axis=0)
    scores = [_score(v, judged, before.steps.fps) for v in versions]
    return Row(source.stem, scores[0], scores[1], scores[2] if mine else None, failure)


def _score(version: Measured, judged: judge.Bool, fps: float) -> Score:
    steps = judge.Steps(version.steps.step_px[: len(judged)], version.steps.found[: len(judged)], fps)
    shake = judge.shake(steps, judged)
    wander = judge.centre_wander_px(list(version.placement), version.aspect)
    return Score(shake.accel_px, shake.jitter_px, version.fov, wander, shake.judged)


def verdicts(rows: Sequence[Row]) -> list[tuple[str, str, bool]]:
    """(bar, figure, passed) of issue 2 over all clips that ours finished."""
    done = [(r, r.mine) for r in rows if r.mine]
    if not done:
        return []
    accel = float(np.median([m.accel for _, m in done]) / np.median([r.peer.accel for r, _ in done]))
    paired = float(np.median([m.accel / r.peer.accel for r, m in done]))
    fov = float(np.median([m.fov for _, m in done]) - np.median([r.peer.fov for r, _ in done]))
    worse = [r.clip for r, m in done if m.accel > r.before.accel or m.jitter > r.before.jitter]
    out = [
        (
            f"median accel / vid.stab's <= {ACCEL_RATIO}",
            f"{accel:.3f} (median of ratios {paired:.3f})",
            accel <= ACCEL_RATIO,
        ),
        (f"median fov - vid.stab's >= {FOV_GAIN}", f"{fov:+.3f}", fov >= FOV_GAIN),
        ("accel and jitter nowhere above the input's", ", ".join(worse) or "nowhere", not worse),
        (
            "every clip finished with all its frames",
            ", ".join(r.clip for r in rows if r.failure) or "all",
            not any(r.failure for r in rows),
        ),
    ]
    still = [m.wander for r, m in done if r.clip == STILL]
    if still:
        out.append((f"{STILL}: output path RMS < {STILL_PX} px", f"{still[0]:.3f} px", still[0] < STILL_PX))
    return out


def table(rows: Sequence[Row]) -> Table:
    """Per clip, and the medians."""
    out = Table(title="accel and jitter in px RMS at a long side of 640; fov as share of the input's area")
    out.add_column("clip")
    for name in ("accel", "jitter", "fov"):
        for who in ("in", "vid.stab", "ours"):
            if (name, who) != ("fov", "in"):
                out.add_column(f"{name}\n{who}", justify="right")
    out.add_column("accel\nratio", justify="right")
    out.add_column("judged", justify="right")
    for row in rows:
        out.add_row(row.clip, *_cells(row.before, row.peer, row.mine), f"{(row.mine or row.peer).judged:.2f}")
    finished = [r.mine for r in rows if r.mine]
    middle = [
        _median([r.before for r in rows]),
        _median([r.peer for r in rows]),
        _median(finished) if finished else None,
    ]
    out.add_section()
    out.add_row("median", *_cells(middle[0], middle[1], middle[2]), "")  # type: ignore[arg-type]
    return out


def _cells(before: Score, peer: Score, mine: Score | None) -> list[str]:
    def shown(name: str) -> list[str]:
        return ["-" if s is None else f"{getattr(s, name):.3f}" for s in (before, peer, mine)]

    ratio = f"{mine.accel / peer.accel:.2f}" if mine else "-"
    return [*shown("accel"), *shown("jitter"), *shown("fov")[1:], ratio]


def _told(console: Console, row: Row) -> Row:
    """A line as soon as a clip is done: a run that is cut short has still said something."""
    figures = _cells(row.before, row.peer, row.mine)
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
    parser.add_argument("--identity", action="store_true", help="a plain transcode in our place, to try the harness")
    parser.add_argument(
        "--json", type=Path, default=WORK / "quality.json", help="where the figures go (default: %(default)s)"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: every bar is met; 1: not; 2: nothing to measure."""
    own, options = split_options(arguments)
    args = _parser().parse_args(own)
    console = Console(width=150)
    (WORK / "quality").mkdir(parents=True, exist_ok=True)
    sources = [p for p in sorted(CLIPS.glob("*")) if not args.clips or p.stem in args.clips]
    if not sources:
        console.print(f"no clips in {CLIPS}: nothing to measure")
        return 2
    job = partial(compare, every=args.every, options=options, identity=args.identity)
    with ProcessPoolExecutor(args.jobs) as pool:
        rows = [_told(console, row) for row in pool.map(job, sources)]
    console.print(table(rows))
    for row in rows:
        if row.failure:
            console.print(f"[red]{row.clip}: {row.failure}[/red]")
    results = verdicts(rows)
    for bar, figure, passed in results:
        console.print(f"{'[green]pass' if passed else '[red]FAIL'}[/]  {bar}: {figure}")
    record = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "ffmpeg": ffmpeg_version(),
        "encoder": asdict(ENCODER),
        "options": options,
        "clips": [asdict(row) for row in rows],
        "bars": [{"bar": bar, "figure": figure, "passed": passed} for bar, figure, passed in results],
    }
    args.json.write_text(json.dumps(record, indent=1) + "\n")
    return 0 if results and all(passed for _, _, passed in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
