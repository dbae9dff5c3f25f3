"""`localfiles.videos` with the errors of this package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from localfiles import videos
from localfiles.videos import is_cover
from stabilize.errors import file_errors

__all__ = ["check_size", "input_container", "is_cover", "open_input", "pick_video"]

open_input = file_errors()(videos.open_video)
pick_video = file_errors()(videos.pick_video)
check_size = file_errors()(videos.check_size)


@contextmanager
def input_container(path: str | os.PathLike[str]) -> Iterator[Any]:
    """`open_input`, closed at the end."""
    with open_input(path) as container:
        yield container
