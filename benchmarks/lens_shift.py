"""`python -m benchmarks.lens_shift [--cache DIR]`: residual lens shift in px of 640 on generated clips, with the log of
the lens and estimated from video and gyroscope alone.

*lens* is the RMS of the true shift, *with log* and *without* the RMS of its residual (without means). The rows without
OIS show that the estimate is not used where there is no lens shift.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import samples
from gyro.estimate import (
    Tracks,
    estimate_shift,
    logged_shift,
    prior_settings,
    synchronize,
    synchronize_with_ois,
)
from gyro.log import Float
from gyro.readers import read_log
from stabilize import analyse
from stabilize.config import Config
from stabilize.gyroscope.match import motion_tracks
from stabilize.settings import MotionConfig

from .gyro_fusion import generated_clip
from .peers import WORK

MESHLESS = Config(motion=MotionConfig(mesh=False))
RESIDUAL_MAX_PX = 0.2  # with the log
RESIDUAL_SHARE_MAX = 0.5  # without
WITH_OIS = {
    "handheld": replace(samples.CLIPS["ois"], name="ois-handheld"),
    "walk": replace(samples.CLIPS["walk"], name="ois-walk", ois=samples.Ois()),
    "strong": replace(samples.CLIPS["walk"], name="ois-strong", ois=samples.Ois(gain=0.8, wander_px=3.0), seed=31),
    "pan": replace(samples.CLIPS["pan"], name="ois-pan", ois=samples.Ois()),
    "rolling": replace(samples.CLIPS["handheld"], name="ois-rolling", ois=samples.Ois(gain=0.8), seed=32),
}
WITHOUT_OIS = ("handheld", "walk", "action", "crowd", "pan", "blurred")


def row(name: str, spec: samples.ClipSpec, cache: Path) -> list[str]:
    file, true = generated_clip(spec, cache), samples.truth(spec)
    log, tracks = read_log(file.with_suffix(".csv")), motion_tracks(analyse(file, MESHLESS))
    settings = prior_settings(log, (spec.width, spec.height))
    sync = synchronize(tracks, log, settings)
    estimate = estimate_shift(tracks, log, sync, settings)
    lens = true.lens_shift_px(true.time_s)
    verdict = "on" if estimate.helps else "off"
    cells = [name, sync.kind if sync.accepted else "refused", f"{rms(lens):.2f}"]
    if spec.ois is None:
        return [*cells, "", "", "", verdict, f"{estimate.gain:.2f}", f"{estimate.spread:.2f}"]
    with_log = residual_rms(true, logged_shift_px(spec, file, tracks))
    without = rms(lens - estimate.at(true.time_s))
    share = f"{without / rms(lens):.2f}"
    return [
        *cells,
        f"{with_log:.3f}",
        f"{without:.2f}",
        share,
        verdict,
        f"{estimate.gain:.2f}",
        f"{estimate.spread:.2f}",
    ]


def logged_shift_px(spec: samples.ClipSpec, file: Path, tracks: Tracks) -> Float:
    """The logged shift (n, 2) at the frames, by the clock that synchronisation finds for the recording."""
    recording = read_log(samples.write_dvs(spec, file.with_suffix("")))
    sync = synchronize_with_ois(tracks, recording, prior_settings(recording, (spec.width, spec.height)))
    assert recording.ois is not None
    return logged_shift(recording.ois, sync, spec.width, spec.height).at(samples.truth(spec).time_s)


def residual_rms(true: samples.Truth, shift: Float) -> float:
    return rms(true.lens_shift_px(true.time_s) - shift)


def rms(values: Float) -> float:
    centred = values - values.mean(axis=0)
    return float(np.sqrt(np.mean(np.sum(centred**2, axis=1))))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lens_shift", description=__doc__)
    parser.add_argument("--cache", type=Path, default=WORK / "fusion", help="where generated clips are kept")
    args = parser.parse_args(arguments)
    args.cache.mkdir(parents=True, exist_ok=True)
    limits = f"at most {RESIDUAL_MAX_PX} px with log, {RESIDUAL_SHARE_MAX:.0%} without"
    table = Table(title=f"residual lens shift, px of 640 ({limits})")
    for column in ("clip", "sync", "lens", "with log", "without", "share", "estimate", "gain", "spread"):
        table.add_column(column, justify="right")
    for name, spec in WITH_OIS.items():
        table.add_row(*row(name, spec, args.cache))
    for name in WITHOUT_OIS:
        table.add_row(*row(f"{name}, no OIS", samples.CLIPS[name], args.cache))
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
