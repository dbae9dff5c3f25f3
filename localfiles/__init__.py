"""Untrusted local files, by the same rules for every package: opening a video, bounded reads, writing, text for people.

It knows nothing of video stabilisation, of logs or of scores; `stabilize`, `gyro` and `metrics` turn its errors into
their own.
"""

from localfiles.errors import LocalFileError, ReadError, SameFileError, WriteError
from localfiles.reading import local_file, read_bytes, read_text
from localfiles.writing import check_target, pending_file, write_bytes, write_text

__all__ = [
    "LocalFileError",
    "ReadError",
    "SameFileError",
    "WriteError",
    "check_target",
    "local_file",
    "pending_file",
    "read_bytes",
    "read_text",
    "write_bytes",
    "write_text",
]
