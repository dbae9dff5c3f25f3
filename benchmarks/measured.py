"""What the judge says of a clip, of peers' results and of ours; measurements of what we do not change are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from . import judge
from .peers import WORK, Encoder, fingerprint, ours, transcode, unfinished, vidstab

ENCODER = Encoder("medium", 18)
EVERY = 10  # field of view is measured on every k-th frame
INPUT, TRANSCODE = "input", "transcode"
SMOOTHINGS = (10, 15, 30, 60)  # of vid.stab, frames
STEPS = tuple(f.name for f in fields(judge.Steps) if f.name != "fps")


@dataclass(frozen=True, slots=True)
class Measured:
    """One version of a clip, judged by itself."""

    steps: judge.Steps
    """How its picture moves."""
    placement: judge.Float
    """(k, 3, 3) maps of every k-th frame, output -> input between unit frames."""
    aspect: float
    """Width over height."""

    @property
    def fov(self) -> float:
        """Median share of the input's area that is visible."""
        return float(np.median([judge.visible_share(H) for H in self.placement])) if len(self.placement) else np.nan


@dataclass(frozen=True, slots=True)
class Score:
    """One version of a clip among the others."""

    accel: float
    """px of a long side of 640, as all lengths."""
    jitter: float
    """px."""
    roll: float
    """Degrees."""
    breathing: float
    """%, about a smooth of 0.5 s."""
    slow_breathing: float
    """%, about a smooth of 2 s."""
    zoom_speed: float
    """Peak, % a second."""
    fov: float
    """Share of the input's area."""
    wander: float
    """px RMS of the output's middle over the input's picture, about its mean."""
    judged: float
    """Share of the pairs."""


def vidstab_name(smoothing: int) -> str:
    """What a result of vid.stab is called among the kept ones."""
    return f"vidstab{smoothing}"


def measure(source: Path, result: Path | None) -> Measured:
    """Judge the source itself (result None) or a stabilised version of it."""
    steps = judge.steps_of(result or source)
    placement = np.array(judge.placements(source, result, EVERY) if result else [np.eye(3)])
    height, width = next(judge.frames(source)).shape
    return Measured(steps, placement.reshape(-1, 3, 3), width / height)


def kept(source: Path, name: str) -> Measured:
    """The measurement of `INPUT`, `TRANSCODE` or a `vidstab_name`: none changes with our own work."""
    store = _store(source, name)
    if not store.exists():
        done = measure(source, None if name == INPUT else _made(source, name))
        arrays = {step: getattr(done.steps, step) for step in STEPS} | {"fps": np.array(done.steps.fps)}
        with unfinished(store) as part:
            np.savez(part, allow_pickle=False, placement=done.placement, aspect=np.array(done.aspect), **arrays)
    with np.load(store) as data:
        return Measured(_steps(data, float(data["fps"])), data["placement"], float(data["aspect"]))


def is_kept(source: Path, name: str) -> bool:
    """Whether `kept` has nothing to do."""
    return _store(source, name).exists()


def _store(source: Path, name: str) -> Path:
    key = fingerprint(source, name, ENCODER, EVERY, judge.VERSION)
    return WORK / "quality" / f"{source.stem}-{name}-{key}.npz"


def _steps(arrays: Mapping[str, Any], fps: float) -> judge.Steps:
    return judge.Steps(arrays["step_px"], arrays["roll_deg"], arrays["scale"], arrays["found"].astype(bool), fps)


def _made(source: Path, name: str) -> Path:
    """The result itself: a plain transcode, or vid.stab's."""
    smoothing = int(name.removeprefix(vidstab_name(0)[:-1]) if name != TRANSCODE else 0)
    target = WORK / "quality" / f"{source.stem}-{name}-{fingerprint(source, ENCODER, smoothing)}.mp4"
    if not target.exists():
        with unfinished(target) as part:
            if smoothing:
                vidstab(source, part, ENCODER, smoothing)
            else:
                transcode(source, part, ENCODER)
    return target


def measure_ours(source: Path, options: Sequence[str]) -> Measured:
    """Of a run of ours with these options. Raises PeerError."""
    with unfinished(WORK / "quality" / f"{source.stem}-ours.mp4") as part:
        ours(source, part, ENCODER, options)
        return measure(source, part)


def score_together(versions: Sequence[Measured]) -> list[Score]:
    """Scores of versions of one clip, the input first, over the pairs that were judged in all of them."""
    shortest = min(len(v.steps.found) for v in versions)
    judged = np.all([v.steps.found[:shortest] for v in versions], axis=0)
    return [_score(v, judged, versions[0].steps.fps) for v in versions]


def _score(version: Measured, judged: judge.Bool, fps: float) -> Score:
    parts = {name: getattr(version.steps, name)[: len(judged)] for name in STEPS}
    shake = judge.shake(_steps(parts, fps), judged)
    wander = judge.centre_wander_px(list(version.placement), version.aspect)
    return Score(
        shake.accel_px,
        shake.jitter_px,
        shake.roll_deg,
        shake.breathing,
        shake.slow_breathing,
        shake.zoom_speed,
        version.fov,
        wander,
        shake.judged,
    )
