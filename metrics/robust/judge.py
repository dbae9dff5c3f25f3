"""The mode `robust`: from one pass over the frames to scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metrics.model import Better, Judgement, Score, Series
from metrics.robust import path
from metrics.robust.departure import Departure, departure
from metrics.robust.geometry import EDGES
from metrics.robust.measure import Measured, Overlap, Track, measure
from metrics.robust.wobble import wobble_map
from metrics.video import FramePairs, VideoInfo

REPORT_LONG_SIDE_PX = 1920.0  # lengths are reported in px of a frame of this long side, whatever the video size
EDGE_HIT_MARGIN = -0.002  # share of the side; margins above it may be measurement error


@dataclass(frozen=True)
class Vibration:
    """Vibration of one video, from the spectra of its camera path."""

    windows: path.Windows
    radius: float
    """RMS distance of the frame's points from its centre, as a share of the long side."""

    def rms(self, low_hz: float, high_hz: float, derivative: int = 0) -> float:
        """Return the RMS displacement in the band, or that of its derivative, in shares of the long side (per s^n)."""
        return float(np.sqrt(self._square(low_hz, high_hz, derivative).mean()))

    def stability(self) -> float:
        """Return the mean over windows of r / sqrt(r^2 + vibration^2)."""
        return float(path.stability(self._square(path.WALK_HZ, path.TOP_HZ)).mean())

    def spectrum(self) -> Series:
        """Return the RMS amplitude per bin over all windows, in shares of the long side, (F,)."""
        power = self.windows.power.mean(axis=0)
        return np.asarray(np.sqrt(path.combined(power, self.radius)))

    def _square(self, low_hz: float, high_hz: float, derivative: int = 0) -> Series:
        return path.combined(self.windows.mean_square(low_hz, high_hz, derivative), self.radius)


@dataclass(frozen=True)
class Motion:
    """What is known of how one video's camera moves."""

    vibration: Vibration
    departure: Departure


def motion(track: Track, size: tuple[int, int]) -> Motion | None:
    """Return the motion of a tracked video of this native size; None if no continuous second was tracked."""
    if len(track.t_s) < 3:
        return None
    whole = path.integrate(np.array(track.t_s), np.array(track.step))
    windows, away = path.windows(whole), departure(whole)
    return None if windows is None or away is None else Motion(Vibration(windows, path.frame_radius(size)), away)


def judge_robust(pairs: FramePairs, out: VideoInfo, ref: VideoInfo | None) -> Judgement:
    """Score the output alone, or against its input if `ref` is given. `pairs` are at analysis size."""
    measured = measure(pairs, out, ref)
    out_motion, ref_motion = motion(measured.out, out.size), motion(measured.ref, ref.size) if ref else None
    wobble_out, wobble_in = _wobble(measured.out), _wobble(measured.ref)
    scores = _motion_scores(out_motion, ref_motion, measured.out)
    scores.append(_wobble_score(wobble_out, wobble_in, measured.out))
    scores += _itf_scores(measured)
    if ref is not None:
        scores += _overlap_scores(measured.overlap)
    extra = {"wobble_out": wobble_out * REPORT_LONG_SIDE_PX, "wobble_in": wobble_in * REPORT_LONG_SIDE_PX}
    for name, known in (("out", out_motion), ("in", ref_motion)):
        if known is not None:
            spectrum = known.vibration.spectrum() * REPORT_LONG_SIDE_PX
            extra |= {f"hz_{name}": known.vibration.windows.hz, f"spectrum_{name}": spectrum}
    return Judgement(
        "robust", out, ref, tuple(scores), _notes(measured, out_motion, out), _columns(measured, ref), extra
    )


def _vibration_px(low_hz: float, high_hz: float, derivative: int = 0) -> Callable[[Motion], float]:
    return lambda m: REPORT_LONG_SIDE_PX * m.vibration.rms(low_hz, high_hz, derivative)


MOTION_SCORES: tuple[tuple[str, str, Better, Callable[[Motion], float]], ...] = (
    ("stability", "share", "higher", lambda m: m.vibration.stability()),
    ("shake", "% of the long side", "lower", lambda m: 100 * m.departure.shift),
    ("roll", "deg", "lower", lambda m: float(np.degrees(m.departure.roll))),
    ("breathing", "%", "lower", lambda m: 100 * m.departure.log_scale),
    ("zoom_speed", "% / s", "neither", lambda m: 100 * m.departure.zoom_speed),
    ("vibration", "px at 1920", "lower", _vibration_px(path.WALK_HZ, path.TOP_HZ)),
    ("vibration_walk", "px at 1920", "lower", _vibration_px(path.WALK_HZ, path.TREMOR_HZ)),
    ("vibration_tremor", "px at 1920", "lower", _vibration_px(path.TREMOR_HZ, path.TOP_HZ)),
    ("acceleration", "px at 1920 / s²", "lower", _vibration_px(0, path.TOP_HZ, derivative=2)),
)


