"""Standard streams that cannot fail in the middle."""

from __future__ import annotations

import os
import subprocess
import sys

GUARDED = "from localfiles import streams; outlet = streams.guard(); print('1 px \u2191', flush=True); "


def test_characters_that_the_stream_cannot_encode_are_escaped() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", GUARDED], capture_output=True, env=environment, check=True)
    assert done.stdout == b"1 px \\u2191\n" and done.stderr == b""


def test_a_full_disk_is_reported_and_a_broken_pipe_is_not() -> None:
    program = GUARDED + "import sys; sys.stderr.write(str(streams.lost(outlet)))"
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, check=True)
    assert b"no space left" in done.stderr
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, check=True)
    finally:
        os.close(writing)
    assert done.stderr == b"None"
