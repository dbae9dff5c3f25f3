"""Effect of a gyroscope log on the result, on generated clips with ground truth.

    python -m benchmarks.gyro_fusion [--clips plain blurred ...] [--cache DIR]

Each clip has a twin: the same camera motion, sharp, bright, noise-free and textured. The path estimated on the clip is
applied to the twin, where `judge.py` can measure what a difficult clip would hide. Columns, for video alone and with
the log:

- jitter, accel: as in README.md, of the rendered twin
- distortion: RMS distance, px of 640, of the points of an output frame from the projection of their rays by the best
  pinhole camera: residual rolling-shutter distortion (and, near close objects, compensated parallax)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

import samples
from stabilize import pipeline
from stabilize.config import Config, with_settings
from stabilize.core import Float, StablePath, field_nodes

from . import judge
from .peers import WORK, machine

CLIPS = (
    "plain", "blurred", "night",  # where the log should halve the residual
    "handheld", "walk", "action", "crowd", "pan", "ois",  # where it must not degrade the result
    "shutter", "shutter-up", "shutter-columns",
)  # fmt: skip
GRID = (9, 16)
TEXTURED = {"plain": "far"}  # both at infinity
ENCODE = ("encode.codec=h264", "encode.preset=ultrafast", "encode.crf=8", "encode.overwrite=true")


@dataclass(frozen=True, slots=True)
class Result:
    """Measurements in px of a frame 640 wide."""

    jitter: float
    """RMS distance of the camera-centre path from its smooth."""
    accel: float
    """RMS second difference of the camera-centre path."""
    distortion: float
    """RMS distance from a pinhole camera."""


@dataclass(frozen=True, slots=True)
class Row:
    """Results of a clip."""

    clip: str
    """Name of the clip."""
    before: Result
    """Of the input."""
    video_only: Result
    """Of the output without the log."""
    fused: Result | None
    """Of the output with the log; None if it was refused."""
    notes: tuple[str, ...]
    """Messages about the log."""


def twin(spec: samples.ClipSpec) -> samples.ClipSpec:
    """Return the same camera motion and scene, sharp and textured."""
    sharp = replace(spec.shutter, exposure_s=0.0, blur_samples=1)
    world = TEXTURED.get(spec.world, spec.world)
    return replace(spec, name=f"{spec.name}-twin", world=world, shutter=sharp, gain_keys=(), noise=0.0, audio=False)


def generated_clip(spec: samples.ClipSpec, cache: Path) -> Path:
    """Return the clip with its logs, generated once per specification."""
    folder = cache / hashlib.sha256(repr(spec).encode()).hexdigest()[:12]
    file = folder / f"{spec.name}.mp4"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as work:
            samples.write_clip(spec, Path(work) / file.name)
            for part in sorted(Path(work).iterdir()):  # .csv before .mp4, whose existence means that all are complete
                part.replace(folder / part.name)
    return file


def distortion(spec: samples.ClipSpec, path: StablePath | None) -> float:
    """Return the distortion of the output frames of a path, or of the clip itself."""
    true = samples.truth(spec)
    points = _grid_px(spec)
    values = []
    for i in range(len(true.time_s)):
        source = points if path is None else _source_px(path, i, points)
        values.append(_pinhole_residual_px(points, true.directions_world(source, i) @ true.R_world_cam[i]))
    return float(np.sqrt(np.mean(np.square(values)))) * 640 / spec.width


def _grid_px(spec: samples.ClipSpec) -> Float:
    x, y = np.meshgrid(np.linspace(0.02, 0.98, GRID[1]) * spec.width, np.linspace(0.02, 0.98, GRID[0]) * spec.height)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _source_px(path: StablePath, index: int, output_px: Float) -> Float:
    nodes = path.field(index, path.timeline.time_at(index)).source_px.astype(np.float64)
    geometry = path.geometry
    axes = field_nodes(nodes.shape[0], geometry.height), field_nodes(nodes.shape[1], geometry.width)
    interpolate = RegularGridInterpolator(axes, nodes, bounds_error=False, fill_value=None)
    return np.asarray(interpolate(output_px[:, ::-1]))


def _pinhole_residual_px(points: Float, rays: Float) -> float:
    """Return the RMS distance in pixels between output points and the projection of their rays by the best pinhole
    camera, with any rotation, zoom and principal point."""

    def residual(tilt: Float) -> Float:
        rotated = Rotation.from_rotvec([*tilt, 0.0]).apply(rays)
        flat = rotated[:, :2] / rotated[:, 2:]
        a, b = (v[:, 0] + 1j * v[:, 1] for v in (flat - flat.mean(axis=0), points - points.mean(axis=0)))
        error = b - (np.vdot(a, b) / np.vdot(a, a)) * a
        return np.concatenate([error.real, error.imag])

    best = least_squares(residual, np.zeros(2))
    return float(np.sqrt(2 * np.mean(best.fun**2)))


def compare(name: str, cache: Path, options: Sequence[str]) -> Row:
    spec, config = samples.CLIPS[name], with_settings(Config(), [*ENCODE, *options])
    file, sharp = generated_clip(spec, cache), generated_clip(replace(twin(spec), gyro=None), cache)
    motion = pipeline.analyse(file, config)
    fields, notes = pipeline.rotation_of(file, motion, file.with_suffix(".csv"), config)
    paths = [pipeline.solve(motion, config)]
    if fields is not None:
        paths.append(pipeline.solve(motion, config, gyro=fields))
    steps = [judge.steps_of(sharp)]
    for label, path in zip(("video", "fused"), paths, strict=False):
        target = cache / f"{name}-{label}.mp4"
        pipeline.render(sharp, path, target, config)
        steps.append(judge.steps_of(target))
    judged = np.all([s.found for s in steps], axis=0)
    results = []
    for step, output_path in zip(steps, [None, *paths], strict=True):
        shake = judge.shake(step, judged)
        results.append(Result(shake.jitter_px, shake.accel_px, distortion(spec, output_path)))
    return Row(name, results[0], results[1], results[2] if len(results) > 2 else None, notes)


def table(rows: Sequence[Row]) -> Table:
    out = Table(title="px of 640; input, video only, with the log")
    for column in ("clip", *("jitter", "video", "log", "ratio"), *("accel", "video", "log", "ratio")):
        out.add_column(column, justify="right")
    for column in ("distortion", "video", "log"):
        out.add_column(column, justify="right")
    for row in rows:
        cells = [row.clip]
        for name in ("jitter", "accel", "distortion"):
            values = [getattr(r, name) for r in (row.before, row.video_only, row.fused) if r is not None]
            cells += [f"{value:.3f}" for value in values]
            if row.fused is None:
                cells += ["refused"]
            if name != "distortion":
                cells += [f"{values[2] / values[1]:.2f}" if row.fused else ""]
        out.add_row(*cells)
    return out


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gyro_fusion", description=__doc__)
    parser.add_argument("--clips", nargs="+", default=list(CLIPS), help="of `samples`")
    parser.add_argument("--cache", type=Path, default=WORK / "fusion", help="where generated clips are kept")
    parser.add_argument("--set", nargs="+", default=[], dest="options", help="settings, for example gyro.focal_px=520")
    args = parser.parse_args(arguments)
    args.cache.mkdir(parents=True, exist_ok=True)
    console, rows = Console(width=140), []
    for name in args.clips:
        rows.append(compare(name, args.cache, args.options))
        for note in rows[-1].notes:
            console.print(f"{name}: {note}")
    console.print(table(rows))
    facts = {"date": date.today().isoformat(), "machine": machine(), "rows": [asdict(row) for row in rows]}
    (WORK / "gyro_fusion.json").write_text(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
