"""Data model of a judgement: scores, each with its failure count and the same score of the input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from metrics.video import VideoInfo

SCHEMA = 1
VERSION = "3"  # raise whenever a score of any mode changes: stored scores of another version are not reused

Better = Literal["higher", "lower", "neither"]
Series = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """One score of a video. Never NaN: a score that could not be measured is None and has a note."""

    name: str
    value: float | None
    """None if it could not be measured; `note` then states the reason."""
    unit: str
    better: Better
    """Which direction is an improvement."""
    input: float | None = None
    """The same score of the input video; None without input."""
    failures: int = 0
    """How many of the `total` measurements (frames or frame pairs) failed."""
    total: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        for value in (self.value, self.input):
            if value is not None and not math.isfinite(value):
                raise ValueError(f"score {self.name} is {value}: a score must be a finite number, or None with a note")
        if self.value is None and not self.note:
            raise ValueError(f"score {self.name} is None without a note that gives the reason")


def finite(value: float | None) -> float | None:
    """Return `value`, or None for NaN and infinities, which are not allowed in scores."""
    return float(value) if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Judgement:
    """All scores of one output video in one mode."""

    mode: str
    out: VideoInfo
    """The judged (stabilised) video."""
    ref: VideoInfo | None
    """Its unstabilised input; None if it was judged alone."""
    scores: tuple[Score, ...]
    notes: tuple[str, ...] = ()
    """Remarks in words: properties of the mode, differences between the videos, damage."""
    frames: dict[str, Series] = field(default_factory=dict)
    """Per-frame columns of equal length, `t_s` first; NaN where a frame has no value."""
    extra: dict[str, Series] = field(default_factory=dict)
    """Data for the report only: spectra and wobble map."""

    def __getitem__(self, name: str) -> Score:
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without NaN."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "mode": self.mode,
            "out": _video_dict(self.out),
            "ref": _video_dict(self.ref) if self.ref else None,
            "scores": {score.name: _score_dict(score) for score in self.scores},
            "says": list(self.notes),
        }


def _score_dict(score: Score) -> dict[str, Any]:
    return {
        "value": score.value,
        "input": score.input,
        "unit": score.unit,
        "better": score.better,
        "failures": score.failures,
        "total": score.total,
        "note": score.note,
    }


def _video_dict(info: VideoInfo) -> dict[str, Any]:
    return {
        "path": str(info.path),
        "width": info.size[0],
        "height": info.size[1],
        "fps": info.fps,
        "frames": info.frames,
        "duration_s": info.duration_s,
    }
