"""What a judgement is made of: scores, each with its failures and with the same score of the input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from metrics.video import VideoInfo

SCHEMA = 1
VERSION = "2"  # raised whenever a figure of any mode changes; stored scores of another version are not reused

Better = Literal["higher", "lower", "neither"]
Series = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """One figure. `value` is None where it could not be measured, and then `note` says why; it is never NaN.

    `input` is the same figure of the input, None where there is none. `failures` of `total` measurements behind the
    figure failed (frames or frame pairs).
    """

    name: str
    value: float | None
    unit: str
    better: Better
    input: float | None = None
    failures: int = 0
    total: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        for value in (self.value, self.input):
            if value is not None and not math.isfinite(value):
                raise ValueError(f"score {self.name} is {value}: a score is a finite number or None with a note")
        if self.value is None and not self.note:
            raise ValueError(f"score {self.name} has no value and no note that says why")


def finite(value: float | None) -> float | None:
    """`value`, or None for NaN and infinities, which no score may carry."""
    return float(value) if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Judgement:
    """All scores of one output video under one mode.

    `frames` holds per-frame columns of equal length (`t_s` first; NaN where a frame has no value), `extra` what only a
    report draws (spectra, wobble map), `says` what the mode does and what was noticed, in words.
    """

    mode: str
    out: VideoInfo
    ref: VideoInfo | None
    scores: tuple[Score, ...]
    says: tuple[str, ...] = ()
    frames: dict[str, Series] = field(default_factory=dict)
    extra: dict[str, Series] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Score:
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; no NaN anywhere."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "mode": self.mode,
            "out": _video_dict(self.out),
            "ref": _video_dict(self.ref) if self.ref else None,
            "scores": {score.name: _score_dict(score) for score in self.scores},
            "says": list(self.says),
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
