"""`python -m benchmarks.consensus`: how often the estimated camera motion follows a moving group instead of the scene.

A hand-held camera looks at a scene, rich in texture or a nearly plain wall; a textured group crosses the picture, sways
in its middle over 30, 50 or 70 % of it for a second or five, and leaves. A pair is captured where the group moves on
its own by a pixel at least and the estimate is nearer to its motion than to the scene's.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from .peers import WORK, machine

Float = NDArray[np.float64]
UInt8 = NDArray[np.uint8]
WIDTH, HEIGHT, RATE = 640, 360, 30
CROSSING_FRAMES = 15  # in which the group comes in, and leaves
ALONE_FRAMES = 30  # before it comes, and after it has left
OWN_MOTION_PX = 1.0  # below, it cannot be told which of the two the estimate follows
SCENES = ("rich", "plain")
COVERS, STAYS_S, SEEDS = (0.3, 0.5, 0.7), (1.0, 5.0), (1, 2)


@dataclass(frozen=True, slots=True)
class Clip:
    """What is generated."""

    scene: str
    cover: float
    """Share of the picture that the group hides while it stays."""
    stay_s: float
    seed: int


@dataclass(frozen=True, slots=True)
class Paths:
    """Shifts in pixels from each frame to the next (n-1, 2): of the scene and of the group in the picture; `hidden`
    (n,) is the share of each frame that the group covers.
    """

    scene: Float
    group: Float
    hidden: Float


@dataclass(frozen=True, slots=True)
class Capture:
    """Over the clips of a kind."""

    scene: str
    cover: float
    stay_s: float
    captured: float
    """Share of the disputed pairs whose estimate is nearer to the group."""
    unmeasured: float
    """Share of the disputed pairs without measurement."""
    error_px: float
    """RMS distance of all measured steps from the scene's, at the picture's middle."""


def texture(rng: np.random.Generator, size: tuple[int, int], contrast: float, boxes: int) -> Float:
    """Shades of several sizes (height, width) with hard-edged boxes."""
    picture = np.full(size, 128.0)
    for sigma in (2, 8, 40):
        noise = cv2.GaussianBlur(rng.normal(0, 1, size), (0, 0), sigma)
        picture += contrast * noise / noise.std()
    for _ in range(boxes):
        x, y, w, h = rng.integers((0, 0, 8, 8), (size[1], size[0], 60, 60))
        picture[y : y + h, x : x + w] += rng.uniform(-60, 60) * contrast / 14
    return picture


def shaky(rng: np.random.Generator, count: int) -> Float:
    """Positions of a hand-held camera (count, 2), px: drift and tremor."""
    drift = cv2.GaussianBlur(
        rng.normal(0, 1, (count, 2)), (1, 0), sigmaX=1e-3, sigmaY=12, borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(25 * drift / max(drift.std(), 1e-6) * 0.5 + rng.normal(0, 0.6, (count, 2)))


def group_positions(rng: np.random.Generator, stay: int, side: int) -> Float:
    """Where the group lies in the picture (count, 2), from out of it on the left to out of it on the right."""
    start, middle, end = -side, (WIDTH - side) / 2, WIDTH
    steps = np.arange(stay)
    sway = 30 * np.sin(2 * np.pi * steps / 40 + rng.uniform(0, 6)) + 14 * np.sin(2 * np.pi * steps / 17)
    x = np.concatenate(
        [
            np.full(ALONE_FRAMES, start),
            np.linspace(start, middle + sway[0], CROSSING_FRAMES),
            middle + sway,
            np.linspace(middle + sway[-1], end, CROSSING_FRAMES),
            np.full(ALONE_FRAMES, end),
        ]
    )
    y = 6 * np.sin(2 * np.pi * np.arange(len(x)) / 23)
    return np.stack([x, y], axis=1)


def generate(clip: Clip) -> tuple[Iterator[tuple[int, UInt8]], Paths]:
    """The frames, with their index, and the true motion."""
    rng = np.random.default_rng(clip.seed)
    side = round(WIDTH * clip.cover)  # the group is a panel over the whole height
    own = group_positions(rng, round(clip.stay_s * RATE), side)
    camera = shaky(rng, len(own))
    rich = clip.scene == "rich"
    scene = texture(rng, (HEIGHT + 240, WIDTH + 240), 14 if rich else 2.0, 160 if rich else 14)
    panel = texture(rng, (HEIGHT + 40, side), 14, 80)
    at = own - camera
    left, right = at[:, 0].clip(0, WIDTH), (at[:, 0] + side).clip(0, WIDTH)
    paths = Paths(-np.diff(camera, axis=0), np.diff(at, axis=0), (right - left) / WIDTH)
    return _frames(clip.seed, scene, panel, camera, at), paths


def _frames(seed: int, scene: Float, panel: Float, camera: Float, at: Float) -> Iterator[tuple[int, UInt8]]:
    for i, ((cx, cy), (px, py)) in enumerate(zip(camera, at, strict=True)):
        picture = _shifted(scene, -cx - 120, -cy - 120, 128.0)[0]
        front, mask = _shifted(panel, px, py - 20, 0.0)
        noise = np.random.default_rng(10_000 * seed + i).normal(0, 1.5, (HEIGHT, WIDTH))
        yield i, np.clip(mask * front + (1 - mask) * picture + noise, 0, 255).astype(np.uint8)


def _shifted(picture: Float, x: float, y: float, empty: float) -> tuple[Float, Float]:
    """The picture with its corner at (x, y) of a frame, and how far it covers each pixel."""
    A = np.array([[1, 0, x], [0, 1, y]])
    options: dict[str, Any] = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_CONSTANT}
    moved = cv2.warpAffine(picture, A, (WIDTH, HEIGHT), **options, borderValue=empty)
    mask = cv2.warpAffine(np.ones_like(picture), A, (WIDTH, HEIGHT), **options, borderValue=0)
    return np.asarray(moved) / np.maximum(mask, 1e-6) * (mask > 0), np.asarray(mask)


def estimated(frames: Iterator[tuple[int, UInt8]]) -> tuple[Float, NDArray[np.bool_]]:
    """Shift of the picture's middle (n-1, 2) in pixels by `stabilize`, and which pairs are measured."""
    from stabilize.core import FrameGeometry
    from stabilize.motion.estimate import estimate_motion
    from stabilize.settings import MotionConfig

    motion = estimate_motion(frames, FrameGeometry(WIDTH, HEIGHT), Fraction(1, RATE), MotionConfig())
    middle = motion.H_next_prev[:, :2, 2] / motion.H_next_prev[:, 2:, 2]
    return middle * WIDTH / 2, motion.measured


