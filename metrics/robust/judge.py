"""The mode `robust`: from one pass over the frames to scores that say what they claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metrics.model import Better, Judgement, Score, Series
from metrics.robust import path
from metrics.robust.geometry import EDGES
from metrics.robust.measure import Measured, Overlap, Track, measure
from metrics.robust.wobble import wobble_map
from metrics.video import FramePairs, VideoInfo

PX = 1920.0  # lengths are said in px of a frame whose long side is this, whatever the video's own size
EDGE_HIT = -0.002  # a margin below this share is an empty border that shows; above, it may be an error of measurement


@dataclass(frozen=True)
class Shake:
    """All figures of one video's path; None in place of the whole where no second of it could be followed."""

    found: path.Windows
    radius: float

    def rms(self, low_hz: float, high_hz: float, derivative: int = 0) -> float:
        """RMS displacement of picture points in the band, in shares of the long side (per s, per s^2)."""
        return float(np.sqrt(self._square(low_hz, high_hz, derivative).mean()))

    def roll_deg(self) -> float:
        """RMS roll in the band of shake, degrees."""
        return float(np.degrees(np.sqrt(self.found.mean_square(path.WALK_HZ, path.TOP_HZ)[:, 2].mean())))

    def stability(self) -> float:
        """Mean over windows of r / sqrt(r^2 + shake^2)."""
        return float(path.stability(self._square(path.WALK_HZ, path.TOP_HZ)).mean())

    def spectrum(self) -> Series:
        """RMS amplitude per bin over all windows, in shares of the long side, (F,)."""
        power = self.found.power.mean(axis=0)
        return np.asarray(np.sqrt(path.combined(power, self.radius)))

    def _square(self, low_hz: float, high_hz: float, derivative: int = 0) -> Series:
        return path.combined(self.found.mean_square(low_hz, high_hz, derivative), self.radius)


def shake(track: Track, size: tuple[int, int]) -> Shake | None:
    """Shake of a followed video of this native size; None where no second in one piece was followed."""
    if len(track.t_s) < 3:
        return None
    found = path.windows(path.integrate(np.array(track.t_s), np.array(track.step)))
    return None if found is None else Shake(found, path.frame_radius(size))


def judge_robust(pairs: FramePairs, out: VideoInfo, ref: VideoInfo | None) -> Judgement:
    """Scores of the output alone, and against its input where `ref` is given; `pairs` at working size."""
    seen = measure(pairs, out, ref)
    of_out, of_in = shake(seen.out, out.size), shake(seen.ref, ref.size) if ref else None
    wobble_out, wobble_in = _wobble(seen.out), _wobble(seen.ref)
    scores = _shake_scores(of_out, of_in, seen.out)
    scores.append(_wobble_score(wobble_out, wobble_in, seen.out))
    scores += _itf_scores(seen)
    if ref is not None:
        scores += _overlap_scores(seen.overlap)
    extra = {"wobble_out": wobble_out * PX, "wobble_in": wobble_in * PX}
    for name, figures in (("out", of_out), ("in", of_in)):
        if figures is not None:
            extra |= {f"hz_{name}": figures.found.hz, f"spectrum_{name}": figures.spectrum() * PX}
    return Judgement("robust", out, ref, tuple(scores), _says(seen, of_out, out), _columns(seen, ref), extra)


def _shake_scores(of_out: Shake | None, of_in: Shake | None, track: Track) -> list[Score]:
    rows: list[tuple[str, str, Better, Callable[[Shake], float]]] = [
        ("stability", "share", "higher", Shake.stability),
        ("shake", "px at 1920", "lower", lambda s: PX * s.rms(path.WALK_HZ, path.TOP_HZ)),
        ("shake_walk", "px at 1920", "lower", lambda s: PX * s.rms(path.WALK_HZ, path.JITTER_HZ)),
        ("shake_jitter", "px at 1920", "lower", lambda s: PX * s.rms(path.JITTER_HZ, path.TOP_HZ)),
        ("roll", "deg", "lower", Shake.roll_deg),
        ("acceleration", "px at 1920 / s²", "lower", lambda s: PX * s.rms(0, path.TOP_HZ, derivative=2)),
    ]
    why = "" if of_out else "the picture could not be followed for a second in one piece"
    return [
        Score(
            name,
            figure(of_out) if of_out else None,
            unit,
            better,
            figure(of_in) if of_in else None,
            track.failures,
            len(track.step),
            why,
        )
        for name, unit, better, figure in rows
    ]


def _wobble(track: Track) -> Series:
    if len(track.t_s) < 3:
        return np.full((1, 1), np.nan)
    return wobble_map(np.array(track.t_s), np.array(track.grid))


