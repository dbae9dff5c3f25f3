"""`analyse`, `solve` and `render` in a row give the same output as `run`; invalid inputs of each."""

from __future__ import annotations

import hashlib
import json
import shutil
from itertools import islice
from pathlib import Path

import av
import pytest

from tests.stabilize.cli.result import ROOT
from tests.stabilize.video import clipmaker

CLIPS = ROOT.parent / "shared" / "data" / "clips"
WALK = ROOT / "samples" / "clips" / "walk.mp4"


def _planes(path: Path) -> list[tuple[int | None, str]]:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [(f.pts, hashlib.sha256(b"".join(bytes(p) for p in f.planes)).hexdigest()) for f in frames]


def _copy_start(source: Path, target: Path, packets: int, rotation: int) -> Path:
    """Copy the first frames of a clip without encoding, with a display rotation in degrees."""
    if not source.exists():
        pytest.skip(f"{source} is absent")
    with av.open(str(source)) as clip, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(clip.streams.video[0])
        stream.set_display_rotation(-rotation)
        for packet in islice(clip.demux(video=0), packets):
            packet.stream = stream
            out.mux(packet)
    return target


def _check_stages_equal_run(clip, cli, *options: object, log: tuple[object, ...] = ()) -> None:
    motion, path = clip.with_name("m.npz"), clip.with_name("p.npz")
    run, stages = clip.with_name("run.mkv"), clip.with_name("stages.mkv")
    assert cli("run", clip, *log, *options, "-o", run, "-q", "--codec", "ffv1").code == 0
    assert cli("analyse", clip, "-o", motion, "-q").code == 0
    video = ("--video", clip, *log) if log else ()
    assert cli("solve", motion, *video, *options, "-o", path, "-q").code == 0
    assert cli("render", clip, "--path", path, "-o", stages, "-q", "--codec", "ffv1").code == 0
    assert _planes(run) == _planes(stages) != []


def test_a_short_clip(tmp_path, cli):
    _check_stages_equal_run(clipmaker.write(tmp_path / "clip.mp4", frames=12), cli)


@pytest.mark.parametrize("name, rotation", [("rotated180.mp4", 180), ("corridor.mp4", 90)])
def test_a_rotated_clip(name, rotation, tmp_path, cli):
    """Strengths refer to the displayed frame: a path file without the rotation would swap the axes."""
    clip = _copy_start(CLIPS / name, tmp_path / "clip.mp4", 40, rotation)
    assert json.loads(cli("info", clip, "--json").out)["video"]["rotation"] == rotation
    _check_stages_equal_run(clip, cli, "--strength", "x=0,y=1,roll=1")


def test_a_clip_with_a_variable_frame_rate(tmp_path, cli):
    clip = _copy_start(CLIPS / "walkin.m4v", tmp_path / "clip.mkv", 40, 0)  # MP4 refuses equal decoding times
    _check_stages_equal_run(clip, cli)


@pytest.mark.slow
def test_a_path_file_contains_the_rotation_of_the_log(tmp_path, cli):
    clip = Path(shutil.copy(WALK, tmp_path / "clip.mp4"))
    log = Path(shutil.copy(WALK.with_suffix(".csv"), tmp_path / "clip.log.csv"))
    _check_stages_equal_run(clip, cli, log=("--gyro", log))
    shutil.move(log, tmp_path / "gone.csv")
    report = json.loads(
        cli("render", clip, "--path", tmp_path / "p.npz", "-o", tmp_path / "again.mkv", "--json", "--codec", "ffv1").out
    )
    assert report["gyro_used"] and set(report["seconds"]) == {"render"}
    assert _planes(tmp_path / "again.mkv") == _planes(tmp_path / "run.mkv")


@pytest.mark.slow
def test_a_path_of_the_rotation_solver(tmp_path, cli):
    clip = Path(shutil.copy(WALK.with_name("handheld.mp4"), tmp_path / "clip.mp4"))
    log = Path(shutil.copy(WALK.with_name("handheld.csv"), tmp_path / "clip.log.csv"))
    _check_stages_equal_run(clip, cli, "--solver", "rotation", log=("--gyro", log))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rotated180.mp4", "walkin.m4v"])
