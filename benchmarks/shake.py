"""`python -m benchmarks.shake [--clips NAME...]`: the shake that a run prints, from its path, against the judge's of
`metrics`, from pixels.

Input and output, of every clip. Where the judge could follow 90 % of the pairs, both must agree within 10 %; roll is
shown beside.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from metrics import judge
from metrics.model import VERSION
from stabilize import Config, render, solve
from stabilize.config import with_settings
from stabilize.path.measure import shake

from .paths import motion_of
from .peers import CLIPS, WORK, fingerprint, unfinished

ENCODE = ("encode.codec=h264", "encode.crf=18", "encode.preset=veryfast", "encode.overwrite=true")
AGREEMENT, LEAST_JUDGED = 0.1, 0.9
LEAST_SHAKE, LEAST_ROLL_DEG = 0.1, 0.05  # % of the long side, degrees: below, the camera is on a tripod for both


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one video, by one of the two."""

    shake: float
    """% of the long side."""
    roll_deg: float
    judged: float = 1.0
    """Share of the pairs."""


@dataclass(frozen=True, slots=True)
class Row:
    """A clip."""

    clip: str
    path_before: Figures
    pixels_before: Figures
    path_after: Figures
    pixels_after: Figures

    @property
    def judged(self) -> float:
        """The lesser of the two shares."""
        return min(self.pixels_before.judged, self.pixels_after.judged)

    def ratios(self) -> dict[str, float]:
        """The run's figures to the judge's."""
        pairs = {"in": (self.path_before, self.pixels_before), "out": (self.path_after, self.pixels_after)}
        shake_ratios = {f"shake {n}": _ratio(a.shake, b.shake, LEAST_SHAKE) for n, (a, b) in pairs.items()}
        return shake_ratios | {
            f"roll {n}": _ratio(a.roll_deg, b.roll_deg, LEAST_ROLL_DEG) for n, (a, b) in pairs.items()
        }

    @property
    def agrees(self) -> bool:
        """Whether the shakes of input and output do."""
        ratios = self.ratios()
        return all(abs(ratios[name] - 1) <= AGREEMENT for name in ("shake in", "shake out"))


def _ratio(path: float, pixels: float, least: float) -> float:
    return max(path, least) / max(pixels, least)


def compare(source: Path, config: Config) -> Row:
    """Solve, render and judge one clip."""
    path = solve(motion_of(source, config), config)
    before, after = (Figures(s.shift_percent, s.roll_deg) for s in shake(path))
    with unfinished(WORK / "shake" / f"{source.stem}-ours.mp4") as part:
        render(source, path, part, config)
        pixels = judged(part)
    return Row(source.stem, before, judged_input(source), after, pixels)


def judged_input(source: Path) -> Figures:
    """Kept in `work/shake`: it does not change with our own work."""
    store = WORK / "shake" / f"{source.stem}-input-{fingerprint(source, VERSION)}.json"
    if not store.exists():
        store.write_text(json.dumps(asdict(judged(source))))
    return Figures(**json.loads(store.read_text()))


def judged(video: Path) -> Figures:
    """By the pixels alone."""
    judgement = judge(video)
    found, roll = judgement["shake"], judgement["roll"]
    return Figures(found.value or 0.0, roll.value or 0.0, 1 - found.failures / max(found.total, 1))


def table(rows: Sequence[Row]) -> Table:
    """Per clip: the path's figure / the pixels', and their ratio."""
    out = Table(title="from the path / from pixels: shake in % of the long side, roll in degrees", box=None)
    for column in ("clip", "judged", "shake in", "", "shake out", "", "roll in", "", "roll out", "", ""):
        out.add_column(column, justify="right")
    for row in rows:
        ratios = row.ratios()
        pairs = (
            (f"shake {when}", f"{path.shake:.3f}/{pixels.shake:.3f}")
            for when, path, pixels in (
                ("in", row.path_before, row.pixels_before),
                ("out", row.path_after, row.pixels_after),
            )
        )
        rolls = (
            ("roll in", f"{row.path_before.roll_deg:.2f}/{row.pixels_before.roll_deg:.2f}"),
            ("roll out", f"{row.path_after.roll_deg:.2f}/{row.pixels_after.roll_deg:.2f}"),
        )
        cells = [cell for name, figures in (*pairs, *rolls) for cell in (figures, f"{ratios[name]:.2f}")]
        verdict = "too few judged" if row.judged < LEAST_JUDGED else "" if row.agrees else "DIFFER"
        out.add_row(row.clip, f"{row.judged:.2f}", *cells, verdict)
    return out


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shake", description=__doc__)
    parser.add_argument("--clips", nargs="+", metavar="NAME", help="stems of ../shared/data/clips (default: all)")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="any setting")
    parser.add_argument(
        "--json", type=Path, default=WORK / "shake.json", help="where the figures go (default: %(default)s)"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: they agree; 1: not; 2: nothing to measure."""
    args = _parser().parse_args(arguments)
    config = with_settings(Config(), [*ENCODE, *args.set])
    sources = [p for p in sorted(CLIPS.glob("*")) if not args.clips or p.stem in args.clips]
    console = Console(width=160)
    if not sources:
        console.print(f"no clips in {CLIPS}: nothing to measure")
        return 2
    (WORK / "shake").mkdir(parents=True, exist_ok=True)
    rows = []
    for source in sources:
        rows.append(compare(source, config))
        console.print(f"{source.stem}: {' '.join(f'{name} {ratio:.2f}' for name, ratio in rows[-1].ratios().items())}")
    console.print(table(rows))
    counted = [row for row in rows if row.judged >= LEAST_JUDGED]
    console.print(f"{sum(row.agrees for row in counted)} of {len(counted)} clips agree within {AGREEMENT:.0%}")
    args.json.write_text(json.dumps({"settings": args.set, "clips": [asdict(row) for row in rows]}, indent=1) + "\n")
    return 0 if all(row.agrees for row in counted) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
