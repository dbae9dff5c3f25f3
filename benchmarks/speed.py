"""Wall time at 1080p compared with the peers.

    python -m benchmarks.speed [--presets medium veryfast] [-- OPTIONS OF STABILIZE]

Rounds in alternating order. A ratio is the median over the rounds of the time divided by that of the plain transcode in
the same round.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from .arguments import split_options
from .peers import (
    CLIPS,
    FFMPEG,
    WORK,
    Encoder,
    PeerError,
    call,
    ffmpeg_version,
    fingerprint,
    machine,
    our_command,
    timed,
    transcode,
    unfinished,
    vidstab,
)

CRF = 18
RATIO_MAX = {"medium": 1.45, "veryfast": 2.0}  # to the plain transcode, issue 2


@dataclass(frozen=True, slots=True)
class Round:
    """One round."""

    seconds: dict[str, float]
    """Wall time of each program, in the order of the calls."""
    stages: dict[str, float]
    """Seconds per stage that `stabilize` reports."""


def source_1080p(clip: str, frames: int) -> Path:
    """The clip repeated and scaled to 1920x1080, created once."""
    files = sorted(CLIPS.glob(f"{clip}.*"))
    if not files:
        raise PeerError(f"no clip {clip!r} in {CLIPS}")
    target = WORK / f"1080p-{clip}-{fingerprint(files[0], frames)}.mp4"
    if not target.exists():
        scale = ("-vf", "scale=1920:1080:flags=bicubic,setsar=1", "-r", "30", "-frames:v", str(frames))
        encode = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "16", "-pix_fmt", "yuv420p", "-an")
        with unfinished(target) as part:
            call([*FFMPEG, "-stream_loop", "-1", "-i", str(files[0]), *scale, *encode, str(part)])
    return target


def run_round(source: Path, encoder: Encoder, options: Sequence[str], index: int) -> Round:
    """Run each program once; every second round in reverse order."""
    reports: list[str] = []
    runners: dict[str, Callable[[], object]] = {
        "transcode": lambda: transcode(source, WORK / "speed-transcode.mp4", encoder),
        "vid.stab": lambda: vidstab(source, WORK / "speed-vidstab.mp4", encoder),
        "ours": lambda: reports.append(
            call(our_command(source, WORK / "speed-ours.mp4", encoder, ["--json", *options]))
        ),
    }
    order = list(runners) if index % 2 == 0 else list(runners)[::-1]
    seconds = {}
    for name in order:
        try:
            seconds[name] = timed(runners[name])
        except PeerError as error:
            print(f"{name}: {error}", file=sys.stderr)
    return Round(seconds, _stages(reports[-1]) if reports else {})


def _stages(printed: str) -> dict[str, float]:
    """`seconds_per_stage` (or `seconds`) of the JSON printed by `stabilize run --json`; empty if there is none."""
    try:
        report = json.loads(printed[printed.index("{") :])
    except ValueError:
        return {}
    stages = report.get("seconds_per_stage", report.get("seconds", {}))
    return {str(k): float(v) for k, v in stages.items()} if isinstance(stages, dict) else {}


def ratios(rounds: Sequence[Round], name: str) -> list[float]:
    """Ratio to the transcode in each round in which both succeeded."""
    return [r.seconds[name] / r.seconds["transcode"] for r in rounds if {name, "transcode"} <= r.seconds.keys()]


def print_preset(console: Console, preset: str, rounds: Sequence[Round], frames: int) -> bool:
    """Print the tables of one encoder preset; returns whether the ratio is within the limit."""
    out = Table(title=f"1080p, libx264 {preset} crf {CRF}, {frames} frames, {len(rounds)} rounds")
    for column in ("", "seconds (median)", "frames/s", "of the transcode (median of pairs)", "per round"):
        out.add_column(column, justify="right")
    for name in ("transcode", "vid.stab", "ours"):
        seconds = [r.seconds[name] for r in rounds if name in r.seconds]
        if not seconds:
            out.add_row(name, "failed", "", "", "")
            continue
        pairs, median_s = ratios(rounds, name), float(np.median(seconds))
        each = " ".join(f"{p:.2f}" for p in pairs)
        out.add_row(name, f"{median_s:.2f}", f"{frames / median_s:.1f}", f"{np.median(pairs):.2f}", each)
    console.print(out)
    _print_stages(console, rounds)
    ours = ratios(rounds, "ours")
    passed = bool(ours) and float(np.median(ours)) <= RATIO_MAX.get(preset, np.inf)
    console.print(
        f"{'[green]pass' if passed else '[red]FAIL'}[/]  ours at {preset} <= {RATIO_MAX.get(preset)}x the transcode"
    )
    return passed


def _print_stages(console: Console, rounds: Sequence[Round]) -> None:
    names = [name for name in rounds[0].stages if all(name in r.stages for r in rounds)]
    if not names:
        console.print("stabilize reported no seconds_per_stage")
        return
    out = Table(title="our stages, seconds (median; stages overlap in threads)")
    for name in names:
        out.add_column(name, justify="right")
    out.add_row(*[f"{np.median([r.stages[name] for r in rounds]):.2f}" for name in names])
    console.print(out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--clip", default="selfie", help="stem in ../shared/data/clips (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=300, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--presets", nargs="+", default=list(RATIO_MAX), help="of libx264 (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=WORK / "speed.json", help="(default: %(default)s)")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: all ratios are within the limits; 1: they are not."""
    own_arguments, options = split_options(arguments)
    args = _parser().parse_args(own_arguments)
    console = Console(width=120)
    WORK.mkdir(exist_ok=True)
    source = source_1080p(args.clip, args.frames)
    rounds = {
        preset: [run_round(source, Encoder(preset, CRF), options, index) for index in range(args.rounds)]
        for preset in args.presets
    }
    passed = [print_preset(console, preset, rounds[preset], args.frames) for preset in rounds]
    record = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "ffmpeg": ffmpeg_version(),
        "source": source.name,
        "crf": CRF,
        "options": options,
        "rounds": {preset: [asdict(r) for r in rounds[preset]] for preset in rounds},
    }
    args.json.write_text(json.dumps(record, indent=1) + "\n")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
