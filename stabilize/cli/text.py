"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from localfiles.terminal import say


def say_table(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Print two columns under a title. A label that repeats the one above is not printed."""
    rows = list(rows)
    width = max((len(label) for label, _ in rows), default=0)
    say(title)
    previous = None
    for label, value in rows:
        say(f"  {'' if label == previous else label:<{width}}  {value}")
        previous = label
