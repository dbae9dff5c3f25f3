"""Arguments after `--` on a benchmark's command line are passed on to `stabilize run`."""

from __future__ import annotations

from collections.abc import Sequence


def split_options(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split at `--`: the benchmark's own arguments, and those for `stabilize run`."""
    words = list(arguments)
    separator = words.index("--") if "--" in words else len(words)
    return words[:separator], words[separator + 1 :]
