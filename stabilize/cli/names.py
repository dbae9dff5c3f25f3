"""What a result is called where the user does not say."""

from __future__ import annotations

from pathlib import Path

from stabilize.video.containers import CONTAINERS, container_of
from stabilize.video.containers import default_output as beside

_TRIED = (".mp4", ".mov", ".mkv")


def default_output(source: Path, codec: str | None) -> Path:
    """`<stem>_stabilized.<ext>` beside the input; another container where the input's cannot hold the codec."""
    target = beside(source)
    if codec is None or codec in container_of(target).video:
        return target
    suffix = next((s for s in _TRIED if codec in CONTAINERS[s].video), target.suffix)
    return target.with_suffix(suffix)
