"""A video that was probed, open again: for one reader, or for a reader and a writer that share it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from stabilize.errors import InputError
from stabilize.video.probe import MediaInfo
from stabilize.video.source import input_container
from stabilize.video.tracks import PassedTracks


@dataclass(frozen=True, slots=True)
class OpenInput:
    """An open video of which one reader takes the frames, from the beginning and once; the writer of the result gets
    the packets of the other tracks from that reader.
    """

    info: MediaInfo
    """What it was when it was probed, and is still."""
    container: Any
    """PyAV's input container."""
    tracks: PassedTracks = field(default_factory=PassedTracks)
    """What the reader has come by and the writer has not taken yet."""


@contextmanager
def opened(info: MediaInfo) -> Iterator[OpenInput]:
    """A probed video, open. Raises `InputError` if another one has taken its place since."""
    with input_container(info.path) as container:
        kinds = [stream.type or "unknown" for stream in container.streams]
        check_unchanged(info, os.stat(info.path).st_size == info.size_bytes and kinds == [t.kind for t in info.tracks])
        yield OpenInput(info, container)


def check_unchanged(info: MediaInfo, unchanged: bool) -> None:
    """`InputError` unless so."""
    if not unchanged:
        raise InputError(f"{info.path}: was changed or replaced while being worked on; run again when it is whole")
