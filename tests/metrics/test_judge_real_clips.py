"""Real recordings: the score belongs to the recording, not to its encoding."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from metrics.judging import judge
from metrics.model import Judgement

FFMPEG = shutil.which("ffmpeg")
SAME = ("stability", "visible", "empty", "distortion")


@cache
def head(clip: Path, folder: Path) -> Path:
    path = folder / f"{clip.stem}_head.mkv"
    encode(clip, path, "-t", "6", "-c:v", "ffv1")
    return path


@cache
def judged(out: Path, ref: Path) -> Judgement:
    return judge(out, ref)


def encode(source: Path, target: Path, *options: str) -> None:
    assert FFMPEG is not None
    command = [FFMPEG, "-v", "error", "-y", "-i", str(source), "-an", "-fps_mode", "passthrough", *options, str(target)]
    subprocess.run(command, check=True)


@pytest.mark.slow
@pytest.mark.skipif(FFMPEG is None, reason="needs ffmpeg")
@pytest.mark.parametrize("clip", ["sculpture.m4v", "hippo.mp4", "walkin.m4v", "dusk.mp4"])
@pytest.mark.parametrize("change", ["crf18", "half"])
def test_scores_do_not_depend_on_encoding_or_resolution(clip: str, change: str, data: Path, clips: Path) -> None:
    original = head(data / "clips" / clip, clips)
    changed = clips / f"{original.stem}_{change}.mkv"
    if change == "crf18":
        encode(original, changed, "-c:v", "libx264", "-crf", "18", "-preset", "veryfast")
    else:
        encode(original, changed, "-vf", "scale=iw/2:ih/2:flags=area", "-c:v", "ffv1")
    before, after = judged(original, original), judged(changed, original)
    for name in SAME:
        assert after[name].value == pytest.approx(before[name].value, abs=0.01), name
