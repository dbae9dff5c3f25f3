"""Mutants through the command line: what must hold of every run, whatever the file is."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from random import Random

from . import mutants, seeds
from .server import Ended, Server

DOCUMENTED = {0, 1, 2, 3, 4, 5, 6}
PEAK_MIB = 1024
TIMEOUT_S = 90.0
FAST = "--codec h264 --set encode.preset=ultrafast"
VIDEO = (f"run {{}} -o out.mkv {FAST}",) * 5 + (
    f"run {{}} -o out.mp4 {FAST} --json",
    "info {} --json",
    "analyse {} -o out.npz",
    "metrics {} --json",
    "metrics plain.mp4 --ref {} --csv out.csv",
    "gyro sync {} log.csv",
)
LOG = (
    "gyro info {}",
    "gyro info {} --json",
    "gyro export {} -o out.gcsv",
    f"run plain.mp4 --gyro {{}} -o out.mkv {FAST}",
)
MOTION = (f"render plain.mp4 --motion {{}} -o out.mkv {FAST}", "solve {} -o out.npz")
PATH = (f"render plain.mp4 --path {{}} -o out.mkv {FAST}",)
SETTINGS = ("run plain.mp4 --config {} -o out.mkv --set encode.preset=ultrafast", "run --print-config --config {}")
# Seed names in the proportion in which they are tried.
MIX = (
    [*seeds.VIDEOS] * 2
    + ["log.csv", "log.gcsv", "phone.csv", "log.raw"] * 2
    + ["motion.npz"] * 4
    + ["path.npz"] * 2
    + ["settings.toml"] * 2
)


@dataclass(frozen=True)
class Failure:
    """What did not hold of mutant `number`, its command line, and how it ended."""

    number: int
    words: tuple[str, ...]
    reasons: tuple[str, ...]
    ended: Ended


@dataclass
class Campaign:
    """Mutants 0 to count - 1 of a seed, or those in `only`; failing ones are copied to `keep`."""

    seed: int
    count: int = 300
    only: tuple[int, ...] = ()
    keep: Path | None = None
    jobs: int = 2
    sound: dict[str, bytes] = field(default_factory=dict)
    codes: dict[int | None, int] = field(default_factory=dict)

    def failures(self) -> Iterator[Failure]:
        """Run them all."""
        servers: SimpleQueue[Server] = SimpleQueue()
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, ThreadPoolExecutor(self.jobs) as pool:
            started = [Server() for _ in range(self.jobs)]
            for server in started:
                servers.put(server.__enter__())
            try:
                self._prepare(Path(folder), started[0])
                work = [
                    pool.submit(self._try, number, Path(folder), servers) for number in self.only or range(self.count)
                ]
                for one in work:
                    failure = one.result()
                    if failure is not None:
                        yield failure
            finally:
                pool.shutdown(cancel_futures=True)
                for server in started:
                    server.__exit__()

    def _prepare(self, folder: Path, server: Server) -> None:
        made = seeds.make(folder / "seeds")
        motion = folder / "seeds" / "motion.npz"
        ended = server("analyse", made["a.mp4"], "-o", motion)
        assert ended.code == 0, ended
        path = folder / "seeds" / "path.npz"
        ended = server("solve", motion, "-o", path)
        assert ended.code == 0, ended
        self.sound = {file.name: file.read_bytes() for file in [*made.values(), motion, path]}

    def _try(self, number: int, parent: Path, servers: SimpleQueue[Server]) -> Failure | None:
        folder = parent / str(number)
        (folder / "tmp").mkdir(parents=True)
        words = self._mutant(number, folder)
        before = _state(folder)
        server = servers.get()
        try:
            ended = server(*words, cwd=folder, timeout_s=TIMEOUT_S, env={"TMPDIR": str(folder / "tmp")})
        finally:
            servers.put(server)
        self.codes[ended.code] = self.codes.get(ended.code, 0) + 1
        reasons = tuple(_broken(ended, before, _state(folder)))
        if reasons and self.keep is not None:
            shutil.copytree(folder, self.keep / f"{self.seed}-{number}", dirs_exist_ok=True)
        shutil.rmtree(folder)
        return Failure(number, words, reasons, ended) if reasons else None

    def _mutant(self, number: int, folder: Path) -> tuple[str, ...]:
        """Write the mutant and what its command needs beside it; returns the command's words."""
        rng = Random(f"{self.seed} {number}")
        name = rng.choice(MIX)
        mutant = f"mutant{Path(name).suffix}"
        (folder / mutant).write_bytes(mutants.damaged(rng, name, self.sound[name]))
        (folder / "plain.mp4").write_bytes(self.sound["a.mp4"])
        (folder / "log.csv").write_bytes(self.sound["log.csv"])
        npz = PATH if name == "path.npz" else MOTION
        kinds = {".npz": npz, ".toml": SETTINGS} | dict.fromkeys((".csv", ".gcsv", ".raw"), LOG)
        return tuple(rng.choice(kinds.get(Path(name).suffix, VIDEO)).format(mutant).split())


def _state(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _broken(ended: Ended, before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    """Why a run is not as it must be."""
    if ended.code is None:
        yield f"still running after {TIMEOUT_S:.0f} s"
    elif ended.code < 0:
        yield f"ended by signal {-ended.code}"
    elif ended.code not in DOCUMENTED:
        yield f"exit code {ended.code}"
    if "Traceback" in ended.err:
        yield "a traceback"
    if ended.peak_mib > PEAK_MIB:
        yield f"took {ended.peak_mib:.0f} MiB"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", ended.out + ended.err):
        yield "control characters on the terminal"
    if ended.code not in (0, None) and not ended.err:
        yield "not a word of what was wrong"
    yield from _traces(ended, before, after)


def _traces(ended: Ended, before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    changed = [name for name, state in before.items() if after.get(name) != state]
    if changed:
        yield f"changed {', '.join(changed)}"
    new = [name for name in after if name not in before]
    expected = {"out.mkv", "out.mp4", "out.npz", "out.csv", "out.gcsv"} if ended.code == 0 else set()
    left = sorted({os.fspath(name) for name in new} - expected)
    if left:
        yield f"left {', '.join(left)}"