def _motion_scores(out_motion: Motion | None, ref_motion: Motion | None, track: Track) -> list[Score]:
    reason = "" if out_motion else "no continuous second of the video could be tracked"
    return [
        Score(
            name,
            score(out_motion) if out_motion else None,
            unit,
            better,
            score(ref_motion) if ref_motion else None,
            track.failures,
            len(track.step),
            reason,
        )
        for name, unit, better, score in MOTION_SCORES
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


def _wobble_score(out_value: Series, ref_value: Series, track: Track) -> Score:
    value, before = _rms(out_value * REPORT_LONG_SIDE_PX), _rms(ref_value * REPORT_LONG_SIDE_PX)
    unmeasured = int(np.isnan(out_value).sum())
    note = f"{unmeasured} of {out_value.size} grid cells had too few tracks" if unmeasured else ""
    return Score("wobble", value, "px at 1920", "lower", before, track.failures, len(track.step), note)


def _itf_scores(measured: Measured) -> list[Score]:
    total, reason = len(measured.out.itf_db), "fewer than two frames"
    plain, aligned = _mean(measured.out.itf_db), _mean(measured.out.aligned_itf_db)
    return [
        Score("itf", plain, "dB", "higher", _mean(measured.ref.itf_db), 0, total, "" if plain is not None else reason),
        Score(
            "itf_aligned",
            aligned,
            "dB",
            "higher",
            _mean(measured.ref.aligned_itf_db),
            int(np.isnan(measured.out.aligned_itf_db).sum()),
            total,
            "" if aligned is not None else "no pair of frames could be aligned",
        ),
    ]


def _overlap_scores(overlap: Overlap) -> list[Score]:
    visible, empty, distortion, sharp = (
        np.array(v, float) for v in (overlap.visible, overlap.empty, overlap.distortion, overlap.sharpness)
    )
    margins = np.array(overlap.margins, float).reshape(-1, 4)
    finite = margins[np.isfinite(margins).all(axis=1)]
    hit = (finite < EDGE_HIT_MARGIN).any(axis=1) if len(finite) else np.empty(0)
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


def _overlap_score(overlap: Overlap, name: str, better: Better, value: float | None, input_value: float) -> Score:
    reason = "" if value is not None else "no frame could be aligned with the input"
    return Score(name, value, "share", better, input_value, overlap.failures, len(overlap.visible), reason)


def _notes(measured: Measured, out_motion: Motion | None, out: VideoInfo) -> tuple[str, ...]:
    notes = []
    if out_motion is not None and out_motion.vibration.windows.short:
        seconds = 1 / out_motion.vibration.windows.hz[1]
        notes.append(
            f"shorter than {path.WINDOW_S:g} s: judged in windows of {seconds:.2f} s, with coarser frequency bands"
        )
    if 0 < out.fps < 2 * path.TOP_HZ - 0.1:
        notes.append(f"{out.fps:.3g} fps: vibration above {out.fps / 2:.3g} Hz cannot be measured")
    if measured.out.failures:
        notes.append(
            f"output: motion of {measured.out.failures} of {len(measured.out.step)} frame pairs could not be measured"
        )
    if measured.ref.failures:
        notes.append(
            f"input: motion of {measured.ref.failures} of {len(measured.ref.step)} frame pairs could not be measured"
        )
    if measured.overlap.unmatched:
        notes.append(f"{measured.overlap.unmatched} output frames have no input frame near in time")
    unaligned = measured.overlap.failures - measured.overlap.unmatched
    if unaligned:
        notes.append(
            f"{unaligned} of {len(measured.overlap.visible)} output frames could not be aligned with the input"
        )
    return tuple(notes)


def _columns(measured: Measured, ref: VideoInfo | None) -> dict[str, Series]:
    """Return columns per output frame; the input path is sampled at its times. Lengths in px at 1920, degrees, the
    scale in % of the first frame's.
    """
    t_s = np.array(measured.out.t_s)
    columns = {"t_s": t_s, **_path_columns("out", measured.out, t_s)}
    columns["itf_db"] = np.concatenate([[np.nan], measured.out.itf_db])[: len(t_s)]
    if ref is None:
        return columns
    columns |= _path_columns("in", measured.ref, t_s)
    for name in ("visible", "empty", "distortion", "sharpness"):
        columns[name] = np.array(getattr(measured.overlap, name), float)
    margins = np.array(measured.overlap.margins, float).reshape(-1, 4)
    return columns | {f"crop_{edge}": margins[:, i] for i, edge in enumerate(EDGES)}


def _path_columns(name: str, track: Track, sample_s: Series) -> dict[str, Series]:
    names = [f"x_{name}_px", f"y_{name}_px", f"roll_{name}_deg", f"zoom_{name}_percent"]
    if len(track.t_s) < 2:
        return {column: np.full(len(sample_s), np.nan) for column in names}
    steps = np.nan_to_num(np.array(track.step))  # a failed pair adds no motion to the plotted path
    position = np.vstack([np.zeros(4), np.cumsum(steps, axis=0)])
    position[:, :2] *= REPORT_LONG_SIDE_PX
    position[:, 2], position[:, 3] = np.degrees(position[:, 2]), 100 * np.exp(position[:, 3])
    return {column: np.interp(sample_s, track.t_s, position[:, i]) for i, column in enumerate(names)}
