"""`judge`: one output video, its input where there is one, one mode; from files to scores."""

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
WORK_SIDE = 640  # long side in px at which `robust` measures


@dataclass(frozen=True)
class _Source:
    info: VideoInfo
    name: str
    log: ReadLog = field(default_factory=ReadLog)

    def frames(self, size: Size) -> Iterator[GrayFrame]:
        return ahead(read_gray(self.info.path, size, self.log))

    def damage(self) -> tuple[str, ...]:
        said = []
        if self.log.damaged:
            said.append(f"{self.name}: {self.log.damaged} damaged packets were skipped")
        if self.log.untimed:
            said.append(f"{self.name}: {self.log.untimed} frames without an advancing time stamp were left out")
        return tuple(said)


def judge(out: str | Path, ref: str | Path | None = None, mode: str = "robust", tick: Tick | None = None) -> Judgement:
    """All scores of the video `out`, against its unstabilised input `ref` where given.

    Frames are matched by time since each video's first frame. Only `robust` can judge without `ref`. Raises
    `MetricsError` (and its children) for what cannot be read or is not a mode.
    """
    check_mode(mode, ref is not None)
    paths = Path(out), Path(ref) if ref is not None else None
    with unchanged(*paths):
        return _judged(*paths, mode, tick)


def check_mode(mode: str, with_ref: bool) -> None:
    """Raises `UsageError` for what is no mode, and for one that needs the input where there is none."""
    if mode not in MODES:
        raise UsageError(f"mode {mode!r} does not exist; choose from {', '.join(MODES)}")
    if not with_ref and mode != "robust":
        raise UsageError(f"mode {mode} compares with the input video: give it with --ref")


def _judged(out: Path, ref: Path | None, mode: str, tick: Tick | None) -> Judgement:
    output = _Source(probe(out), "output")
    source = _Source(probe(ref), "input") if ref is not None else None
    if mode == "robust":
        judgement = _robust(output, source, tick)
    elif source is not None:
        judgement = _published(output, source, mode, tick)
    said = mismatches(output.info, source.info) + source.damage() if source else ()
    return replace(judgement, says=judgement.says + said + output.damage())


def _robust(output: _Source, source: _Source | None, tick: Tick | None) -> Judgement:
    from metrics.robust.judge import judge_robust

    out_size = working_size(output.info.size, WORK_SIDE)
    if source is None:
        alone: FramePairs = ((frame, None) for frame in output.frames(out_size))
        return judge_robust(_counted(alone, tick), output.info, None)
    ref_frames = source.frames(working_size(source.info.size, WORK_SIDE))
    pairs = pair_by_time(output.frames(out_size), ref_frames, pairing_tolerance_s(source.info))
    return judge_robust(_counted(pairs, tick), output.info, source.info)


def _published(output: _Source, source: _Source, mode: str, tick: Tick | None) -> Judgement:
    # By name, not None: some files change their size on the way.
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
