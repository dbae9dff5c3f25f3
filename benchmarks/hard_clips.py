"""`python -m benchmarks.hard_clips [--clips NAME...] [--before FOLDER] [--json FILE]`: generated clips whose camera is
known, beside another checkout.

`stabilize analyse` and `solve` run in fresh processes (STABILIZE_COMMAND replaces `python -m stabilize`, `--folder` is
where it runs; `--before` is the folder of another checkout, whose own `python -m stabilize` is measured too). Columns:

- measured: share of pairs with a measured motion
- step: RMS distance, over the picture and all pairs, between where a pixel goes by the estimate and by the truth
- path: RMS of the summed errors of the centre about their Gaussian smooth of 0.5 s
- accel, jitter: of the solved path, applied to the true camera: as in README.md, at even times between captures
- fov: mean share of the picture's area that is kept
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.ndimage import gaussian_filter1d

from stabilize.artifacts import load_motion
from stabilize.core import field_nodes
from stabilize.path.similarity import SimilarityPath
from stabilize.path_file import load_path

from .hard_scene import CLIPS, FPS, HEIGHT, WIDTH, Clip, Complex, Float, write
from .peers import ROOT, WORK, PeerError, machine

SMOOTH_S = 0.5
HALF_LONG_PX = WIDTH / 2
ODD_RATIO_MAX = 1.1  # of the shake with two odd intervals to that with even ones
WORSE_RATIO, WORSE_PX = 1.05, 0.02  # by which a figure is worse than before: libraries round
Columns = tuple[tuple[str, str, int], ...]
COLUMNS: Columns = (
    ("measured", "measured", 2),
    ("step", "step_px", 3),
    ("path", "path_px", 2),
    ("accel", "accel_px", 3),
    ("jitter", "jitter_px", 2),
    ("fov", "fov", 3),
)
NEVER_WORSE = ("step_px", "path_px")  # issue 10: the error of the camera's path


@dataclass(frozen=True, slots=True)
class Checkout:
    """A command and the folder in which it runs."""

    command: tuple[str, ...]
    folder: Path

    def run(self, *words: str) -> None:
        """Raises PeerError."""
        done = subprocess.run([*self.command, *words], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PeerError(f"{' '.join([*self.command, words[0]])}: {done.stderr.strip()[-600:]}")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a clip, by one checkout; px of 640."""

    measured: float
    step_px: float
    path_px: float
    accel_px: float
    jitter_px: float
    fov: float


@dataclass(frozen=True, slots=True)
class Row:
    """A clip."""

    clip: str
    accel_in_px: float
    jitter_in_px: float
    before: Figures | None
    after: Figures


def measure(clip: Clip, checkout: Checkout, label: str, solve_only: bool) -> Figures:
    """Analyse and solve a clip, and compare with its truth."""
    stem = WORK / "hard" / f"{clip.name}-{label}"
    motion_file, path_file = (stem.with_name(f"{stem.name}-{kind}.npz") for kind in ("motion", "path"))
    if not (solve_only and motion_file.exists()):
        checkout.run("analyse", str(write(clip)), "-o", str(motion_file), "--overwrite", "--quiet")
    checkout.run("solve", str(motion_file), "-o", str(path_file), "--overwrite", "--quiet")
    path = load_path(path_file)[0]
    if not isinstance(path, SimilarityPath) or len(path.timeline) != len(clip.capture_s):
        raise PeerError(f"{clip.name}: not a path of similarities over {len(clip.capture_s)} frames")
    step_px, path_px = estimate_errors(clip, path.camera.step)
    accel_px, jitter_px = shake(clip, *output_poses(clip, path))
    measured = float(load_motion(motion_file)[0].measured.mean())
    return Figures(measured, step_px, path_px, accel_px, jitter_px, float((path.width_share**2).mean()))


def estimate_errors(clip: Clip, step: Float) -> tuple[float, float]:
    """Of the steps (n-1, 4): over the picture pair by pair, and of the centre's path."""
    z, w = clip.camera.pose(clip.capture_s)
    estimated = step[:, 0] + 1j * step[:, 1], HALF_LONG_PX * (step[:, 2] + 1j * step[:, 3])
    turn, shift = estimated[0] - z[:-1] / z[1:], estimated[1] - (w[:-1] - w[1:]) / z[1:]
    points = _points(field_nodes(5, HEIGHT), field_nodes(9, WIDTH))
    distance = np.abs(turn[:, None] * points + shift[:, None])
    return _rms(distance), _rms(_departure(np.concatenate([[0], np.cumsum(shift)])))


def output_poses(clip: Clip, path: SimilarityPath) -> tuple[Complex, Complex]:
    """The similarities (n,) that fit best where the output's pixels lie in the world."""
    z, w = clip.camera.pose(clip.capture_s)
    turns, shifts = [], []
    for k in range(len(z)):
        field = path.field(k, path.timeline.time_at(k)).source_px.astype(np.float64)
        points = _points(field_nodes(field.shape[0], HEIGHT), field_nodes(field.shape[1], WIDTH))
        source = field[..., 0].ravel() - (WIDTH - 1) / 2 + 1j * (field[..., 1].ravel() - (HEIGHT - 1) / 2)
        world = z[k] * source + w[k]
        turns.append(np.vdot(points, world) / np.vdot(points, points))
        shifts.append(world.mean())
    return np.array(turns), np.array(shifts)


