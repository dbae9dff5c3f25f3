"""Reopen a probed video, for one reader, or for a reader and a writer that share it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from stabilize.errors import InputError
from stabilize.video.probe import MediaInfo
from stabilize.video.source import open_container
from stabilize.video.tracks import PassedTracks


@dataclass(frozen=True, slots=True)
class OpenInput:
    """An open video. One reader reads it once from the beginning and passes packets of other tracks to the writer."""

    info: MediaInfo
    """Result of `probe`, which still holds."""
    container: Any
    """PyAV's input container."""
    tracks: PassedTracks = field(default_factory=PassedTracks)
    """Packets of other tracks that wait for the writer."""


@contextmanager
def reopen(info: MediaInfo) -> Iterator[OpenInput]:
    """Open a probed video again. Raises `InputError` if the file has changed since."""
    with open_container(info.path) as container:
        kinds = [stream.type or "unknown" for stream in container.streams]
        check_unchanged(info, os.stat(info.path).st_size == info.size_bytes and kinds == [t.kind for t in info.tracks])
        yield OpenInput(info, container)


def check_unchanged(info: MediaInfo, unchanged: bool) -> None:
    """Raise `InputError` if the file has changed since it was probed."""
    if not unchanged:
        raise InputError(f"{info.path}: changed or replaced while it was processed; run again when it is complete")
