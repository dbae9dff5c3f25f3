"""What stands after `--` on a benchmark's command line is for `stabilize run`."""

from __future__ import annotations

from collections.abc import Sequence


def split_options(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(the benchmark's own arguments, the rest)."""
    words = list(arguments)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]
