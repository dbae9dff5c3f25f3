"""Steadiness against field of view: for each of vid.stab's smoothings, whether ours has a setting that is no worse."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .measured import INPUT, SMOOTHINGS, Score, kept, measure_ours, score_together, vidstab_name
from .peers import CLIPS

CLIP_NAMES = ("hippo", "sculpture", "plaza", "walkin", "corridor", "citywalk", "slowrot", "noticeboards")
SMOOTHNESS_S = ("0.5", "1", "1.5", "2", "3", "4", "6")
FOV_LOSS = 0.01  # that one of our points may have against vid.stab's
LIMIT = 1.05  # times vid.stab's jitter and roll


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of one program."""

    setting: str
    score: Score


@dataclass(frozen=True, slots=True)
class Match:
    """A point of vid.stab's, and ours that comes nearest to having all of it."""

    peer: Point
    mine: Point
    excess: float
    """By how much ours misses its worst figure, as a share of what is allowed; 0 or less: it has all."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A clip."""

    clip: str
    mine: tuple[Point, ...]
    matches: tuple[Match, ...]

    @property
    def passed(self) -> bool:
        """Whether each of vid.stab's points is matched."""
        return all(match.excess <= 0 for match in self.matches)


def add_arguments(parser: ArgumentParser) -> None:
    """Which clips, and whether a table of Pareto points is wanted."""
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="stems of ../shared/data/clips (default: all)")
    parser.add_argument("--pareto", action="store_true", help="vid.stab at four smoothings against ours at several")
    parser.add_argument(
        "--smoothness",
        nargs="+",
        default=list(SMOOTHNESS_S),
        metavar="S",
        help="ours with --pareto, seconds (default: %(default)s)",
    )


def chosen_clips(args: Namespace) -> list[Path]:
    """The clips that were named; else all, or with --pareto the eight of its table."""
    names = args.clips or (CLIP_NAMES if args.pareto else None)
    return [path for path in sorted(CLIPS.glob("*")) if not names or path.stem in names]


def curve(source: Path, smoothness_s: Sequence[str], options: Sequence[str]) -> Curve:
    """Run ours at every smoothness; vid.stab's are kept. Raises PeerError."""
    before, peers = kept(source, INPUT), [kept(source, vidstab_name(s)) for s in SMOOTHINGS]
    mine = [measure_ours(source, ["--smoothness", s, *options]) for s in smoothness_s]
    _, *scores = score_together([before, *peers, *mine])
    points = map(Point, smoothness_s, scores[len(peers) :])
    return matched(source.stem, map(Point, map(str, SMOOTHINGS), scores[: len(peers)]), tuple(points))


def matched(clip: str, peers: Iterable[Point], points: tuple[Point, ...]) -> Curve:
    """Ours against vid.stab's."""
    return Curve(clip, points, tuple(nearest(peer, points) for peer in peers))


def nearest(peer: Point, points: Sequence[Point]) -> Match:
    """The point of ours that misses least of a point of vid.stab's."""
    best = min(points, key=lambda point: excess(peer.score, point.score))
    return Match(peer, best, excess(peer.score, best.score))


def excess(peer: Score, mine: Score) -> float:
    """The largest share by which a figure of ours misses what vid.stab's allows."""
    jitter, roll = mine.jitter / (LIMIT * peer.jitter), mine.roll / (LIMIT * peer.roll)
    return max(jitter, roll, (peer.fov - FOV_LOSS) / mine.fov) - 1


def run(
    console: Console, pool: Executor, sources: Sequence[Path], smoothness_s: Sequence[str], options: Sequence[str]
) -> list[Curve]:
    """All clips, a table of each as soon as it is done."""
    return show(console, pool.map(partial(curve, smoothness_s=smoothness_s, options=options), sources))


def show(console: Console, curves: Iterable[Curve]) -> list[Curve]:
    """Print a table of each, and how many points are matched."""
    shown = []
    for done in curves:
        console.print(table(done))
        shown.append(done)
    count = sum(match.excess <= 0 for c in shown for match in c.matches)
    console.print(f"{count} of {sum(len(c.matches) for c in shown)} points of vid.stab's are matched")
    return shown


def table(done: Curve) -> Table:
    """vid.stab's points with ours that is nearest, then all of ours."""
    out = Table(title=done.clip, box=None, pad_edge=False)
    for name in ("", "setting", "fov", "jitter", "roll", "accel", "breathing", "nearest of ours", "misses by"):
        out.add_column(name, justify="right")
    for match in done.matches:
        verdict = "nothing" if match.excess <= 0 else f"{match.excess:.0%}"
        out.add_row("vid.stab", *_cells(match.peer), match.mine.setting, verdict)
    for point in done.mine:
        out.add_row("ours", *_cells(point))
    return out


def _cells(point: Point) -> list[str]:
    s = point.score
    return [point.setting, f"{s.fov:.3f}", f"{s.jitter:.2f}", f"{s.roll:.2f}", f"{s.accel:.3f}", f"{s.breathing:.2f}"]
