"""`python -m benchmarks.memory [-- OPTIONS OF STABILIZE]`: peak memory on a 2-minute and on a 20-minute clip."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from .arguments import split_options
from .peers import CLIPS, FFMPEG, ROOT, WORK, Encoder, PeerError, call, fingerprint, machine, our_command, unfinished

RATIO_MAX = 1.05  # peak of the longer clip over that of the shorter one, issue 2
FAST = Encoder("ultrafast", 30)


def looped(clip: str, minutes: float, height: int) -> Path:
    """The clip repeated to a duration: scaled once, then copied packet by packet."""
    files = sorted(CLIPS.glob(f"{clip}.*"))
    if not files:
        raise PeerError(f"no clip {clip!r} in {CLIPS}")
    key = fingerprint(files[0], height)
    once, target = WORK / f"loop-{clip}-{key}.mp4", WORK / f"loop-{clip}-{minutes:g}min-{key}.mp4"
    encode = ("-vf", f"scale=-2:{height}", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-an")
    if not once.exists():
        with unfinished(once) as part:
            call([*FFMPEG, "-i", str(files[0]), *encode, str(part)])
    if not target.exists():
        length = ("-t", str(60 * minutes))
        with unfinished(target) as part:
            call([*FFMPEG, "-stream_loop", "-1", "-i", str(once), *length, "-c", "copy", str(part)])
    return target


def peak_mb(command: Sequence[str]) -> float:
    """Peak resident memory of a child process in MB, according to the kernel. Raises PeerError."""
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise PeerError(f"{' '.join(command[:6])} ... failed ({child.returncode})")
    return usage.ru_maxrss / 1024


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--clip", default="hippo", help="stem in ../shared/data/clips (default: %(default)s)")
    parser.add_argument("--height", type=int, default=360, help="scaled to this many rows (default: %(default)s)")
    parser.add_argument("--minutes", nargs=2, type=float, default=[2, 20], help="(default: %(default)s)")
    parser.add_argument("--json", type=Path, default=WORK / "memory.json", help="(default: %(default)s)")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Exit code 0: the ratio is within the limit; 1: it is not."""
    own_arguments, options = split_options(arguments)
    args = _parser().parse_args(own_arguments)
    WORK.mkdir(exist_ok=True)
    target = WORK / "memory-ours.mp4"
    peaks = []
    for minutes in args.minutes:
        source = looped(args.clip, minutes, args.height)
        peaks.append(peak_mb(our_command(source, target, FAST, options)))
        print(f"{minutes:g} min at {args.height} rows: peak {peaks[-1]:.0f} MB")
    ratio = peaks[1] / peaks[0]
    print(f"{'pass' if ratio <= RATIO_MAX else 'FAIL'}  ratio {ratio:.3f} (at most {RATIO_MAX})")
    record = {"date": date.today().isoformat(), "machine": machine(), "height": args.height, "options": options}
    args.json.write_text(
        json.dumps(record | {"minutes": args.minutes, "peak_mb": peaks, "ratio": ratio}, indent=1) + "\n"
    )
    return 0 if ratio <= RATIO_MAX else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
