"""Opening a video: `localfiles.videos` with the errors of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

from gyro.errors import InputError, file_errors
from localfiles.videos import open_video, pick_video


@contextmanager
def opened(path: Path | str) -> Iterator[Any]:
    """The container of a local video, closed at the end. Raises InputError where it cannot be opened or decoded, also
    for what FFmpeg says inside the block."""
    with file_errors():
        container = open_video(path)
    try:
        with container:
            yield container
    except (av.FFmpegError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be decoded ({error})") from error


@file_errors()
def picture(container: Any, path: Path | str) -> Any:
    """The stream of pictures to work on, without frame threads: those can deadlock where decoding stops early."""
    stream = pick_video(container, path)
    stream.thread_type = "SLICE"
    return stream
