"""The command starts fast: it imports only what the command needs."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stabilize.cli.result import ROOT

HEAVY = {"cv2", "torch", "scipy", "av", "numpy", "gyro", "metrics", "kornia", "clarabel"}
SCRIPT = """
import sys
from stabilize.cli.boundary import run
try:
    code = run({words!r})
finally:
    print("loaded", *sorted({{m.split(".")[0] for m in sys.modules}}), file=sys.__stdout__)
"""


def loaded(*words: object) -> set[str]:
    """Top-level modules after running a command line in a new process."""
    script = SCRIPT.format(words=[str(w) for w in words])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    last = done.stdout.splitlines()[-1].split()
    assert last[0] == "loaded", done.stderr
    return set(last[1:])


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), (), ("run", "--help"), ("render", "--help"), ("info", "--help")]
)
def test_help_loads_nothing_heavy(words):
    assert not loaded(*words) & HEAVY


@pytest.mark.parametrize(
    "words", [("gyro", "--help"), ("metrics", "--help"), ("score", "--help"), ("calibrate", "--help")]
)
def test_help_of_other_packages_loads_no_libraries(words):
    assert not loaded(*words) & {"cv2", "torch", "scipy", "av", "kornia"}


def test_a_run_never_loads_torch(clip):
    modules = loaded("run", clip, "-q")
    assert "cv2" in modules
    assert not modules & {"torch", "kornia", "gyro.estimate", "metrics"}


def test_help_takes_under_half_a_second_of_processor_time(process):
    def cost() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process("--help").code == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cost() for _ in range(3)) < 0.5


def test_exit_codes_are_in_the_help_and_the_documentation(cli):
    from stabilize import errors

    help_text, document = cli("--help").out, (ROOT / "docs" / "cli.md").read_text()
    codes = {e.exit_code for e in vars(errors).values() if hasattr(e, "exit_code")} | {0, 70, 129, 130, 143}
    for code in codes:
        assert f"{code}" in help_text.split("Exit codes")[1]
        assert f"| {code} |" in document


def installed(program: str) -> list[str]:
    """The script beside this Python, if the project is installed there."""
    script = Path(sys.executable).with_name(program)
    if not script.exists():
        pytest.skip(f"{program} is not installed beside {sys.executable}")
    return [str(script)]


STARTS = [(program, word) for program in ("script", "stabilize") for word in ("gyro", "metrics", "calibrate", "run")]


@pytest.mark.parametrize("program, word", [*STARTS, ("metrics", "judge"), ("metrics", "score")])
def test_files_in_the_current_folder_are_never_run(program, word, tmp_path):
    """A folder of clips may contain an unrelated gyro.py. (`-m metrics` beside a metrics.py does run that one.)"""
    command = installed("stabilize") if program == "script" else [sys.executable, "-m", program]
    for name in {"gyro", "metrics", "localfiles", "stabilize", "samples"} - {program}:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('run from the current folder')\n")
    done = subprocess.run([*command, word, "--help"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert "run from the current folder" not in done.stderr


@pytest.mark.parametrize("program", ["stabilize", "metrics"])
def test_a_clone_runs_its_own_code(program, tmp_path):
    """`python -m` in another clone than the installed one."""
    for package in ("stabilize", "gyro", "metrics", "localfiles"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / program / "cli.py").unlink(missing_ok=True)
    shutil.rmtree(tmp_path / program / "cli", ignore_errors=True)
    (tmp_path / program / "cli.py").write_text("raise SystemExit('the clone')\n")
    done = subprocess.run([sys.executable, "-m", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stderr == "the clone\n"


COMPLETIONS = [
    ("stabilize ", {"run", "analyse", "solve", "render", "info", "metrics", "score", "gyro", "calibrate"}),
    ("stabilize re", {"render"}),
    ("stabilize run --smo", {"--smoothness"}),
    ("stabilize run --preset ", {"handheld", "walk", "action", "drone", "tripod"}),
    ("stabilize gyro ", {"info", "sync", "export"}),
]


@pytest.mark.parametrize("line, completions", COMPLETIONS, ids=lambda v: v if isinstance(v, str) else "")
def test_bash_completion(line, completions, process):
    words = line.split(" ")
    request = {"_STABILIZE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    result = process(env=os.environ | request)
    assert completions <= set(result.out.split())
    assert result.err == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_printed(shell, process):
    variables = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    result = process("--show-completion", shell, env=os.environ | variables)
    assert result.code == 0
    assert "_STABILIZE_COMPLETE" in result.out
