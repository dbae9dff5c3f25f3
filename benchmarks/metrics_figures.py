"""Figures of the metrics, as Markdown: conformance, known warps, invariance, ranking, speed and memory.

    python -m benchmarks.metrics_figures [conformance|warps|invariance|ranking|speed ...]

Conformance needs the recordings in ../shared/data. The generated clips are those of tests/metrics.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from metrics import judge
from metrics.tables import number
from tests.metrics import judge_scenes as scenes
from tests.metrics.test_judge_conformance import NAMES
from tests.metrics.test_judge_known_warps import ROWS, warped
from tests.metrics.test_judge_ranking import AMPLITUDES_PX, PAN_PX_PER_S

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data" / "metrics"
SECTIONS: dict[str, Callable[[Path], Iterator[str]]] = {}


def section(function: Callable[[Path], Iterator[str]]) -> Callable[[Path], Iterator[str]]:
    """Register a section of the report by its name."""
    SECTIONS[function.__name__] = function
    return function


@section
def conformance(_: Path) -> Iterator[str]:
    """Largest deviation of any figure from what the original programs printed (4 digits)."""
    yield "| mode | clip | pair | figures | largest deviation |"
    yield "| --- | --- | --- | --- | --- |"
    for row in json.loads((DATA / "expected.json").read_text())["rows"]:
        before, after = row["pair"].split("_")
        for mode in ("dvs", "difrint"):
            judgement = judge(DATA / f"{row['clip']}_{after}.mkv", DATA / f"{row['clip']}_{before}.mkv", mode)
            deviations = [
                abs((judgement[name].value or 0) - value)
                for group, values in row[mode].items()
                for name, value in zip(NAMES[mode, group], values, strict=True)
            ]
            yield f"| {mode} | {row['clip']} | {row['pair']} | {len(deviations)} | {max(deviations):.5f} |"


@section
def warps(folder: Path) -> Iterator[str]:
    """Every mode on known warps of one walk."""
    ref = scenes.write(folder / "walk.mkv", map(scenes.view, scenes.walk_cameras()))
    names = {
        "robust": ("visible", "empty", "distortion"),
        "dvs": ("field_of_view", "distortion"),
        "difrint": ("cropping", "distortion"),
        "nndvs": ("cropping", "distortion"),
    }
    yield "| warp | " + " | ".join(f"{mode} {name}" for mode, ns in names.items() for name in ns) + " |"
    yield "| --- |" + " --- |" * sum(map(len, names.values()))
    for index, row in enumerate(ROWS):
        frames = (warped(camera, row.H_in_out) for camera in scenes.walk_cameras())
        out = scenes.write(folder / f"warp{index}.mkv", frames)
        cells = []
        for mode, ns in names.items():
            judgement = judge(out, ref, mode)
            cells += [number(judgement[name].value) for name in ns]
        yield f"| {row.name} | " + " | ".join(cells) + " |"


def shaky_frames(amplitude_px: float, fps: int, seconds: float, scale: float = 1.0) -> Iterator[scenes.Frame]:
    """Frames with the stationary shake of the tests."""
    shift = scenes.shake(amplitude_px)
    return (scenes.view(scenes.similarity(*shift(i / fps)), scale=scale) for i in range(round(seconds * fps)))


@section
def invariance(folder: Path) -> Iterator[str]:
    """`robust` on one shake in several encodings, sizes, lengths and frame rates."""
    x264 = {"crf": "18", "preset": "medium"}
    yield "| shake, px a sine | clip | stability | vibration | roll | wobble |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for px in (0.4, 2.0):
        clips = {
            "8 s, 30 fps, lossless": scenes.write(folder / "a.mkv", shaky_frames(px, 30, 8)),
            "H.264 crf 18": scenes.write(folder / "b.mkv", shaky_frames(px, 30, 8), codec="libx264", options=x264),
            "half resolution": scenes.write(folder / "c.mkv", shaky_frames(px, 30, 8, 0.5)),
            "first half": scenes.write(folder / "d.mkv", shaky_frames(px, 30, 4)),
            "60 fps": scenes.write(folder / "e.mkv", shaky_frames(px, 60, 8), fps=60),
            "24 fps": scenes.write(folder / "f.mkv", shaky_frames(px, 24, 8), fps=24),
        }
        for clip, path in clips.items():
            scores = [judge(path)[name] for name in ("stability", "vibration", "roll", "wobble")]
            yield f"| {px:g} | {clip} | " + " | ".join(number(score.value, score.unit) for score in scores) + " |"


@section
def ranking(folder: Path) -> Iterator[str]:
    """Stability of all modes at increasing shake, with a pan in every second clip."""
    modes = ("robust", "dvs", "difrint", "difrint-v0", "nndvs")
    yield "| shake, px a sine | pan, px/s | " + " | ".join(modes) + " |"
    yield "| --- | --- |" + " --- |" * len(modes)
    for grade, amplitude in enumerate(AMPLITUDES_PX):
        pan, shift = PAN_PX_PER_S * (grade % 2), scenes.shake(amplitude)
        cameras = (scenes.similarity(shift(i / 30)[0] + pan * i / 30, shift(i / 30)[1]) for i in range(123))
        clip = scenes.write(folder / f"grade{grade}.mkv", map(scenes.view, cameras))
        values = [number(judge(clip, None if mode == "robust" else clip, mode)["stability"].value) for mode in modes]
        yield f"| {amplitude:g} | {pan:g} | " + " | ".join(values) + " |"


@section
def speed(folder: Path) -> Iterator[str]:
    """Frames per second of `robust` on 640x360 H.264, and peak memory at two lengths."""
    ref_frames = [scenes.view(scenes.similarity(*scenes.shake(3.0)(i / 30), zoom=0.5), (640, 360)) for i in range(60)]
    out_frames = [scenes.view(scenes.similarity(*scenes.shake(1.0)(i / 30), zoom=0.45), (640, 360)) for i in range(60)]
    yield "| run | frames | frames/s | CPU ms per frame | peak MB |"
    yield "| --- | --- | --- | --- | --- |"
    for count in (300, 3000):
        ref = scenes.write(folder / f"r{count}.mp4", (ref_frames[i % 60] for i in range(count)), codec="libx264")
        path = scenes.write(folder / f"o{count}.mp4", (out_frames[i % 60] for i in range(count)), codec="libx264")
        for label, arguments in (("with input", [str(path), str(ref)]), ("alone", [str(path)])):
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.metrics_figures", "_time", *arguments],
                capture_output=True,
                text=True,
                check=True,
                cwd=ROOT,
            )
            wall_s, cpu_s, peak_mb = map(float, done.stdout.split())
            yield f"| {label} | {count} | {count / wall_s:.0f} | {1000 * cpu_s / count:.1f} | {peak_mb:.0f} |"


def _time(paths: list[str]) -> None:
    import metrics.robust.judge  # noqa: F401  # not to measure the import of OpenCV

    wall, cpu = time.perf_counter(), time.process_time()
    judge(paths[0], paths[1])
    status = Path("/proc/self/status").read_text()  # ru_maxrss would include that of the parent process
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(time.perf_counter() - wall, time.process_time() - cpu, peak_mb)


def main() -> None:
    """Print the sections named, or all."""
    if sys.argv[1:2] == ["_time"]:
        _time(sys.argv[2:])
        return
    for name in sys.argv[1:] or SECTIONS:
        print(f"\n#### {name}: {SECTIONS[name].__doc__}\n", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            for line in SECTIONS[name](Path(folder)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
