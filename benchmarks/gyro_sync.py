"""Accuracy of synchronisation on clips with ground truth: simulated matches, and rendered clips.

    python -m benchmarks.gyro_sync [--tracks 40] [--clips 20] [--cache DIR]

Prints one line per case (error, and error over standard error), medians, and how many values are outside three standard
errors.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

import samples
from gyro.estimate.result import SyncResult
from gyro.estimate.sync import synchronize
from gyro.estimate.tracks import Tracks
from gyro.log import GyroLog
from stabilize.core import FrameGeometry, UInt8
from stabilize.gyroscope.match import motion_tracks
from stabilize.motion.estimate import estimate_motion
from stabilize.settings import MotionConfig
from tests.gyro.estimate import simulate

CLOCK_HZ = 90_000  # of the clips' times
VALUES = (
    "offset_s",
    "mid_s",
    "drift",
    "rotation_x",
    "rotation_y",
    "rotation_z",
    "bias_x",
    "bias_y",
    "bias_z",
    "focal_px",
    "readout_s",
)


@dataclass(frozen=True)
class Truth:
    """Ground truth of a case; `bias_rad_s` in the log's axes, `R_cam_gyro` after negation if `improper`."""

    label: str
    offset_s: float
    drift: float
    R_cam_gyro: Rotation
    improper: bool
    bias_rad_s: np.ndarray
    focal_px: float
    readout_s: float
    columns: bool = False


def simulated(seed: int) -> tuple[Truth, Tracks, GyroLog]:
    """Return a case of simulated matches."""
    rng = np.random.default_rng(seed)
    mount = Rotation.from_euler("xyz", 90 * rng.integers(0, 4, 3), degrees=True) * Rotation.from_rotvec(
        rng.normal(0, 0.01, 3)
    )
    scene = simulate.Scene(
        motion=str(rng.choice(["walk", "pan", "hand", "action"])),
        duration_s=float(rng.choice([8, 12, 20])),
        focal_px=float(rng.uniform(400, 700)),
        k1=float(rng.choice([0, -0.06, 0.03])),
        readout_s=float(rng.choice([0, 0.01, 0.02, 0.033, -0.016])),
        rate_hz=float(rng.choice([100, 200, 400, 500])),
        offset_s=float(rng.uniform(-3, 3)),
        drift=float(rng.choice([0, 0.01, -0.01, 1e-4])),
        bias_deg_s=tuple(rng.uniform(-0.5, 0.5, 3)),
        noise_deg_s_rthz=float(rng.choice([0.005, 0.02])),
        R_cam_gyro=mount,
        improper=bool(rng.random() < 0.1),
        translate=bool(rng.random() < 0.7),
        noise_px=float(rng.uniform(0.05, 0.3)),
        outliers=float(rng.uniform(0, 0.1)),
        movers=float(rng.choice([0, 0.15])),
        depth_m=(float(rng.uniform(1.5, 8)), 30.0),
        seed=seed,
    )
    truth = Truth(
        f"{scene.motion} {'' if scene.translate else 'turning only '}{scene.rate_hz:.0f} Hz",
        scene.offset_s,
        scene.drift,
        mount,
        scene.improper,
        np.deg2rad(scene.bias_deg_s),
        scene.focal_px,
        scene.readout_s,
    )
    return truth, simulate.tracks(scene), simulate.log(scene)


PHONE = samples.Gyro(bias_deg_s=(0.5, -0.3, 0.4), noise_deg_s_rthz=0.01, walk_deg_s_rts=0.002)
LOGS = (
    replace(PHONE, rate_hz=100, offset_s=0.2),
    replace(PHONE, rate_hz=200, offset_s=-0.7, axes="yxz", drift=0.01),
    replace(PHONE, rate_hz=400, offset_s=1.3, axes="ZXY", drift=1e-4),
    replace(PHONE, rate_hz=500, offset_s=-0.05, axes="XyZ", drift=-0.01, misalignment_deg=(0.5, -1.0, 0.7)),
)
READOUTS = (0.0, 0.010, 0.020, 0.033, -0.016)
PLACES = (("walk", "street"), ("pan", "plaza"), ("handheld", "plaza"), ("action", "street"), ("turning", "far"))


def clip_specs() -> Iterator[samples.ClipSpec]:
    """Yield twenty clips: every motion with every log, readout times and people in turn."""
    people = samples.CLIPS["walk"].objects
    for i, gyro in enumerate(LOGS):
        for j, (motion, world) in enumerate(PLACES):
            yield samples.ClipSpec(
                f"sync-{motion}-{i}",
                world=world,
                duration_s=8,
                motion=samples.MOTIONS[motion],
                lens=samples.Lens(f_px=(480.0, 520.0, 600.0, 440.0)[i]),
                shutter=samples.Shutter(READOUTS[(i + j) % len(READOUTS)]),
                objects=people if (i + j) % 2 else (),
                noise=1.5,
                gyro=gyro,
                seed=100 + 10 * i + j,
            )


