"""The peers, run through ffmpeg with the same encoder on all sides: a plain transcode and vid.stab's two passes; and
ourselves.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parents[1]
WORK = Path(__file__).parent / "work"
CLIPS = ROOT.parent / "shared" / "data" / "clips"
FFMPEG = ("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y")


@dataclass(frozen=True, slots=True)
class Encoder:
    """libx264's settings, the same for everybody."""

    preset: str = "medium"
    crf: int = 18

    @property
    def ffmpeg(self) -> tuple[str, ...]:
        """As ffmpeg's arguments; every frame keeps its own time stamp."""
        return ("-fps_mode", "passthrough", "-c:v", "libx264", "-preset", self.preset, "-crf", str(self.crf), "-an")


class PeerError(Exception):
    """A program ended with an error; the message is what it said."""


def call(command: Sequence[str]) -> str:
    """Run a program to its end and return what it printed. Raises PeerError."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerError(f"{' '.join(command[:6])} ... ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    return done.stdout


def timed(work: Callable[[], object]) -> float:
    """Wall seconds."""
    start = perf_counter()
    work()
    return perf_counter() - start


def transcode(source: Path, target: Path, encoder: Encoder) -> None:
    """Decode and encode, nothing between."""
    call([*FFMPEG, "-i", str(source), "-map", "0:v:0", *encoder.ffmpeg, str(target)])


def vidstab(source: Path, target: Path, encoder: Encoder, smoothing: int = 30) -> None:
    """ffmpeg's vid.stab as its manual gives it: detect with defaults, transform with smoothing 30 frames, bicubic,
    default zoom.
    """
    motions = target.with_suffix(".trf")
    detect = f"vidstabdetect=result={motions}"
    transform = f"vidstabtransform=input={motions}:smoothing={smoothing}:interpol=bicubic"
    call([*FFMPEG, "-i", str(source), "-map", "0:v:0", "-fps_mode", "passthrough", "-vf", detect, "-f", "null", "-"])
    call([*FFMPEG, "-i", str(source), "-map", "0:v:0", "-vf", transform, *encoder.ffmpeg, str(target)])
    motions.unlink()


def ours(source: Path, target: Path, encoder: Encoder, options: Sequence[str] = ()) -> str:
    """`stabilize run`, in a fresh process; returns what it printed."""
    return call(our_command(source, target, encoder, options))


def our_command(source: Path, target: Path, encoder: Encoder, options: Sequence[str] = ()) -> list[str]:
    """The command line; STABILIZE_COMMAND replaces `python -m stabilize`."""
    program = os.environ.get("STABILIZE_COMMAND", f"{sys.executable} -m stabilize").split()
    settings = ("encode.codec=h264", f"encode.crf={encoder.crf}", f"encode.preset={encoder.preset}")
    encode = [word for setting in settings for word in ("--set", setting)]
    return [*program, "run", str(source), "-o", str(target), "--overwrite", "--quiet", *encode, *options]


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """A name of this process's own beside the target; takes the target's place when the block ends well."""
    part = target.with_name(f"{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def fingerprint(source: Path, *settings: object) -> str:
    """Of a file's content and the settings that were applied to it."""
    content = hashlib.sha256(source.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps([content, *map(str, settings)]).encode()).hexdigest()[:16]


def ffmpeg_version() -> str:
    """First line of `ffmpeg -version`."""
    return call(["ffmpeg", "-version"]).splitlines()[0]


def machine() -> str:
    """Processor and number of cores, for the record."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else 'unknown processor'}, {os.cpu_count()} cores"
