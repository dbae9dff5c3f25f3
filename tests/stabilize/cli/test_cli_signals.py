"""A stop signal at any time ends the program with one line and its exit code; temporary files of killed runs go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.stabilize.cli.result import ROOT

SAMPLE = ROOT / "samples" / "clips" / "walk.mp4"
LOG = ROOT / "samples" / "clips" / "walk.csv"
SUFFIX = ".stabilize.part"
# Writes to a pipe when `stabilize` is first imported; earlier signals are handled by the interpreter.
MARK = """
import os, sys
class Mark:
    def find_spec(self, name, path=None, target=None):
        if name == "stabilize":
            sys.meta_path.remove(self)
            os.write(int(os.environ["MARK"]), b"x")
sys.meta_path.insert(0, Mark())
"""
# The first delay covers the time it takes to import three small files.
DELAYS_S = [0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.17, 0.22, 0.3, 0.4, 0.55, 0.7, 1.0]


def stop_after(delay_s: float, number: signal.Signals, folder: Path, words: list[str]) -> tuple[int, str]:
    """Send a signal to a command line some time after its first line; returns exit code and stderr."""
    (folder / "sitecustomize.py").write_text(MARK)
    read_end, write_end = os.pipe()
    running = subprocess.Popen(
        [sys.executable, "-m", "stabilize", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(folder), "MARK": str(write_end)},
        pass_fds=[write_end],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - a shell's & leaves it ignored
    )
    os.close(write_end)
    assert os.read(read_end, 1) == b"x"
    os.close(read_end)
    time.sleep(delay_s)
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    return running.returncode, err


@pytest.mark.parametrize("delay_s", DELAYS_S)
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["run", str(SAMPLE), "-q"], id="run"),
        pytest.param(["gyro", "sync", str(SAMPLE), str(LOG)], id="gyro sync", marks=pytest.mark.slow),
    ],
)
def test_a_signal_at_any_time_prints_one_line(words, delay_s, tmp_path):
    output = ["-o", str(tmp_path / "out.mp4")] if words[0] == "run" else []
    number = signal.SIGINT if DELAYS_S.index(delay_s) % 2 else signal.SIGTERM
    code, err = stop_after(delay_s, number, tmp_path, words + output)
    assert (code, err) == (128 + number, f"stabilize: stopped by {number.name}; nothing was left behind\n")
    assert [name for name in os.listdir(tmp_path) if "out" in name] == []


@pytest.mark.parametrize("delay_s", [0.02, 0.05, 0.08, 0.11, 0.14, 0.17, 0.2, 0.25])
def test_a_signal_near_the_end_does_no_harm(delay_s, tmp_path):
    """The command is either stopped or complete."""
    code, err = stop_after(delay_s, signal.SIGINT, tmp_path, ["--version"])
    assert (code, err) in ((0, ""), (130, "stabilize: stopped by SIGINT; nothing was left behind\n"))


def test_a_signal_in_a_destructor_is_raised_again(tmp_path):
    code = """
import os, signal, time
from stabilize.cli import signals
class Interrupting:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
try:
    signals.catch()
    instance = Interrupting()
    del instance
    time.sleep(30)
except signals.Interrupted as interrupt:
    raise SystemExit(signals.report(interrupt))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (done.returncode, done.stderr) == (130, "stabilize: stopped by SIGINT; nothing was left behind\n")


def test_an_error_caused_by_a_signal_is_not_an_internal_error(monkeypatch):
    """A library interrupted during its import reports a failed import."""
    from stabilize.cli import boundary, signals

    def interrupted_import() -> None:
        signals._received.append((signal.SIGINT, time.monotonic()))
        raise ImportError("numpy failed to import")

    monkeypatch.setattr("stabilize.cli.app.command", interrupted_import)
    monkeypatch.setattr(signals, "_received", [])
    with pytest.raises(signals.Interrupted):
        boundary.run(["info", "x"])


def temporary_files(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(SUFFIX)]


def slow_run(folder: Path) -> subprocess.Popen[bytes]:
    """A run that has started to write its output and will take a while."""
    words = ["run", str(SAMPLE), "-o", str(folder / "out.mp4"), "-q", "--encoder-preset", "veryslow"]
    words += ["--set", "motion.long_side=64", "--set", "motion.mesh=false", "--set", "gyro.use=off"]
    running = subprocess.Popen([sys.executable, "-m", "stabilize", *words], cwd=ROOT)
    end = time.monotonic() + 60
    while not temporary_files(folder):
        assert time.monotonic() < end and running.poll() is None, "nothing was written"
        time.sleep(0.01)
    return running


def make_old(folder: Path) -> None:
    """Set the modification time of the temporary files to ten minutes ago."""
    for name in temporary_files(folder):
        os.utime(folder / name, (time.time() - 600,) * 2)


def test_the_temporary_file_of_a_killed_run_is_removed_by_the_next_run(tmp_path, clip, process, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    folder = tmp_path / "results"
    folder.mkdir()
    running = slow_run(folder)
    running.kill()
    assert running.wait(60) == -signal.SIGKILL
    assert len(temporary_files(folder)) == 1
    make_old(folder)
    assert process("run", clip, "-o", folder / "other.mp4", "-q").code == 0
    assert os.listdir(folder) == ["other.mp4"]
    assert os.listdir(temporary) == []  # spooled arrays are files without a name


def test_the_temporary_file_of_a_running_process_is_kept(tmp_path, clip, process):
    folder = tmp_path / "results"
    folder.mkdir()
    running = slow_run(folder)
    try:
        running.send_signal(signal.SIGSTOP)  # so that the file does not get a newer modification time
        make_old(folder)
        assert process("analyse", clip, "-o", folder / "other.npz", "-q").code == 0
        assert len(temporary_files(folder)) == 1
    finally:
        running.send_signal(signal.SIGCONT)
    running.terminate()
    assert running.wait(60) == 143
    assert os.listdir(folder) == ["other.npz"]