def _reduced(values: list[float] | Series, reduce: Callable[[Series], np.float64]) -> float | None:
    """One number from the finite values; None where there are none."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    return float(reduce(finite)) if finite.size else None


def _mean(values: list[float] | Series) -> float | None:
    return _reduced(values, np.mean)


def _rms(values: Series) -> float | None:
    return _reduced(values, lambda finite: np.sqrt(np.mean(finite**2)))


def _wobble_score(of_out: Series, of_in: Series, track: Track) -> Score:
    value, before = _rms(of_out * PX), _rms(of_in * PX)
    unseen = int(np.isnan(of_out).sum())
    note = f"{unseen} of {of_out.size} cells of the grid had too little to follow" if unseen else ""
    return Score("wobble", value, "px at 1920", "lower", before, track.failures, len(track.step), note)


def _itf_scores(seen: Measured) -> list[Score]:
    total, why = len(seen.out.itf_db), "fewer than two frames"
    plain, aligned = _mean(seen.out.itf_db), _mean(seen.out.aligned_itf_db)
    return [
        Score("itf", plain, "dB", "higher", _mean(seen.ref.itf_db), 0, total, "" if plain is not None else why),
        Score(
            "itf_aligned",
            aligned,
            "dB",
            "higher",
            _mean(seen.ref.aligned_itf_db),
            int(np.isnan(seen.out.aligned_itf_db).sum()),
            total,
            "" if aligned is not None else "no pair of frames could be aligned",
        ),
    ]


def _overlap_scores(overlap: Overlap) -> list[Score]:
    visible, empty, distortion, sharp = (
        np.array(v, float) for v in (overlap.visible, overlap.empty, overlap.distortion, overlap.sharpness)
    )
    margins = np.array(overlap.margins, float).reshape(-1, 4)
    known = margins[np.isfinite(margins).all(axis=1)]
    hit = (known < EDGE_HIT).any(axis=1) if len(known) else np.empty(0)
    rows: list[tuple[str, Better, float | None, float]] = [
        ("visible", "higher", _mean(visible), 1.0),
        ("visible_min", "higher", _reduced(visible, np.min), 1.0),
        ("empty", "lower", _mean(empty), 0.0),
        ("empty_max", "lower", _reduced(empty, np.max), 0.0),
        ("edge_hits", "lower", _mean(hit), 0.0),
        ("distortion", "higher", _mean(distortion), 1.0),
        ("distortion_min", "higher", _reduced(distortion, np.min), 1.0),
        ("sharpness", "higher", _mean(sharp), 1.0),
        *((f"crop_{edge}", "neither", _mean(margins[:, i]), 0.0) for i, edge in enumerate(EDGES)),
    ]
    return [_overlap_score(overlap, *row) for row in rows]


def _overlap_score(overlap: Overlap, name: str, better: Better, value: float | None, of_in: float) -> Score:
    why = "" if value is not None else "no frame could be aligned with the input"
    return Score(name, value, "share", better, of_in, overlap.failures, len(overlap.visible), why)


def _says(seen: Measured, of_out: Shake | None, out: VideoInfo) -> tuple[str, ...]:
    said = []
    if of_out is not None and of_out.found.short:
        seconds = 1 / of_out.found.hz[1]
        said.append(f"shorter than {path.WINDOW_S:g} s: judged in windows of {seconds:.2f} s, the bands are less sharp")
    if 0 < out.fps < 2 * path.TOP_HZ - 0.1:
        said.append(f"{out.fps:.3g} fps: shake above {out.fps / 2:.3g} Hz cannot be seen")
    if seen.out.failures:
        said.append(f"output: motion of {seen.out.failures} of {len(seen.out.step)} frame pairs could not be measured")
    if seen.ref.failures:
        said.append(f"input: motion of {seen.ref.failures} of {len(seen.ref.step)} frame pairs could not be measured")
    if seen.overlap.unmatched:
        said.append(f"{seen.overlap.unmatched} output frames lack an input frame near in time")
    lost = seen.overlap.failures - seen.overlap.unmatched
    if lost:
        said.append(f"{lost} of {len(seen.overlap.visible)} output frames could not be aligned with the input")
    return tuple(said)


def _columns(seen: Measured, ref: VideoInfo | None) -> dict[str, Series]:
    """Per output frame; the input's path is sampled at the output's times. Lengths in px at 1920, roll in degrees."""
    t_s = np.array(seen.out.t_s)
    columns = {"t_s": t_s, **_path_columns("out", seen.out, t_s)}
    columns["itf_db"] = np.concatenate([[np.nan], seen.out.itf_db])[: len(t_s)]
    if ref is None:
        return columns
    columns |= _path_columns("in", seen.ref, t_s)
    for name in ("visible", "empty", "distortion", "sharpness"):
        columns[name] = np.array(getattr(seen.overlap, name), float)
    margins = np.array(seen.overlap.margins, float).reshape(-1, 4)
    return columns | {f"crop_{edge}": margins[:, i] for i, edge in enumerate(EDGES)}


def _path_columns(name: str, track: Track, at_s: Series) -> dict[str, Series]:
    names = [f"x_{name}_px", f"y_{name}_px", f"roll_{name}_deg"]
    if len(track.t_s) < 2:
        return {column: np.full(len(at_s), np.nan) for column in names}
    steps = np.nan_to_num(np.array(track.step)[:, :3])  # a failed pair adds nothing to the drawn path
    position = np.vstack([np.zeros(3), np.cumsum(steps, axis=0)]) * [PX, PX, 180 / np.pi]
    return {column: np.interp(at_s, track.t_s, position[:, i]) for i, column in enumerate(names)}
