"""The published programs as modes: their figures under common names, and their quirks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metrics.compat import figures
from metrics.compat.alignment import Alignments, align
from metrics.compat.signal import Stability, accumulate, stability
from metrics.model import Judgement, Score, Series, finite
from metrics.video import FramePairs, Size, VideoInfo

DVS_SIZE = (640, 480)


@dataclass(frozen=True)
class Program:
    """One published program."""

    size: Size | None
    """Size that both videos are resized to; None: their own."""
    angle: str
    """Angle of its rotation stability: "scales" or "roll"."""
    tiles: bool
    """Whether it correlates tiles."""
    figures: Callable[[Alignments], tuple[list[Score], dict[str, Series]]]
    """Its scores from B, and values per frame."""
    notes: tuple[str, ...]
    """Description and quirks, for the report."""


def judge_program(mode: str, pairs: FramePairs, out: VideoInfo, ref: VideoInfo) -> Judgement:
    """Scores of one of `PROGRAMS` over pairs of gray frames at their own size. B maps input to output."""
    program = PROGRAMS[mode]
    alignments = align(pairs, size=program.size, reuse=True, tiles=program.tiles)
    scores, columns = program.figures(alignments)
    scores += stability_scores(
        stability(accumulate(alignments.T_next_prev), program.angle),
        stability(accumulate(alignments.T_in), program.angle),
        failures=alignments.failed_T,
        total=max(alignments.frames - 1, 0),
    )
    frames = {"t_s": np.array(alignments.t_s), **columns}
    return Judgement(mode, out, ref, tuple(scores), program.notes, frames)


def stability_scores(of_out: Stability, of_in: Stability, *, failures: int, total: int) -> list[Score]:
    """The three stability figures and those of the input. Where the program prints NaN (0/0), a note says so."""
    static = "the signal has no power beside its mean (0/0): the program prints NaN"
    return [
        Score(name, value, "share", "higher", input_value, failures, total, "" if value is not None else static)
        for name, value, input_value in (
            ("stability", of_out.mean, of_in.mean),
            ("stability_translation", of_out.translation, of_in.translation),
            ("stability_rotation", of_out.rotation, of_in.rotation),
        )
    ]


def share_score(name: str, value: float | None, alignments: Alignments, note: str = "") -> Score:
    """A figure of B. For the input against itself it is 1 by definition."""
    value = finite(value)
    note = note if value is not None else "no frame could be matched with the input"
    return Score(name, value, "share", "higher", 1.0, alignments.failed_B, alignments.frames, note)


def mean_and_min(values: Series) -> tuple[float | None, float | None]:
    """Mean and minimum, None for an empty array."""
    return (float(values.mean()), float(values.min())) if values.size else (None, None)


def _difrint(alignments: Alignments) -> tuple[list[Score], dict[str, Series]]:
    crop = np.array([figures.crop_scale(B) for B in alignments.B_out_in])
    return _difrint_scores(alignments, crop), {"cropping": crop}


def _difrint_v0(alignments: Alignments) -> tuple[list[Score], dict[str, Series]]:
    scale = np.array([figures.crop_v0(B) for B in alignments.B_out_in])
    # The program inverts its whole list at every frame and appends the new scale unchanged: exponents alternate.
    exponent = (-1.0) ** np.arange(len(scale))[::-1]
    crop = scale**exponent
    scores = _difrint_scores(alignments, crop[np.isfinite(crop)])
    corrected = 1 / scale[np.isfinite(scale)]
    mean, low = mean_and_min(corrected)
    scores += [
        share_score("cropping_intended", _at_most_1(mean), alignments, "1/sqrt(m00 m11) of every frame, as intended"),
        share_score("cropping_intended_min", _at_most_1(low), alignments),
    ]
    return scores, {"cropping": crop}


def _at_most_1(value: float | None) -> float | None:
    return None if value is None else min(value, 1.0)


def _difrint_scores(alignments: Alignments, crop: Series) -> list[Score]:
    mean, low = mean_and_min(crop)
    ratios = np.array([figures.eigen_ratio(B) for B in alignments.B_out_in])
    # numpy orders complex numbers by their real part, so a rotated frame can hide a worse one; kept as printed.
    distortion = float(np.abs(np.min(ratios))) if ratios.size else None
    return [
        share_score("cropping", _at_most_1(mean), alignments),
        share_score("cropping_min", _at_most_1(low), alignments),
        share_score("distortion", distortion, alignments),
    ]


def _dvs(alignments: Alignments) -> tuple[list[Score], dict[str, Series]]:
    ratios = np.abs(np.array([figures.eigen_ratio(B) for B in alignments.B_out_in]))
    kept = ratios[(ratios >= 0.5) & (ratios <= 1)]
    views = np.array([figures.field_of_view(B, DVS_SIZE) for B in alignments.measured_B]).reshape(-1, 2)
    width, height = (figures.without_lowest(list(views[:, axis])) for axis in (0, 1))
    mean, low = mean_and_min(kept)
    scores = [share_score("distortion", mean, alignments), share_score("distortion_min", low, alignments)]
    scores += _dvs_views(alignments, width, height)
    tiles = alignments.tiles
    mean_tile, low_tile = (tiles.total / tiles.count, tiles.lowest) if tiles.count else (None, None)
    scores += [share_score("correlation", mean_tile, alignments), share_score("correlation_min", low_tile, alignments)]
    return scores, {"eigen_ratio": ratios}


def _dvs_views(alignments: Alignments, width: Series, height: Series) -> list[Score]:
    if not (width.size and height.size):
        note = "DVS drops the five smallest values, and there are no others"
        return [
            Score(name, None, "share", "higher", 1.0, alignments.failed_B, alignments.frames, note)
            for name in ("field_of_view", "field_of_view_min")
        ]
    return [
        share_score("field_of_view", float(width.mean() + height.mean()) / 2, alignments),
        share_score("field_of_view_min", float(min(width.min(), height.min())), alignments),
    ]


PROGRAMS = {
    "difrint-v0": Program(
        None,
        "scales",
        False,
        _difrint_v0,
        (
            "difrint-v0: DIFRINT's first metrics.py, with SIFT in place of SURF (not in free OpenCV builds)",
            "quirks kept: every second cropping value is inverted; distortion by eigenvalues; angle atan2(m00, m11);"
            " a failed match reuses the last matrix, whichever it was",
        ),
    ),
    "difrint": Program(
        None,
        "roll",
        False,
        _difrint,
        (
            "difrint: DIFRINT's current metrics.py, which is also FuSta's",
            "quirks kept: cropping by scale is blind to shifts and black borders; distortion by eigenvalues is blind to"
            " shear; stability depends on length; a failed match reuses the last matrix, whichever it was",
        ),
    ),
    "dvs": Program(
        DVS_SIZE,
        "scales",
        True,
        _dvs,
        (
            "dvs: metrics.py of Deep Online Fused Video Stabilization; both videos resized to 640x480",
            "quirks kept: field of view is blind to zoom and drops the five worst frames; angle atan2(m00, m11);"
            " correlation averages whole 2x2 matrices; a failed match reuses the last matrix, whichever it was",
        ),
    ),
}
