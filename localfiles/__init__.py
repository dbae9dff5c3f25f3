"""Safe access to untrusted local files for all packages: opening videos, bounded reads, atomic writes, clean text.

Independent of the other packages; `stabilize`, `gyro` and `metrics` convert its errors to their own.
"""

from localfiles.errors import LocalFileError, ReadError, SameFileError, WriteError, raise_as
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
    "raise_as",
    "read_bytes",
    "read_text",
    "write_bytes",
    "write_text",
]
