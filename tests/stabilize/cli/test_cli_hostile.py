"""Invalid inputs, targets and settings: one line, a documented exit code, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import av
import pytest

from localfiles.videos import METADATA_OPTIONS
from tests.stabilize.cli.result import ROOT
from tests.stabilize.video import clipmaker, hostile
from tests.stabilize.video.disk import full_beyond

USAGE, INPUT, OUTPUT = 2, 3, 4
SAMPLE = ROOT / "samples" / "clips" / "walk.mp4"


def is_one_line(text: str) -> bool:
    return text.count("\n") == 1 and text.startswith("stabilize: ") and "Traceback" not in text


@pytest.mark.parametrize("name", hostile.UNREADABLE)
@pytest.mark.parametrize("command", ["run", "info", "analyse"])
def test_an_unreadable_input_is_refused_in_one_line(command, name, tmp_path, cli, content):
    make, reason = hostile.UNREADABLE[name]
    path = make(tmp_path)
    before = content(tmp_path)
    result = cli(command, path)
    assert result.code == INPUT
    assert is_one_line(result.err) and path.name in result.err
    assert re.search(reason, result.err)
    assert result.out == ""
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", hostile.READABLE)
def test_readable_frames_of_damaged_files_are_kept(name, tmp_path, cli, content):
    path = hostile.READABLE[name](tmp_path)
    before = content(tmp_path)
    target = tmp_path / "result.mkv"
    result = cli("run", path, "-o", target, "--set", "encode.preset=ultrafast", "--codec", "h264", "--quiet")
    assert result.code == 0, result.err
    assert result.out == ""
    assert all(line.startswith("warning: ") for line in result.err.splitlines()), result.err
    after = content(tmp_path)
    assert after.pop(target.name)
    assert after == before
    with av.open(str(path), **METADATA_OPTIONS) as source, av.open(str(target), **METADATA_OPTIONS) as output:
        decodable = _count_decodable(source)
        assert len(list(output.decode(video=0))) == decodable > 0


def _count_decodable(container) -> int:
    count = 0
    packets = container.demux(video=0)
    while True:
        try:
            count += len(next(packets).decode())
        except StopIteration:
            return count
        except av.FFmpegError:
            continue


def test_damage_is_counted_in_a_warning(tmp_path, cli):
    result = cli("run", hostile.corrupt_middle(tmp_path), "--quiet")
    assert result.code == 0
    assert re.search(r"warning: damaged frames .* missing: 2", result.err)


def test_an_existing_output_is_replaced_only_with_overwrite(clip, cli):
    target = clip.with_name("clip_stabilized.mp4")
    target.write_text("precious")
    result = cli("run", clip)
    assert result.code == OUTPUT and is_one_line(result.err) and "exists" in result.err
    assert target.read_text() == "precious"
    assert cli("run", clip, "--overwrite", "-q").code == 0
    assert target.stat().st_size > 100


@pytest.mark.parametrize("command", ["run", "analyse"])
@pytest.mark.parametrize("name", ["itself", "symbolic link", "hard link"])
def test_the_input_is_never_the_output(command, name, clip, cli, content):
    target = clip.with_name("other.mp4")
    {
        "itself": lambda: None,
        "symbolic link": lambda: target.symlink_to(clip),
        "hard link": lambda: target.hardlink_to(clip),
    }[name]()
    before = content(clip.parent)
    result = cli(command, clip, "-o", clip if name == "itself" else target, "--overwrite")
    assert result.code == USAGE and is_one_line(result.err) and "input itself" in result.err
    assert content(clip.parent) == before


@pytest.fixture
def no_work(monkeypatch):
    """The test fails if the analysis starts."""
    monkeypatch.setattr("stabilize.pipeline.estimate_motion", lambda *_: pytest.fail("the analysis has started"))


@pytest.mark.parametrize(
    "target, code",
    [
        ("nowhere/out.mp4", OUTPUT),
        (".", USAGE),
        ("out.txt", USAGE),
        ("out", USAGE),
        ("folder.mp4", OUTPUT),
        ("-.mp4/x.mp4", OUTPUT),
        ("n" * 300 + ".mp4", OUTPUT),
    ],
)
@pytest.mark.usefixtures("no_work")
def test_an_invalid_target_is_refused_before_any_work(target, code, clip, cli, content):
    (clip.parent / "folder.mp4").mkdir()
    before = content(clip.parent)
    result = cli("run", clip, "-o", clip.parent / target)
    assert result.code == code and is_one_line(result.err)
    assert content(clip.parent) == before


@pytest.mark.parametrize(
    "words",
    [
        ("--encoder-preset", "slowest"),
        ("--codec", "vp9", "-o", "out.mov"),
        ("--pix-fmt", "rgb48"),
        ("--crf", "52"),
        ("--max-crop", "2"),
        ("--smoothness", "nan"),
        ("--strength", "z=1"),
        ("--strength", "x=many"),
        ("--set", "path.smoothness=1"),
        ("--set", "nonsense"),
        ("--config", "/nowhere.toml"),
        ("--preset", "boat"),
        ("--nonsense",),
        ("another.mp4",),
    ],
)
@pytest.mark.usefixtures("no_work")
def test_invalid_settings_are_refused_before_any_work(words, tmp_path, cli):
    path = clipmaker.write(tmp_path / "clip.mov")
    result = cli("run", path, *words)
    assert result.code == USAGE and is_one_line(result.err), result.err
    assert os.listdir(tmp_path) == ["clip.mov"]


def test_a_folder_without_write_permission(clip, cli):
    result = cli("run", clip, "-o", "/proc/out.mp4")
    assert result.code == OUTPUT and is_one_line(result.err) and "cannot be written" in result.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_read_permission(clip, cli):
    clip.chmod(0)
    result = cli("run", clip)
    assert result.code == INPUT and is_one_line(result.err)


@pytest.mark.parametrize("command", ["run", "analyse"])
def test_a_full_disk_leaves_no_files(command, tmp_path, process, content):
    path = clipmaker.write(tmp_path / "clip.mp4", frames=60, size=(160, 96))
    before = content(tmp_path)
    result = process(command, path, **full_beyond(2000))
    assert result.code == OUTPUT
    assert result.err.splitlines()[-1].startswith("stabilize: ") and "Traceback" not in result.err
    assert content(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_stopped_run_leaves_no_files(number, tmp_path, content):
    before = content(tmp_path)
    words = ["run", str(SAMPLE), "-o", str(tmp_path / "out.mp4"), "--encoder-preset", "veryslow", "--max-crop", "0.1"]
    words += ["--set", "motion.long_side=64", "--set", "motion.mesh=false", "--interpolation", "lanczos"]
    running = subprocess.Popen(
        [sys.executable, "-m", "stabilize", *words],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - nohup, or a shell's &, leaves it ignored
    )
    try:
        # Without a limit of its own, for slow machines; pytest has a timeout.
        while not any(name.endswith(".part") for name in os.listdir(tmp_path)):
            assert running.poll() is None, running.communicate()[1]
            time.sleep(0.02)
        running.send_signal(number)
        running.send_signal(number)  # a repeated Ctrl-C
        _, err = running.communicate()
    finally:
        running.kill()
    assert running.returncode == 128 + number
    last = err.splitlines()[-1]
    assert last.startswith("stabilize: stopped") and number.name in last and "Traceback" not in err
    assert content(tmp_path) == before


def test_an_ignored_signal_stays_ignored(clip, process):
    result = process("run", clip, "-q", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert result.code == 0
