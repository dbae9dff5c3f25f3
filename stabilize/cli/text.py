"""What goes to a terminal: strings of files are made harmless, and a reader who left is no error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from localfiles.text import clean


def say(line: str) -> None:
    """A line on stdout; `line` must be clean."""
    _write(sys.stdout, line)


def complain(line: str) -> None:
    """A line on stderr; `line` must be clean."""
    _write(sys.stderr, line)


def say_json(value: Any) -> None:
    """A value on stdout for programs: ASCII, so that what files say cannot reach the terminal unescaped."""
    say(json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False, default=str))


def say_table(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Two columns under a title; equal labels one after the other are shown once."""
    rows = list(rows)
    width = max((len(label) for label, _ in rows), default=0)
    say(clean(title))
    before = None
    for label, value in rows:
        say(f"  {'' if label == before else label:<{width}}  {clean(value)}")
        before = label


def _write(stream: TextIO, line: str) -> None:
    try:
        stream.write(line.encode(stream.encoding or "utf-8", "backslashreplace").decode(stream.encoding or "utf-8"))
        stream.write("\n")
        stream.flush()
    except BrokenPipeError:
        mute(stream)


def mute(stream: TextIO) -> None:
    """Send what is still to come to nowhere; else the interpreter complains of the broken pipe at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
