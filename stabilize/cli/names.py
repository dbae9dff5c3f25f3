"""Default name of the output."""

from __future__ import annotations

from pathlib import Path

from stabilize.video import containers

_FALLBACK_SUFFIXES = (".mp4", ".mov", ".mkv")


def default_output(source: Path, codec: str | None) -> Path:
    """Return `<stem>_stabilized.<ext>` beside the input, in another container if the input's cannot hold the codec."""
    target = containers.default_output(source)
    if codec is None or codec in containers.container_of(target).video:
        return target
    suffix = next((s for s in _FALLBACK_SUFFIXES if codec in containers.CONTAINERS[s].video), target.suffix)
    return target.with_suffix(suffix)