def test_whole_clips(name, tmp_path, cli):
    if not (CLIPS / name).exists():
        pytest.skip(f"{CLIPS / name} is absent")
    _check_stages_equal_run(Path(shutil.copy(CLIPS / name, tmp_path / name)), cli)


@pytest.fixture
def solved(tmp_path, cli):
    """A folder with clip.mp4, its motion m.npz and its path p.npz."""
    clip = clipmaker.write(tmp_path / "clip.mp4", frames=12)
    assert cli("analyse", clip, "-o", tmp_path / "m.npz", "-q").code == 0
    assert cli("solve", tmp_path / "m.npz", "-o", tmp_path / "p.npz", "-q").code == 0
    return tmp_path


def test_the_report_of_solve(solved, cli):
    report = json.loads(cli("solve", solved / "m.npz", "--json").out)
    assert report["target"] == str(solved / "m_path.npz") and (solved / "m_path.npz").exists()
    assert report["frames"] == 12 and report["gyro_used"] is False and set(report["seconds"]) == {"gyro", "solve"}
    assert {"crop_kept", "shake_before", "shake_after", "warnings"} <= set(report)
    result = cli("solve", solved / "m.npz", "-o", solved / "q.npz")
    assert result.code == 0 and "shake" in result.out and "kept" in result.out
    assert cli("solve", solved / "m.npz", "-o", solved / "q.npz", "-q", "-y").out == ""


def test_the_report_of_render_agrees_with_that_of_solve(solved, cli):
    solve_report = json.loads(cli("solve", solved / "m.npz", "--json").out)
    words = ("--path", solved / "m_path.npz", "-o", solved / "out.mkv", "--json")
    report = json.loads(cli("render", solved / "clip.mp4", *words).out)
    for name in ("frames", "shots", "unmeasured", "crop_kept", "least_crop_kept", "shake_before", "shake_after"):
        assert report[name] == solve_report[name]


REFUSED = {
    "solve": (2, "MOTION"),
    "solve m.npz --gyro log.csv": (1, "not a gyroscope log"),
    "solve clip.mp4": (5, "is not a motion"),
    "solve p.npz": (5, "is not a motion"),
    "solve m.npz -o p.npz": (4, "already exists"),
    "solve m.npz -o m.npz -y": (2, "input itself"),
    "solve m.npz --video other.mp4": (5, "another video"),
    "solve m.npz --solver rotation --lens none.json -o q.npz": (3, "none.json"),
    "render clip.mp4": (2, "--path"),
    "render clip.mp4 --path p.npz --motion m.npz": (2, "give either --path"),
    "render clip.mp4 --path m.npz": (5, "is not a path"),
    "render clip.mp4 --motion p.npz": (5, "is not a motion"),
    "render other.mp4 --path p.npz": (5, "another video"),
    "render clip.mp4 --path p.npz --smoothness 2": (2, "--smoothness has no effect"),
    "render clip.mp4 --path p.npz --set path.max_crop=0.3": (2, "--set path.max_crop=0.3 has no effect"),
    "render clip.mp4 --path p.npz --tripod": (2, "--tripod has no effect"),
    "render clip.mp4 --path p.npz --gyro log.csv": (2, "--gyro has no effect"),
}


@pytest.mark.parametrize("line, expected", REFUSED.items())
def test_invalid_inputs_are_refused_with_the_reason(line, expected, solved, cli, monkeypatch):
    code, message = expected
    clipmaker.write(solved / "other.mp4", frames=10)
    (solved / "log.csv").write_text("t,gx,gy,gz\n")
    monkeypatch.chdir(solved)
    before = sorted(path.name for path in solved.iterdir())
    result = cli(*line.split())
    assert result.code == code and message in result.err and result.err.count("\n") == 1
    assert sorted(path.name for path in solved.iterdir()) == before
