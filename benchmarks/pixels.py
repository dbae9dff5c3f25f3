"""`python -m benchmarks.pixels OUT [--against BEFORE] [--clips NAME...] [-- OPTIONS OF STABILIZE]`: whether work on
the code has changed what comes out.

Writes every shared clip's result losslessly (FFV1) into OUT, with a hash of its decoded planes and times; compares them
with those that another state of the code left in BEFORE.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path

import av
import numpy as np

from .arguments import split_options
from .peers import CLIPS


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two results: frames, times, the share of samples that differ, and by how much at most."""

    frames: tuple[int, int]
    times: int
    share: float
    most: int


def planes(path: Path) -> Iterator[tuple[int | None, list[np.ndarray]]]:
    """Times and planes of every frame, as they were given to the encoder."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "SLICE"
        for frame in container.decode(video=0):
            wide = 2 if frame.format.components[0].bits > 8 else 1
            arrays = [
                np.frombuffer(memoryview(p), np.uint8)
                .reshape(-1, p.line_size)[: p.height, : p.width * wide]
                .view(f"u{wide}")
                for p in frame.planes
            ]
            yield frame.pts, arrays


def digest(path: Path) -> str:
    """A hash of all times and samples."""
    total = hashlib.sha256()
    for pts, arrays in planes(path):
        total.update(str(pts).encode())
        for array in arrays:
            total.update(array.tobytes())
    return total.hexdigest()


def difference(before: Path, after: Path) -> Difference:
    """Two results, frame by frame."""
    counts, times, samples, changed, most = [0, 0], 0, 0, 0, 0
    for one, other in zip_longest(planes(before), planes(after)):
        counts = [counts[0] + (one is not None), counts[1] + (other is not None)]
        if one is None or other is None:
            continue
        times += one[0] != other[0]
        for a, b in zip(one[1], other[1], strict=True):
            off = np.abs(a.astype(np.int32) - b)
            samples, changed, most = samples + off.size, changed + int(np.count_nonzero(off)), max(most, int(off.max()))
    return Difference((counts[0], counts[1]), times, changed / max(samples, 1), most)


def render(clip: Path, folder: Path, options: list[str]) -> Path:
    """The clip's result; raises CalledProcessError where there is none."""
    target = folder / f"{clip.stem}.mkv"
    command = [sys.executable, "-m", "stabilize", "run", str(clip), "-o", str(target), "--codec", "ffv1", "-y", "-q"]
    subprocess.run([*command, *options], check=True, stderr=subprocess.DEVNULL)
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    own, options = split_options(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--clips", nargs="*")
    asked = parser.parse_args(own)
    asked.out.mkdir(parents=True, exist_ok=True)
    hashes, changed = {}, 0
    for clip in sorted(CLIPS.iterdir()):
        if asked.clips and clip.stem not in asked.clips:
            continue
        result = render(clip, asked.out, options)
        hashes[clip.stem] = digest(result)
        before = asked.against / result.name if asked.against else None
        if before is None or digest(before) == hashes[clip.stem]:
            print(f"{clip.stem:16} {hashes[clip.stem][:16]}{' the same' if before else ''}", flush=True)
        else:
            changed += 1
            print(f"{clip.stem:16} {json.dumps(asdict(difference(before, result)))}", flush=True)
    (asked.out / "hashes.json").write_text(json.dumps(hashes, indent=1) + "\n")
    return min(changed, 1)


if __name__ == "__main__":
    sys.exit(main())