def rendered(spec: samples.ClipSpec, cache: Path | None) -> tuple[Truth, Tracks, GyroLog]:
    """Return a case of rendered frames; `cache` stores the matches of a clip, since rendering dominates the time."""
    gyro = spec.gyro
    assert gyro is not None
    stored = cache / f"{spec.name}.pkl" if cache else None
    if stored and stored.exists():
        tracks = pickle.loads(stored.read_bytes())  # noqa: S301 - written by this program
    else:
        geometry, config = FrameGeometry(spec.width, spec.height), MotionConfig(mesh=False)
        motion = estimate_motion(_gray(spec), geometry, Fraction(1, CLOCK_HZ), config, keep=lambda _: True)
        tracks = motion_tracks(motion)
        if stored:
            stored.write_bytes(pickle.dumps(tracks))
    log = samples.sample_log(spec)
    mount, improper = mount_of(gyro)
    shutter = spec.shutter
    bias = log.bias_rad_s.mean(axis=0)
    truth = Truth(
        spec.name,
        gyro.offset_s,
        gyro.drift,
        mount,
        improper,
        bias,
        spec.lens.f_px,
        shutter.readout_s,
        shutter.lines == "columns",
    )
    return truth, tracks, GyroLog(spec.name, "samples", log.t_s, log.gyro_rad_s, log.accel_m_s2)


def mount_of(gyro: samples.Gyro) -> tuple[Rotation, bool]:
    """Return R_cam_gyro from the letters (log[i] = +-camera[letter]) and the misalignment, and `improper`."""
    letters = np.array([np.eye(3)["XYZ".index(c.upper())] * (1 if c.isupper() else -1) for c in gyro.axes])
    matrix = (letters @ Rotation.from_rotvec(gyro.misalignment_deg, degrees=True).as_matrix()).T
    improper = bool(np.linalg.det(matrix) < 0)
    return Rotation.from_matrix(-matrix if improper else matrix), improper


def _gray(spec: samples.ClipSpec) -> Iterator[tuple[int, UInt8]]:
    for time_s, rgb in samples.generate(spec):
        yield round(time_s * CLOCK_HZ), np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def judge(truth: Truth, result: SyncResult) -> dict[str, tuple[float, float]]:
    """Return error and standard error of every value; `mid_s` is the log time of the middle of the clip."""
    turn = (result.R_cam_gyro * truth.R_cam_gyro.inv()).as_rotvec()
    bias = result.bias_rad_s - truth.bias_rad_s
    mid = result.mid_s
    error = {
        "offset_s": result.offset_s - truth.offset_s,
        "mid_s": float(result.log_time(np.array(mid))) - (mid * (1 + truth.drift) + truth.offset_s),
        "drift": result.drift - truth.drift,
        "focal_px": result.focal_px - truth.focal_px,
        "readout_s": result.readout_s - truth.readout_s,
        **{f"rotation_{axis}": turn[i] for i, axis in enumerate("xyz")},
        **{f"bias_{axis}": bias[i] for i, axis in enumerate("xyz")},
    }
    std = {**result.std, "mid_s": result.mid_offset_std_s}
    return {name: (float(error[name]), std[name]) for name in VALUES}


def line(truth: Truth, result: SyncResult, errors: dict[str, tuple[float, float]], seconds: float) -> str:
    """Format one row of the table."""
    turn = np.rad2deg(np.linalg.norm([errors[f"rotation_{axis}"][0] for axis in "xyz"]))
    z = {name: error / std for name, (error, std) in errors.items()}
    turned = max(abs(z[f"rotation_{axis}"]) for axis in "xyz")
    e = result.evidence

    def cell(name: str, scale: float) -> str:
        return f"{errors[name][0] * scale:7.3f} ({z[name]:4.1f})"

    cells = (
        f"{truth.label:24s} readout {truth.readout_s * 1e3:4.0f} {result.readout_axis}",
        f"middle, start {cell('mid_s', 1e3)} {cell('offset_s', 1e3)} ms",
        f"drift {cell('drift', 1e6)} ppm",
        f"turn {turn:5.2f} deg ({turned:3.1f})",
        f"focal {cell('focal_px', 100 / truth.focal_px)} %",
        f"readout {cell('readout_s', 1e3)} ms",
        f"{result.kind} r {e.correlation:.2f}/{e.rival:.2f} explained {e.explained:.2f}/{e.explained_shake:.2f}",
        f"noise {e.noise_px:.2f} px, {seconds:.1f} s",
        f"undetermined {','.join(result.unobservable) or '-'} {result.refusal or ''}",
    )
    return " | ".join(cells)


def run(cases: Iterator[tuple[Truth, Tracks, GyroLog]]) -> list[dict[str, tuple[float, float]]]:
    """Print the table of the cases and its summary."""
    rows, focal, axes = [], [], 0
    for truth, tracks, log in cases:
        start = time.perf_counter()
        result = synchronize(tracks, log)
        errors = judge(truth, result)
        print(line(truth, result, errors, time.perf_counter() - start), flush=True)
        rows.append(errors)
        focal.append(abs(errors["focal_px"][0]) / truth.focal_px)
        turn = np.linalg.norm([errors[f"rotation_{axis}"][0] for axis in "xyz"])
        axes += result.improper == truth.improper and turn < np.deg2rad(10)
    outside = sum(abs(error) > 3 * std for row in rows for error, std in row.values())
    median = {name: float(np.median([abs(row[name][0]) for row in rows])) for name in VALUES}
    print(
        f"median: offset {median['mid_s'] * 1e3:.3f} ms (middle), {median['offset_s'] * 1e3:.3f} ms (start), "
        f"drift {median['drift'] * 1e6:.0f} ppm, readout {median['readout_s'] * 1e3:.2f} ms, "
        f"focal {np.median(focal) * 100:.2f} %; axes right in {axes} of {len(rows)}; "
        f"{outside} of {len(rows) * len(VALUES)} values outside 3 standard errors"
    )
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=40)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    if options.tracks:
        run(simulated(seed) for seed in range(options.tracks))
    if options.clips:
        run(rendered(spec, options.cache) for spec in list(clip_specs())[: options.clips])


if __name__ == "__main__":
    main()
