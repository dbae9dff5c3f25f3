"""`python -m benchmarks.paths [--clips NAME...] [--preset NAME] [--set KEY=VALUE...] [--pareto]`: figures of solved
paths alone.

Each clip is analysed once and its motion kept in `work/paths`, so that a run with other settings of `fuse` and `path`
only solves. Lengths are output pixels at a long side of 640, as of `benchmarks.judge`, but from the path: what the
motion estimate misses does not show, and accelerations come out lower. Ratios are to vid.stab's results, accel, jitter,
roll and the difference of the field of view, as `benchmarks.quality` has measured and kept them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from stabilize import Config, analyse, solve
from stabilize.artifacts import load_motion, save_motion
from stabilize.config import with_preset, with_settings
from stabilize.core import Motion
from stabilize.path.similarity import SimilarityPath

from . import pareto
from .measured import SMOOTHINGS, Score, is_kept, kept, score_together, vidstab_name
from .peers import CLIPS, ROOT, WORK, fingerprint, unfinished

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]
Ratios = tuple[float, float, float, float]  # accel, jitter, roll, and the difference of the field of view
HALF_LONG_PX = 320.0  # half the long side of a picture of 640, the unit of a path
CROP_BREATHING = 0.5  # %, the most that the crop may add
SMOOTH_S, LONG_SMOOTH_S = 0.5, 2.0
SPEED_SMOOTH_S = 0.1  # of the scale, before its speed is taken: quicker changes are the estimate's noise
MOTION_SOURCES = ("core.py", "matches.py")  # of `stabilize`, beside `motion`: a change of them makes old motions void


@dataclass(frozen=True, slots=True)
class Picture:
    """How a picture moves, over all shots."""

    accel_px: float
    """RMS second difference of the path of the picture's centre."""
    jitter_px: float
    """RMS of that path about its Gaussian smooth of 0.5 s."""
    roll_deg: float
    """RMS of the roll about its Gaussian smooth of 0.5 s."""
    breathing: float
    """RMS of the log scale about its Gaussian smooth of 0.5 s, %."""
    slow_breathing: float
    """The same about a smooth of 2 s."""
    zoom_speed: float
    """Peak speed of the scale, % a second."""


@dataclass(frozen=True, slots=True)
class Row:
    """A clip: the input, the output, and the crop between them."""

    clip: str
    before: Picture
    after: Picture
    crop_breathing: float
    """Of the crop's own scale about a smooth of 0.5 s, %."""
    crop_slow_breathing: float
    """About a smooth of 2 s."""
    fov: float
    """Mean share of the input's area that is shown."""
    median_fov: float
    """Median share, as the judge's."""
    least_fov: float
    """Least share."""
    notes: int
    """How many notes the solver had: shots left as filmed and the like."""

    @property
    def score(self) -> Score:
        """As the judge's, in so far as a path has it."""
        a = self.after
        figures = (a.accel_px, a.jitter_px, a.roll_deg, a.breathing, a.slow_breathing, a.zoom_speed)
        return Score(*figures, fov=self.median_fov, wander=0.0, judged=1.0)


def motion_of(source: Path, config: Config) -> Motion:
    """The motion of a clip, from `work/paths` where the same code has measured it with the same settings before."""
    key = fingerprint(source, _code(), config.motion)
    store = WORK / "paths" / f"{source.stem}-{key}.npz"
    if not store.exists():
        store.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(store) as part:
            save_motion(analyse(source, config), part)
    return load_motion(store)[0]


