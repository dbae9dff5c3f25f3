"""Command lines in processes of their own that start at once: forks of one process that has loaded everything.

`python -m tests.fuzz.server` reads requests, a JSON object a line, and answers each with how the process ended.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
LIBRARIES = [
    "stabilize.pipeline",
    "stabilize.cli.boundary",
    "stabilize.cli.commands",
    "stabilize.cli.plan",
    "stabilize.cli.summary",
    "metrics.cli",
    "metrics.judging",
    "gyro.cli",
    "gyro.estimate",
    "gyro.readers",
    "gyro.lens",
]


@dataclass(frozen=True)
class Ended:
    """`code`: exit code, -n where signal n ended it, None where it was still running after `timeout_s`."""

    code: int | None
    out: str
    err: str
    peak_mib: float
    seconds: float


class Server:
    """As a context manager: the process that forks, and a function that asks it."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.server"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def __call__(
        self,
        *words: object,
        cwd: Path = ROOT,
        out: str = "file",
        err: str = "file",
        timeout_s: float = 60.0,
        limits: dict[str, int] | None = None,
        env: dict[str, str] | None = None,
    ) -> Ended:
        """`out`, `err`: "file" is read at the end; "full" disk, "closed", or "gone": a pipe that nobody reads."""
        with tempfile.TemporaryDirectory() as folder:
            asked = {
                "words": [os.fsencode(str(word)).decode("latin-1") for word in words],
                "cwd": os.fspath(cwd),
                "streams": {"1": [out, f"{folder}/out"], "2": [err, f"{folder}/err"]},
                "timeout_s": timeout_s,
                "limits": limits or {},
                "env": env or {},
            }
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
            printed, complaints = (_read(Path(folder) / name) for name in ("out", "err"))
            return Ended(answer["code"], printed, complaints, answer["peak_mib"], answer["seconds"])


def _read(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "backslashreplace") if file.exists() else ""


def serve() -> None:
    """Answer requests until there are no more; in the child of a fork: return, and so end as any program does."""
    from importlib import import_module

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no thread may run while a process forks
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()  # what is loaded stays shared with the children
    answers = os.fdopen(os.dup(1), "wb")
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            answers.close()
            return _child(asked)
        code, peak_kib = _wait(child, asked["timeout_s"])
        seconds = time.monotonic() - started
        answers.write(json.dumps({"code": code, "peak_mib": peak_kib / 1024, "seconds": seconds}).encode() + b"\n")
        answers.flush()
    return None


def _wait(child: int, timeout_s: float) -> tuple[int | None, int]:
    end = time.monotonic() + timeout_s
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            _, _, usage = os.wait4(child, 0)
            return None, usage.ru_maxrss
        time.sleep(0.005)


def _child(asked: dict[str, Any]) -> None:
    os.setsid()
    os.chdir(asked["cwd"])
    os.environ.update(asked["env"])
    if "TMPDIR" in asked["env"]:
        tempfile.tempdir = asked["env"]["TMPDIR"]
    for name, value in asked["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, (kind, path) in asked["streams"].items():
        _STREAMS[kind](int(number), path)
    from stabilize.cli import main

    main([os.fsdecode(word.encode("latin-1")) for word in asked["words"]])


def _onto(number: int, handle: int) -> None:
    os.dup2(handle, number)
    os.close(handle)


def _gone(number: int, _: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    _onto(number, theirs)


_STREAMS: dict[str, Callable[[int, str], None]] = {
    "file": lambda number, path: _onto(number, os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)),
    "full": lambda number, _: _onto(number, os.open("/dev/full", os.O_WRONLY)),
    "closed": lambda number, _: os.close(number),
    "gone": _gone,
}

if __name__ == "__main__":
    serve()
