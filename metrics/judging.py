"""`judge`: score one output video, with or without its input, in one mode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from metrics.errors import UsageError
from metrics.model import Judgement
from metrics.progress import Tick
from metrics.video import (
    FramePairs,
    GrayFrame,
    ReadLog,
    Size,
    VideoInfo,
    ahead,
    mismatches,
    pair_by_time,
    pairing_tolerance_s,
    probe,
    read_gray,
    unchanged,
    working_size,
)

MODES = ("robust", "dvs", "difrint", "difrint-v0", "nndvs")
WORK_LONG_SIDE_PX = 640  # analysis size of `robust`


@dataclass(frozen=True)
class _Source:
    info: VideoInfo
    name: str
    log: ReadLog = field(default_factory=ReadLog)

    def frames(self, size: Size) -> Iterator[GrayFrame]:
        return ahead(read_gray(self.info.path, size, self.log))

    def damage(self) -> tuple[str, ...]:
        notes = []
        if self.log.damaged:
            notes.append(f"{self.name}: {self.log.damaged} damaged packets were skipped")
        if self.log.untimed:
            notes.append(f"{self.name}: {self.log.untimed} frames without an increasing timestamp were skipped")
        return tuple(notes)


def judge(out: str | Path, ref: str | Path | None = None, mode: str = "robust", tick: Tick | None = None) -> Judgement:
    """Score the video `out`, against its unstabilised input `ref` if given.

    Frames are matched by time since each video's first frame. Only `robust` works without `ref`. `tick` is called with
    the number of frames judged so far. Raises `MetricsError` (or a subclass) for unreadable files and unknown modes.
    """
    check_mode(mode, ref is not None)
    paths = Path(out), Path(ref) if ref is not None else None
    with unchanged(*paths):
        return _judged(*paths, mode, tick)


def check_mode(mode: str, with_ref: bool) -> None:
    """Raise `UsageError` for an unknown mode, and for a mode that needs the input if there is none."""
    if mode not in MODES:
        raise UsageError(f"unknown mode {mode!r}; choose from {', '.join(MODES)}")
    if not with_ref and mode != "robust":
        raise UsageError(f"mode {mode} needs the input video: pass it with --ref")


def _judged(out: Path, ref: Path | None, mode: str, tick: Tick | None) -> Judgement:
    output = _Source(probe(out), "output")
    source = _Source(probe(ref), "input") if ref is not None else None
    if mode == "robust":
        judgement = _robust(output, source, tick)
    elif source is not None:
        judgement = _published(output, source, mode, tick)
    notes = mismatches(output.info, source.info) + source.damage() if source else ()
    return replace(judgement, notes=judgement.notes + notes + output.damage())


def _robust(output: _Source, source: _Source | None, tick: Tick | None) -> Judgement:
    from metrics.robust.judge import judge_robust

    out_size = working_size(output.info.size, WORK_LONG_SIDE_PX)
    if source is None:
        alone: FramePairs = ((frame, None) for frame in output.frames(out_size))
        return judge_robust(_counted(alone, tick), output.info, None)
    ref_frames = source.frames(working_size(source.info.size, WORK_LONG_SIDE_PX))
    pairs = pair_by_time(output.frames(out_size), ref_frames, pairing_tolerance_s(source.info))
    return judge_robust(_counted(pairs, tick), output.info, source.info)


def _published(output: _Source, source: _Source, mode: str, tick: Tick | None) -> Judgement:
    # Explicit size, not None: some files change their frame size midway.
    out_frames, ref_frames = output.frames(output.info.size), source.frames(source.info.size)
    native = pair_by_time(out_frames, ref_frames, pairing_tolerance_s(source.info))
    if mode == "nndvs":
        from metrics.compat.nndvs import judge_nndvs

        return judge_nndvs(_counted(native, tick), output.info, source.info)
    from metrics.compat.programs import judge_program

    return judge_program(mode, _counted(native, tick), output.info, source.info)


def _counted(pairs: FramePairs, tick: Tick | None) -> Iterator[tuple[GrayFrame, GrayFrame | None]]:
    for number, pair in enumerate(pairs, 1):
        yield pair
        if tick is not None:
            tick(number)