def _code() -> str:
    package = ROOT / "stabilize"
    files = [package / name for name in MOTION_SOURCES] + sorted((package / "motion").rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def measure(clip: str, path: SimilarityPath) -> Row:
    """All figures of one solved path."""
    interval_s, shots = path.timeline.interval_s, path.shots
    step = _similarity(path.camera.step)
    crop = _similarity(path.crop_pose)
    log_crop = 100 * np.log(np.abs(crop[:, :1]))
    crop_scale = [log_crop[shot] for shot in shots]
    share = path.width_share**2
    return Row(
        clip,
        _picture(step, shots, interval_s),
        _picture(_seen_by_output(step, crop), shots, interval_s),
        _departure(crop_scale, SMOOTH_S / interval_s),
        _departure(crop_scale, LONG_SMOOTH_S / interval_s),
        float(share.mean()),
        float(np.median(share)),
        float(share.min()),
        len(path.notes),
    )


def _similarity(rows: Float) -> Complex:
    """(n, 4) of (a, b, x, y) as (n, 2) complex: p -> u p + w."""
    return np.stack([rows[:, 0] + 1j * rows[:, 1], rows[:, 2] + 1j * rows[:, 3]], axis=1)


def _seen_by_output(step: Complex, crop: Complex) -> Complex:
    """Steps between output pictures: into the frame by its crop pose, to the next frame, out by that one's pose."""
    u = step[:, 0] * crop[:-1, 0] / crop[1:, 0]
    w = (step[:, 0] * crop[:-1, 1] + step[:, 1] - crop[1:, 1]) / crop[1:, 0]
    return np.stack([u, w], axis=1)


def _picture(step: Complex, shots: Sequence[slice], interval_s: float) -> Picture:
    within = [step[shot.start : shot.stop - 1] for shot in shots]
    sigma = SMOOTH_S / interval_s
    centre = [_path(np.stack([s[:, 1].real, s[:, 1].imag], axis=1) * HALF_LONG_PX) for s in within]
    roll = [_path(np.degrees(np.angle(s[:, :1]))) for s in within]
    scale = [_path(100 * np.log(np.abs(s[:, :1]))) for s in within]
    return Picture(
        _rms([np.diff(c, 2, axis=0) for c in centre]),
        _departure(centre, sigma),
        _departure(roll, sigma),
        _departure(scale, sigma),
        _departure(scale, LONG_SMOOTH_S / interval_s),
        max(_peak_speed(s, interval_s) for s in scale),
    )


def _path(step: Float) -> Float:
    return np.concatenate([np.zeros((1, step.shape[1])), np.cumsum(step, axis=0)])


def _departure(paths: Sequence[Float], sigma: float) -> float:
    """RMS of paths, one for each shot, about their own smooth ones."""
    return _rms([path - _smooth(path, sigma) for path in paths])


def _peak_speed(scale: Float, interval_s: float) -> float:
    speed = np.diff(_smooth(scale, SPEED_SMOOTH_S / interval_s), axis=0) / interval_s
    return float(np.abs(speed).max(initial=0))


def _smooth(path: Float, sigma: float) -> Float:
    """Gaussian along time; the ends are mirrored through their last point, so that a straight path stays as it is."""
    pad = min(len(path) - 1, int(4 * sigma) + 1)
    kernel = np.exp(-0.5 * (np.arange(-pad, pad + 1) / sigma) ** 2)
    longer = np.pad(path, ((pad, pad), (0, 0)), mode="reflect", reflect_type="odd")
    return np.stack([np.convolve(column, kernel / kernel.sum(), mode="valid") for column in longer.T], axis=1)


def _rms(parts: Sequence[Float]) -> float:
    squares = np.concatenate([(part**2).sum(axis=1) for part in parts])
    return float(np.sqrt(squares.mean())) if len(squares) else 0.0


COLUMNS = (
    ("accel px", "accel_px", 2),
    ("jitter px", "jitter_px", 2),
    ("roll deg", "roll_deg", 2),
    ("breathing %", "breathing", 2),
    ("about 2 s %", "slow_breathing", 2),
    ("zoom %/s", "zoom_speed", 1),
)


def table(rows: Sequence[Row], ratios: Mapping[str, Ratios | None]) -> Table:
    """Per clip, and the medians."""
    out = Table(title="input / output, from the paths; px at a long side of 640", box=None, pad_edge=False)
    out.add_column("clip")
    for title, *_ in COLUMNS:
        out.add_column(title, justify="right")
    for title in ("crop %", "crop 2 s %", "fov", "least", "notes", "to vid.stab's"):
        out.add_column(title, justify="right")
    for row in (*rows, median(rows)):
        moving = [f"{getattr(row.before, n):.{d}f}/{getattr(row.after, n):.{d}f}" for _, n, d in COLUMNS]
        crop = (f"{row.crop_breathing:.2f}", f"{row.crop_slow_breathing:.2f}", f"{row.fov:.3f}", f"{row.least_fov:.3f}")
        out.add_row(row.clip, *moving, *crop, str(row.notes), _ratios(ratios[row.clip]))
    return out


def to_vidstab(row: Row, source: Path) -> Ratios | None:
    """Accel, jitter and roll of ours over vid.stab's, and field of view less its; None where it was not measured."""
    if not is_kept(source, vidstab_name(30)):
        return None
    mine, peer = row.score, score_together([kept(source, vidstab_name(30))])[0]
    return mine.accel / peer.accel, mine.jitter / peer.jitter, mine.roll / peer.roll, mine.fov - peer.fov


def _ratios(ratios: Ratios | None) -> str:
    return "-" if ratios is None else "{:.2f} {:.2f} {:.2f} {:+.3f}".format(*ratios)


def bars(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """What issue 10 asks of paths, and the figure."""
    above = [row.clip for row in rows if row.crop_breathing > CROP_BREATHING]
    slow = float(np.median([row.after.slow_breathing - row.before.slow_breathing for row in rows]))
    share = float(np.median([row.after.breathing / max(0.3, 1.2 * row.before.breathing) for row in rows]))
    return [
        (f"the crop's own scale adds at most {CROP_BREATHING} %", ", ".join(above) or "on every clip"),
        ("breathing / max(.3 %, 1.2 input's), median <= 1", f"{share:.2f}"),
        ("breathing about 2 s - input's, median <= 1 %", f"{slow:.2f}"),
    ]


def median(rows: Sequence[Row]) -> Row:
    """Of every figure by itself."""

    def middle(part: Sequence[Any], names: Sequence[str]) -> dict[str, float]:
        return {name: float(np.median([getattr(p, name) for p in part])) for name in names}

    names = [field.name for field in fields(Picture)]
    before, after = (Picture(**middle(part, names)) for part in ([r.before for r in rows], [r.after for r in rows]))
    crop = middle(rows, ("crop_breathing", "crop_slow_breathing", "fov", "median_fov", "least_fov"))
    return Row("median", before, after, **crop, notes=sum(row.notes for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paths", description=__doc__)
    pareto.add_arguments(parser)
    parser.add_argument("--preset", help="as of `stabilize run`")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="any setting")
    parser.add_argument(
        "--json", type=Path, default=WORK / "paths.json", help="where the figures go (default: %(default)s)"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Exit code 2: nothing to measure."""
    args = _parser().parse_args(arguments)
    config = with_settings(with_preset(Config(), args.preset) if args.preset else Config(), args.set)
    sources = pareto.chosen_clips(args)
    console = Console(width=190)
    if not sources:
        console.print(f"no clips in {CLIPS}: nothing to measure")
        return 2
    if args.pareto:
        curves = pareto.show(console, (curve(source, config, args.smoothness) for source in sources))
        figures = [asdict(done) for done in curves]
    else:
        figures = [asdict(row) for row in _measured(console, sources, config)]
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"settings": args.set, "clips": figures}, indent=1) + "\n")
    return 0


def _measured(console: Console, sources: Sequence[Path], config: Config) -> list[Row]:
    """All figures, printed."""
    rows = [measure(source.stem, solved(source, config)) for source in sources]
    ratios = {row.clip: to_vidstab(row, source) for row, source in zip(rows, sources, strict=True)}
    known = [r for r in ratios.values() if r is not None]
    middle = tuple(np.median(known, axis=0).tolist()) if known else None
    console.print(table(rows, ratios | {"median": middle}))
    for text, figure in bars(rows):
        console.print(f"{text}: {figure}")
    return rows


def solved(source: Path, config: Config) -> SimilarityPath:
    """The path by these settings."""
    path = solve(motion_of(source, config), config)
    assert isinstance(path, SimilarityPath), "only paths of similarities are measured"
    return path


def curve(source: Path, config: Config, smoothness_s: Sequence[str]) -> pareto.Curve:
    """Ours at several smoothnesses against vid.stab's results."""
    points = [
        pareto.Point(s, measure(source.stem, solved(source, with_settings(config, [f"path.smoothness_s={s}"]))).score)
        for s in smoothness_s
    ]
    peers = score_together([kept(source, vidstab_name(smoothing)) for smoothing in SMOOTHINGS])
    return pareto.matched(source.stem, map(pareto.Point, map(str, SMOOTHINGS), peers), tuple(points))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