def _points(y: Float, x: Float) -> Complex:
    """All pixels (rows * columns,), from the middle of the picture."""
    return np.asarray((x[None] - (WIDTH - 1) / 2 + 1j * (y[:, None] - (HEIGHT - 1) / 2)).ravel())


def shake(clip: Clip, z: Complex, w: Complex) -> tuple[float, float]:
    """Acceleration and jitter of the centre path of a camera with these poses (n,), brought to even times."""
    path = np.concatenate([[0], np.cumsum((w[:-1] - w[1:]) / z[1:])])
    viewed = clip.viewed_s
    even = np.arange(viewed[0], viewed[-1] + 1e-9, 1 / FPS)
    path = np.interp(even, viewed, path.real) + 1j * np.interp(even, viewed, path.imag)
    return _rms(np.diff(path, 2)), _rms(_departure(path))


def _departure(path: Complex) -> Complex:
    """From its own Gaussian smooth; the ends are mirrored through their last point."""
    sigma = SMOOTH_S * FPS
    pad = min(len(path) - 1, int(4 * sigma) + 1)
    longer = np.pad(path, pad, mode="reflect", reflect_type="odd")
    smooth = gaussian_filter1d(longer.real, sigma) + 1j * gaussian_filter1d(longer.imag, sigma)
    return np.asarray(path - smooth[pad : pad + len(path)])


def _rms(values: Complex | Float) -> float:
    return float(np.sqrt(np.mean(np.abs(values) ** 2)))


def worse(row: Row) -> list[str]:
    """Which of NEVER_WORSE are."""
    if row.before is None:
        return []
    pairs = ((name, getattr(row.before, name), getattr(row.after, name)) for name in NEVER_WORSE)
    return [name for name, before, after in pairs if after > max(WORSE_RATIO * before, before + WORSE_PX)]


def odd_ratios(rows: Sequence[Row]) -> Mapping[str, float]:
    """Shake with two odd intervals over that with even stamps, the worse of acceleration and jitter."""
    by_name = {row.clip: row.after for row in rows}
    pairs = {name: (by_name[name], by_name.get(name.replace("odd", "even"))) for name in by_name if "odd-" in name}
    return {
        name: max(odd.accel_px / even.accel_px, odd.jitter_px / even.jitter_px)
        for name, (odd, even) in pairs.items()
        if even is not None
    }


def table(rows: Sequence[Row]) -> Table:
    """Before / after, or after alone."""
    out = Table(title="px at 640x360; before / after", box=None, pad_edge=False)
    out.add_column("clip")
    for title in ("accel in", "jitter in", *(title for title, *_ in COLUMNS), ""):
        out.add_column(title, justify="right")
    for row in rows:
        versions = [v for v in (row.before, row.after) if v is not None]
        cells = [" / ".join(f"{getattr(v, name):.{digits}f}" for v in versions) for _, name, digits in COLUMNS]
        verdict = "worse: " + ", ".join(worse(row)) if worse(row) else ""
        out.add_row(row.clip, f"{row.accel_in_px:.3f}", f"{row.jitter_in_px:.2f}", *cells, verdict)
    return out


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hard_clips", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clips", nargs="+", default=list(CLIPS), choices=list(CLIPS), metavar="NAME")
    parser.add_argument("--folder", type=Path, default=ROOT, help="where the command runs (default: this checkout)")
    parser.add_argument("--before", type=Path, help="folder of another checkout")
    parser.add_argument("--solve-only", action="store_true", help="use the motions that the last run measured")
    parser.add_argument("--json", type=Path, default=WORK / "hard_clips.json", help="(default: %(default)s)")
    return parser


def checkouts(args: argparse.Namespace) -> dict[str, Checkout]:
    """By label."""
    command = tuple(os.environ.get("STABILIZE_COMMAND", f"{sys.executable} -m stabilize").split())
    out = {"after": Checkout(command, args.folder)}
    if args.before is not None:
        out["before"] = Checkout((sys.executable, "-m", "stabilize"), args.before)
    return out


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: nothing is worse than before, and odd intervals add at most 10 % of shake; 1: not so."""
    args, console, rows = _parser().parse_args(arguments), Console(width=180), []
    for name in args.clips:
        clip = CLIPS[name]
        by = {label: measure(clip, checkout, label, args.solve_only) for label, checkout in checkouts(args).items()}
        rows.append(Row(name, *shake(clip, *clip.camera.pose(clip.capture_s)), by.get("before"), by["after"]))
        figures = asdict(by["after"])
        console.print(f"{name}: {', '.join(f'{key} {value:.3f}' for key, value in figures.items())}")
    console.print(table(rows))
    ratios = odd_ratios(rows)
    for name, ratio in ratios.items():
        console.print(f"{name}: shake {ratio:.2f} of that with even stamps (at most {ODD_RATIO_MAX})")
    record = {"date": date.today().isoformat(), "machine": machine(), "rows": [asdict(row) for row in rows]}
    args.json.write_text(json.dumps(record, indent=1) + "\n")
    failed = any(map(worse, rows)) or any(ratio > ODD_RATIO_MAX for ratio in ratios.values())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
