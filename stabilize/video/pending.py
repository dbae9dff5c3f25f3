"""A file that gets its name only when it is complete."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stabilize.errors import OutputError, UsageError


def check_target(target: Path, source: Path, overwrite: bool) -> None:
    """Refuse a target that is the input under any name, that may not be replaced, or that has no folder to lie in.

    Raises UsageError for the input itself, OutputError for everything else.
    """
    try:
        target.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # a name too long for any file, a folder that may not be entered
        raise OutputError(f"{target}: cannot be written there ({_reason(error)})") from error
    if not target.parent.is_dir():
        raise OutputError(f"{target}: its folder does not exist")
    if target.is_dir():
        raise OutputError(f"{target}: is a folder; give the name of a file")
    if not target.exists():
        return
    if os.path.samefile(target, source):
        raise UsageError(f"{target}: is the input itself; give another name for the output")
    if not overwrite:
        raise OutputError(f"{target}: exists already; choose another name, or allow it to be overwritten")


@contextmanager
def pending_file(target: Path, overwrite: bool) -> Iterator[Path]:
    """A new file beside `target` that is renamed to it at the end, and removed if the body raises anything at all."""
    start = os.fsencode(target.name)[:80].decode(errors="ignore")  # names are limited in bytes
    pending = target.with_name(f".{start}.{secrets.token_hex(4)}.part")
    try:
        # Not mkstemp: the result gets the permissions that any other new file would have.
        os.close(os.open(pending, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise OutputError(f"{target}: cannot be written there ({_reason(error)})") from error
    try:
        yield pending
        _sync(pending)
        if not overwrite and target.exists():
            raise OutputError(f"{target}: was created by someone else in the meantime; it is left as it is")
        os.replace(pending, target)
    except BaseException:
        with suppress(OSError):
            pending.unlink()
        raise


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
