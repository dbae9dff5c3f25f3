"""Input files for the commands of `gyro`, and the program in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
CLIPS = ROOT / "samples" / "clips"
HOSTILE = ROOT.parent / "shared" / "data" / "hostile"
LOG_TEXT = "t,gx,gy,gz\n" + "".join(f"{i / 100},{i % 7 / 10},0.2,0.1\n" for i in range(300))
Command = Callable[..., tuple[int, str]]
FISHEYE: dict[str, object] = {
    "camera_matrix": [[500.0, 0, 320], [0, 500, 240], [0, 0, 1]],
    "distortion_coeffs": [0.1, 0.0, 0.0, 0.0],
}
PROFILE = {"calib_dimension": {"w": 640, "h": 480}, "fisheye_params": FISHEYE}


def profile(**fields: object) -> str:
    params = {**FISHEYE, **{k: v for k, v in fields.items() if k in FISHEYE}}
    return json.dumps({**PROFILE, **fields, "fisheye_params": params})


def process(
    *words: object,
    capture_output: bool = True,
    stdout: IO[Any] | int | None = None,
    stderr: IO[Any] | int | None = None,
) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "stabilize", *map(str, words)]
    return subprocess.run(
        line,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
        capture_output=capture_output,
        stdout=stdout,
        stderr=stderr,
    )