def evaluate(scene: str, cover: float, stay_s: float) -> Capture:
    """All seeds of one kind of clip."""
    captured, unmeasured, errors = [], [], []
    for seed in SEEDS:
        frames, paths = generate(Clip(scene, cover, stay_s, seed))
        step, measured = estimated(frames)
        to_scene, to_group = (np.linalg.norm(step - true, axis=1) for true in (paths.scene, paths.group))
        apart = np.linalg.norm(paths.scene - paths.group, axis=1) >= OWN_MOTION_PX
        disputed = apart & (np.minimum(paths.hidden[1:], paths.hidden[:-1]) > 0)
        captured.append((measured & (to_group < to_scene))[disputed])
        unmeasured.append(~measured[disputed])
        errors.append(to_scene[measured])
    rms = float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))
    follows, lost = (float(np.concatenate(part).mean()) for part in (captured, unmeasured))
    return Capture(scene, cover, stay_s, follows, lost, rms)


def table(rows: Sequence[Capture]) -> Table:
    out = Table(title="pairs whose motion follows the group")
    for column in ("scene", "cover", "stays s", "captured", "unmeasured", "error px"):
        out.add_column(column, justify="left" if column == "scene" else "right")
    for r in rows:
        figures = [f"{v:.3f}" for v in (r.captured, r.unmeasured, r.error_px)]
        out.add_row(r.scene, f"{r.cover:.0%}", f"{r.stay_s:g}", *figures)
    return out


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.consensus", description=__doc__)
    parser.add_argument("--scenes", nargs="+", default=list(SCENES), choices=SCENES, help="(default: all)")
    parser.add_argument("--covers", nargs="+", type=float, default=list(COVERS), help="(default: %(default)s)")
    parser.add_argument("--stays", nargs="+", type=float, default=list(STAYS_S), help="seconds (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=WORK / "consensus.json", help="(default: %(default)s)")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: it was measured; there is no bar."""
    args = _parser().parse_args(arguments)
    rows = [evaluate(scene, cover, stay) for scene in args.scenes for cover in args.covers for stay in args.stays]
    Console(width=110).print(table(rows))
    record = {"date": date.today().isoformat(), "machine": machine()}
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(record | {"rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
