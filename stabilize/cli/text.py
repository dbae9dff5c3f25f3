"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from localfiles.terminal import say


def say_table(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Two columns under a title; equal labels one after the other are shown once."""
    rows = list(rows)
    width = max((len(label) for label, _ in rows), default=0)
    say(title)
    before = None
    for label, value in rows:
        say(f"  {'' if label == before else label:<{width}}  {value}")
        before = label
