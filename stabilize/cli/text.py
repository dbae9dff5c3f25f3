"""What goes to a terminal: strings of files are made harmless. What becomes of it there is the matter of `streams`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from localfiles.text import clean


def say(line: str) -> None:
    """A line on stdout; `line` must be clean."""
    print(line, flush=True)


def complain(line: str) -> None:
    """A line on stderr; `line` must be clean."""
    print(line, file=sys.stderr, flush=True)


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
