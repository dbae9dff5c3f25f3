"""Whatever is given to the command line, it ends with one line and a documented code, and leaves nothing behind."""

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
from tests.stabilize.cli.ended import ROOT
from tests.stabilize.video import clipmaker, hostile
from tests.stabilize.video.disk import full_beyond

USAGE, INPUT, OUTPUT = 2, 3, 4
SAMPLE = ROOT / "samples" / "clips" / "walk.mp4"


def one_line(text: str) -> bool:
    return text.count("\n") == 1 and text.startswith("stabilize: ") and "Traceback" not in text


@pytest.mark.parametrize("name", hostile.UNREADABLE)
@pytest.mark.parametrize("command", ["run", "info", "analyse"])
def test_an_unreadable_input_is_refused_in_one_line(command, name, tmp_path, cli, content):
    make, why = hostile.UNREADABLE[name]
    path = make(tmp_path)
    before = content(tmp_path)
    ended = cli(command, path)
    assert ended.code == INPUT
    assert one_line(ended.err) and path.name in ended.err
    assert re.search(why, ended.err)
    assert ended.out == ""
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", hostile.READABLE)
def test_what_can_be_saved_is_saved(name, tmp_path, cli, content):
    path = hostile.READABLE[name](tmp_path)
    before = content(tmp_path)
    target = tmp_path / "result.mkv"
    ended = cli("run", path, "-o", target, "--set", "encode.preset=ultrafast", "--codec", "h264", "--quiet")
    assert ended.code == 0, ended.err
    assert ended.out == ""
    assert all(line.startswith("warning: ") for line in ended.err.splitlines()), ended.err
    after = content(tmp_path)
    assert after.pop(target.name)
    assert after == before
    with av.open(str(path), **METADATA_OPTIONS) as given, av.open(str(target), **METADATA_OPTIONS) as made:
        readable = _decodable(given)
        assert len(list(made.decode(video=0))) == readable > 0


def _decodable(container) -> int:
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
    ended = cli("run", hostile.corrupt_middle(tmp_path), "--quiet")
    assert ended.code == 0
    assert re.search(r"warning: damaged frames .* missing: 2", ended.err)


def test_an_existing_result_stays_unless_it_may_be_replaced(clip, cli):
    target = clip.with_name("clip_stabilized.mp4")
    target.write_text("precious")
    ended = cli("run", clip)
    assert ended.code == OUTPUT and one_line(ended.err) and "exists" in ended.err
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
    ended = cli(command, clip, "-o", clip if name == "itself" else target, "--overwrite")
    assert ended.code == USAGE and one_line(ended.err) and "input itself" in ended.err
    assert content(clip.parent) == before


@pytest.fixture
def no_work(monkeypatch):
    """The test fails when the analysis begins."""
    monkeypatch.setattr("stabilize.pipeline.estimate_motion", lambda *_: pytest.fail("worked"))


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
def test_a_target_that_cannot_be_is_refused_before_any_work(target, code, clip, cli, content):
    (clip.parent / "folder.mp4").mkdir()
    before = content(clip.parent)
    ended = cli("run", clip, "-o", clip.parent / target)
    assert ended.code == code and one_line(ended.err)
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
def test_settings_that_do_not_fit_are_refused_before_any_work(words, tmp_path, cli):
    path = clipmaker.write(tmp_path / "clip.mov")
    ended = cli("run", path, *words)
    assert ended.code == USAGE and one_line(ended.err), ended.err
    assert os.listdir(tmp_path) == ["clip.mov"]


def test_a_folder_that_may_not_be_written(clip, cli):
    ended = cli("run", clip, "-o", "/proc/out.mp4")
    assert ended.code == OUTPUT and one_line(ended.err) and "cannot be written" in ended.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(clip, cli):
    clip.chmod(0)
    ended = cli("run", clip)
    assert ended.code == INPUT and one_line(ended.err)


@pytest.mark.parametrize("command", ["run", "analyse"])
def test_a_full_disk_leaves_nothing(command, tmp_path, process, content):
    path = clipmaker.write(tmp_path / "clip.mp4", frames=60, size=(160, 96))
    before = content(tmp_path)
    ended = process(command, path, **full_beyond(2000))
    assert ended.code == OUTPUT
    assert ended.err.splitlines()[-1].startswith("stabilize: ") and "Traceback" not in ended.err
    assert content(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_run_that_is_stopped_leaves_nothing(number, tmp_path, content):
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
        # However long it takes: how fast the machine is was not the question, and pytest ends what hangs.
        while not any(name.endswith(".part") for name in os.listdir(tmp_path)):
            assert running.poll() is None, running.communicate()[1]
            time.sleep(0.02)
        running.send_signal(number)
        running.send_signal(number)  # a nervous finger
        _, err = running.communicate()
    finally:
        running.kill()
    assert running.returncode == 128 + number
    last = err.splitlines()[-1]
    assert last.startswith("stabilize: stopped") and number.name in last and "Traceback" not in err
    assert content(tmp_path) == before


def test_a_signal_that_is_ignored_stays_ignored(clip, process):
    ended = process("run", clip, "-q", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert ended.code == 0
