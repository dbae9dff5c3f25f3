"""Outputs, reports and progress of successful commands."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

from stabilize.cli.progress import LINE_INTERVAL_S, Lines, duration
from tests.stabilize.cli.result import ROOT
from tests.stabilize.video import clipmaker, hostile


def frame_count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_run_prints_one_table(clip, cli):
    result = cli("run", clip)
    target = clip.with_name("clip_stabilized.mp4")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0] == str(target)
    assert [line.split()[0] for line in lines[1:]] == ["verdict", "frames", "kept", "shake", "roll", "seconds"]
    assert frame_count(target) == 12


def test_the_json_report(clip, cli):
    result = cli("run", clip, "--json")
    report = json.loads(result.out)
    assert result.err == ""
    assert report["frames"] == 12 and report["source"] == str(clip)
    assert report["verdict"].startswith("no motion could be measured in 100 % of the frames")
    assert list(report["seconds"]) == ["analyse", "gyro", "solve", "render"]
    assert {"crop_kept", "shake_before", "shake_after", "shots", "unmeasured", "warnings", "target"} <= set(report)


def test_quiet_prints_nothing(clip, process):
    result = process("run", clip, "--quiet")
    assert (result.code, result.out, result.err) == (0, "", "")


@pytest.mark.parametrize(
    "name, codec, suffix",
    [
        ("a.mp4", None, ".mp4"),
        ("a.MOV", None, ".MOV"),
        ("a.mp4", "prores", ".mov"),
        ("a.mp4", "ffv1", ".mkv"),
        ("a.mov", "av1", ".mp4"),
        ("a.wmv", None, ".mkv"),
    ],
)
def test_the_default_output_is_beside_the_input_in_a_container_that_can_hold_the_codec(name, codec, suffix):
    from stabilize.cli.names import default_output

    assert default_output(Path("/x") / name, codec) == Path(f"/x/a_stabilized{suffix}")


def test_analyse_and_render_give_the_output_of_run(clip, cli):
    # Lossless, because on processors with AVX-512 x264 does not always encode the same frames to the same bytes.
    motion, run, stages = clip.with_name("m.npz"), clip.with_name("run.mkv"), clip.with_name("stages.mkv")
    report = json.loads(cli("analyse", clip, "-o", motion, "--json").out)
    assert report["frames"] == 12 and sum(report["pairs"].values()) == 11
    assert cli("render", clip, "--motion", motion, "-o", stages, "-q", "--codec", "ffv1").code == 0
    assert cli("run", clip, "-o", run, "-q", "--codec", "ffv1").code == 0
    with av.open(str(run)) as run_output, av.open(str(stages)) as stages_output:
        pairs = zip(run_output.decode(video=0), stages_output.decode(video=0), strict=True)
        assert all((a.to_ndarray() == b.to_ndarray()).all() and a.pts == b.pts for a, b in pairs)


def test_the_default_output_of_analyse_is_not_replaced(clip, cli):
    assert cli("analyse", clip).code == 0
    assert clip.with_name("clip_motion.npz").exists()
    assert cli("analyse", clip).code == 4
    assert cli("analyse", clip, "--overwrite", "-q").code == 0


def test_analyse_warns_of_damage(clip, cli):
    data = bytearray(clip.read_bytes())
    middle = data.index(b"mdat") + 4 + (len(data) - data.index(b"mdat")) // 3
    data[middle : middle + 400] = bytes(400)
    scratched = clip.with_name("scratched.mp4")
    scratched.write_bytes(data)
    assert any("damaged" in warning for warning in json.loads(cli("analyse", scratched, "--json").out)["warnings"])
    assert "damaged" in cli("analyse", scratched, "--overwrite", "-q").err


def test_a_motion_of_another_video_is_refused(clip, cli):
    other = clipmaker.write(clip.with_name("other.mp4"), frames=10)
    motion = clip.with_name("m.npz")
    assert cli("analyse", clip, "-o", motion, "-q").code == 0
    result = cli("render", other, "--motion", motion)
    assert result.code == 5
    assert str(other) in result.err and str(motion) in result.err
    assert not clip.with_name("other_stabilized.mp4").exists()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no archive", b"text"])
def test_files_that_are_not_motions_are_refused(data, clip, cli):
    motion = clip.with_name("m.npz")
    motion.write_bytes(data)
    result = cli("render", clip, "--motion", motion)
    assert result.code == 5 and result.err.count("\n") == 1


def test_info_shows_which_tracks_are_kept(tmp_path, cli):
    path = clipmaker.write(
        tmp_path / "clip.mkv", audio=[{"language": "deu"}], time_base=Fraction(1, 1000), subtitle="subrip"
    )
    report = json.loads(cli("info", path, "-o", tmp_path / "out.mp4", "--json").out)
    assert {t["kind"]: t["kept"] for t in report["tracks"]} == {"audio": True, "subtitle": False}
    assert "subrip" in next(t["reason"] for t in report["tracks"] if not t["kept"])
    assert report["video"]["time_base"] == "1/1000"
    assert report["output"]["codec"] == "h264" and report["output"]["encoder"] == "libx264"
    text = cli("info", path, "-o", tmp_path / "out.mp4").out
    assert "LEFT OUT" in text and "kept" in text and "libx264" in text
    assert os.listdir(tmp_path) == ["clip.mkv"]


def test_output_is_printable_ascii(tmp_path, cli):
    def set_chapter(out, _):
        out.set_chapters(
            [{"id": 1, "start": 0, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": EVIL}}]
        )

    path = clipmaker.write(tmp_path / f"e{EVIL}vil.mkv", time_base=Fraction(1, 1000), setup=set_chapter)
    for words in (["info", path], ["run", path], ["run", path], ["analyse", path], ["info", path, "--json"]):
        result = cli(*words)
        assert not re.search(r"[^\n -~]", result.out + result.err), words


EVIL = "\x1b]0;owned\x07\x1b[31m\u202e[bold]\n"


def test_info_shows_metadata_that_is_not_utf_8(tmp_path, cli):
    report = json.loads(cli("info", hostile.wild_metadata(tmp_path), "--json").out)
    assert any(key.lower() == "title" for key in report["metadata"])


def test_an_unexpected_exception_is_an_internal_error(clip, cli, monkeypatch):
    def broken(*_):
        raise RuntimeError("a\nb")

    monkeypatch.setattr("stabilize.path.solvers.solve_path", broken)
    result = cli("run", clip, "-q")
    assert result.code == 70
    assert (
        result.err == "stabilize: internal error: RuntimeError: a\\nb; run with --debug to see where, and report it\n"
    )
    assert os.listdir(clip.parent) == ["clip.mp4"]
    assert "Traceback" in cli("run", clip, "-q", debug=True).err


@pytest.mark.parametrize("position", [0, 1, 2])
def test_debug_is_allowed_anywhere(position, process):
    words = ["run", "/nowhere.mp4"]
    result = process(*words[:position], "--debug", *words[position:])
    assert result.code == 3
    assert "Traceback" in result.err and result.err.splitlines()[-1].startswith("stabilize: /nowhere.mp4")


@pytest.mark.parametrize("words, code", [(("gyro", "info"), 1), (("metrics",), 3)])
def test_errors_of_other_packages_are_one_line(words, code, tmp_path, cli):
    result = cli(*words, hostile.text(tmp_path))
    assert result.code == code
    assert result.err.count("\n") == 1 and "Traceback" not in result.err


def test_a_broken_pipe_is_not_an_error(clip):
    command = [sys.executable, "-m", "stabilize", "run", str(clip), "--quiet", "--json"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None and running.stderr is not None
    running.stdout.close()
    err = running.stderr.read()
    assert running.wait(60) == 0
    assert err == b""


def test_a_progress_bar_on_a_terminal(clip):
    terminal, stderr = pty.openpty()
    command = [sys.executable, "-m", "stabilize", "run", str(clip)]
    running = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, env=os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    )
    os.close(stderr)
    drawn = b""
    while True:
        try:
            drawn += os.read(terminal, 4096) or b""
        except OSError:  # the other end is closed
            break
    assert running.stdout is not None
    out = running.stdout.read()
    assert running.wait(60) == 0
    assert b"analyse" in drawn and b"render" in drawn
    assert out.startswith(str(clip.with_name("clip_stabilized.mp4")).encode())


def test_a_progress_line_every_few_seconds(capsys):
    now = [0.0]
    lines = Lines(lambda: now[0])
    for frame in range(1, 101):
        now[0] += 0.125
        lines("analyse", frame, 200)
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == int(12.5 / LINE_INTERVAL_S)
    assert printed[0] == "analyse: 40 of 200 frames, 8.0 fps, 0:20 left"


def test_progress_lines_without_a_total(capsys):
    now = [0.0]
    lines = Lines(lambda: now[0])
    lines("render", 1, 0)
    now[0] = LINE_INTERVAL_S
    lines("render", 51, 0)
    assert capsys.readouterr().err == "render: 51 frames, 10.0 fps\n"


def test_durations():
    assert [duration(s) for s in (0, 59.6, 61, 3723)] == ["0:00", "1:00", "1:01", "1:02:03"]
