"""Writing files: beside the target under another name, renamed when whole, never over an input.

While a file is being written its process holds a lock on it. What a killed process left behind has no lock, and the
next write into the same folder removes it.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from localfiles.errors import SameFileError, WriteError, reason

try:
    import fcntl
except ImportError:  # Windows: what a killed process leaves there stays
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".stabilize.part"
YOUNG_S = 60.0  # a file that was touched within this time may belong to a process that has not locked it yet
NAME_BYTES = 80  # of the target's name that the temporary one repeats: names are limited in bytes
PathLike = str | os.PathLike[str]


def check_target(target: PathLike, inputs: Iterable[PathLike], overwrite: bool) -> None:
    """Refuse a target that is one of the inputs under any name, that exists, or that has no folder to lie in.

    Raises SameFileError for an input, WriteError for everything else.
    """
    file = Path(target)
    try:
        exists = _exists(file)
    except (OSError, ValueError) as error:  # a name too long for any file, a folder that may not be entered
        raise WriteError(f"{target}: cannot be written there ({reason(error)})") from error
    if not file.absolute().parent.is_dir():
        raise WriteError(f"{target}: its folder does not exist")
    if not os.access(file.absolute().parent, os.W_OK | os.X_OK):
        raise WriteError(f"{target}: cannot be written there (its folder may not be written to)")
    if file.is_dir():
        raise WriteError(f"{target}: is a folder; give the name of a file")
    if not exists:
        return
    if any(_same(file, source) for source in inputs):
        raise SameFileError(f"{target}: is the input itself; give another name for the output")
    if not file.is_file():
        raise WriteError(f"{target}: is no regular file; give the name of a new one")
    if not overwrite:
        raise WriteError(f"{target}: already exists: use --overwrite to replace it, or choose another name")


def _exists(file: Path) -> bool:
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _same(target: Path, source: PathLike) -> bool:
    try:
        return os.path.samefile(target, source)
    except (OSError, ValueError):
        return False


@contextmanager
def pending_file(target: PathLike, inputs: Iterable[PathLike] = (), overwrite: bool = False) -> Iterator[Path]:
    """A new file beside `target` that is renamed to it at the end, and removed if the body raises anything at all.

    Raises as `check_target`, before the body and once more before the file is renamed.
    """
    file, inputs = Path(target), tuple(inputs)
    check_target(file, inputs, overwrite)
    _remove_abandoned(file.absolute().parent)
    start = os.fsencode(file.name)[:NAME_BYTES].decode(errors="ignore")
    pending = file.with_name(f".{start}.{secrets.token_hex(4)}{SUFFIX}")
    try:
        # Not mkstemp: the result gets the permissions that any other new file would have.
        handle = os.open(pending, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    except OSError as error:
        raise WriteError(f"{target}: cannot be written there ({reason(error)})") from error
    try:
        _lock(handle)
        yield pending
        os.fsync(handle)
        if not overwrite and file.exists():
            raise WriteError(f"{target}: was created by someone else in the meantime; it is left as it is")
        check_target(file, inputs, overwrite)
        os.replace(pending, file)
    except BaseException:
        with suppress(OSError):
            pending.unlink()
        raise
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody holds it, or this file system has no locks
        return False
    return True


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files that a killed process left: ours by their name, and nobody holds their lock."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(".") and entry.name.endswith(SUFFIX):
                with suppress(OSError):
                    _remove_if_dead(folder / entry.name)


def _remove_if_dead(file: Path) -> None:
    handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if time.time() - os.fstat(handle).st_mtime > YOUNG_S and _lock(handle):
            file.unlink()
    finally:
        os.close(handle)


def write_bytes(target: PathLike, data: bytes, inputs: Iterable[PathLike] = (), overwrite: bool = False) -> None:
    """Write a whole file or none. Raises as `check_target`, WriteError also where the disk is full."""
    try:
        with pending_file(target, inputs, overwrite) as pending:
            pending.write_bytes(data)
    except OSError as error:
        raise WriteError(f"{target}: cannot be written ({reason(error)})") from error


def write_text(target: PathLike, text: str, inputs: Iterable[PathLike] = (), overwrite: bool = False) -> None:
    """As `write_bytes`, in UTF-8; what is no text (file names may hold stray bytes) is written as an escape."""
    write_bytes(target, text.encode("utf-8", "backslashreplace"), inputs, overwrite)
