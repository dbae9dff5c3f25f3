"""Whether a change of the code changes the output.

    python -m benchmarks.pixels OUT [--against BEFORE] [--clips NAME...] [-- OPTIONS OF STABILIZE]

Writes the output for each shared clip to OUT, losslessly (FFV1), with a hash of its decoded planes and times, and
compares it with the output of another version of the code in BEFORE.
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
    """Difference of two outputs."""

    frames: tuple[int, int]
    """Number of frames of each."""
    times: int
    """Frames with another time."""
    share: float
    """Share of the samples that differ."""
    largest: int
    """Largest difference of a sample."""


def planes(path: Path) -> Iterator[tuple[int | None, list[np.ndarray]]]:
    """Times and planes of all frames, without the padding of lines."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "SLICE"
        for frame in container.decode(video=0):
            sample_bytes = 2 if frame.format.components[0].bits > 8 else 1
            arrays = [
                np.frombuffer(memoryview(p), np.uint8)
                .reshape(-1, p.line_size)[: p.height, : p.width * sample_bytes]
                .view(f"u{sample_bytes}")
                for p in frame.planes
            ]
            yield frame.pts, arrays


def digest(path: Path) -> str:
    """Hash of all times and samples."""
    sha = hashlib.sha256()
    for pts, arrays in planes(path):
        sha.update(str(pts).encode())
        for array in arrays:
            sha.update(array.tobytes())
    return sha.hexdigest()


def difference(before: Path, after: Path) -> Difference:
    """Compare two outputs frame by frame."""
    counts, times, samples, changed, largest = [0, 0], 0, 0, 0, 0
    for old, new in zip_longest(planes(before), planes(after)):
        counts = [counts[0] + (old is not None), counts[1] + (new is not None)]
        if old is None or new is None:
            continue
        times += old[0] != new[0]
        for a, b in zip(old[1], new[1], strict=True):
            absolute = np.abs(a.astype(np.int32) - b)
            samples, changed = samples + absolute.size, changed + int(np.count_nonzero(absolute))
            largest = max(largest, int(absolute.max()))
    return Difference((counts[0], counts[1]), times, changed / max(samples, 1), largest)


def render(clip: Path, folder: Path, options: list[str]) -> Path:
    """Stabilise a clip. Raises CalledProcessError if that fails."""
    target = folder / f"{clip.stem}.mkv"
    command = [sys.executable, "-m", "stabilize", "run", str(clip), "-o", str(target), "--codec", "ffv1", "-y", "-q"]
    subprocess.run([*command, *options], check=True, stderr=subprocess.DEVNULL)
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    own_arguments, options = split_options(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--clips", nargs="*")
    args = parser.parse_args(own_arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    hashes, changed = {}, 0
    for clip in sorted(CLIPS.iterdir()):
        if args.clips and clip.stem not in args.clips:
            continue
        result = render(clip, args.out, options)
        hashes[clip.stem] = digest(result)
        before = args.against / result.name if args.against else None
        if before is None or digest(before) == hashes[clip.stem]:
            print(f"{clip.stem:16} {hashes[clip.stem][:16]}{' the same' if before else ''}", flush=True)
        else:
            changed += 1
            print(f"{clip.stem:16} {json.dumps(asdict(difference(before, result)))}", flush=True)
    (args.out / "hashes.json").write_text(json.dumps(hashes, indent=1) + "\n")
    return min(changed, 1)


if __name__ == "__main__":
    sys.exit(main())
