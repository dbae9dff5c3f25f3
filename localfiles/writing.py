"""Write files atomically: to a temporary file beside the target, renamed when complete, never over an input.

A process holds a lock on its temporary file while writing. Temporary files of killed processes have no lock; the next
write into the same folder removes them.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from localfiles.errors import SameFileError, WriteError, reason
from localfiles.reading import PathLike

try:
    import fcntl
except ImportError:  # Windows: temporary files of killed processes remain
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".stabilize.part"
ABANDONED_MIN_AGE_S = 60.0  # a younger file may belong to a process that has not locked it yet
TEMPORARY_NAME_BYTES = 80  # length of the target's name in the temporary one; file names are limited in bytes


def check_target(target: PathLike, inputs: Iterable[PathLike], overwrite: bool) -> None:
    """Refuse a target that is one of the inputs under any name, that already exists, or whose folder does not exist.

    Raises SameFileError for an input, WriteError for everything else.
    """
    shown = os.fspath(target) or "''"
    try:
        if not os.fspath(target):
            raise WriteError("'': is not a file name")
        file = Path(os.path.abspath(target))
        exists = _exists(file)
        if not file.parent.is_dir():
            raise WriteError(f"{shown}: its folder does not exist")
    except (OSError, ValueError) as error:  # a name too long for any file, a folder that may not be entered
        raise WriteError(f"{shown}: cannot be written there ({reason(error)})") from error
    if file.is_dir():
        raise WriteError(f"{shown}: is a folder; give a file name")
    if not exists and file.is_symlink():
        raise WriteError(f"{shown}: is a broken link; remove it or choose another name")
    if exists:
        _check_existing(file, shown, inputs, overwrite)
    if not os.access(os.path.dirname(os.path.realpath(file)), os.W_OK | os.X_OK):
        raise WriteError(f"{shown}: cannot be written there (no write permission for its folder)")


def _check_existing(file: Path, shown: str, inputs: Iterable[PathLike], overwrite: bool) -> None:
    if any(_same(file, source) for source in inputs):
        raise SameFileError(f"{shown}: is the input itself; choose another name for the output")
    if not file.is_file():
        raise WriteError(f"{shown}: is not a regular file; choose another name")
    if not overwrite:
        raise WriteError(f"{shown}: already exists: use --overwrite to replace it, or choose another name")


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
    """Yield a new file beside `target` that is renamed to it at the end, or removed if the body raises.

    If `target` is a link, the file it points to is replaced. Raises like `check_target`, before the body and again
    before the file is renamed, and WriteError if the system refuses the file or its new name.
    """
    inputs = tuple(inputs)
    check_target(target, inputs, overwrite)
    file = Path(os.path.realpath(target))
    _remove_abandoned(file.parent)
    start = os.fsencode(file.name)[:TEMPORARY_NAME_BYTES].decode(errors="ignore")
    pending = file.with_name(f".{start}.{secrets.token_hex(4)}{SUFFIX}")
    with _system_errors(target):
        # Not mkstemp: the result gets the default permissions of a new file.
        handle = os.open(pending, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    try:
        _lock(handle)
        yield pending
        check_target(target, inputs, overwrite=True)  # an existing file is refused below
        with _system_errors(target):
            os.fsync(handle)
            _rename(pending, file, overwrite)
    except BaseException:
        with suppress(OSError):
            pending.unlink()
        raise
    finally:
        os.close(handle)


@contextmanager
def _system_errors(target: PathLike) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        message = f"{target}: was created by another program in the meantime; it was not replaced"
        raise WriteError(message) from error
    except OSError as error:
        raise WriteError(f"{target}: cannot be written there ({reason(error)})") from error


def _rename(pending: Path, file: Path, overwrite: bool) -> None:
    """Rename the temporary file to its target. Raises FileExistsError if that exists and `overwrite` is off."""
    if overwrite:
        os.replace(pending, file)
        return
    try:
        os.link(pending, file)  # unlike a rename, this never replaces an existing file
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system
        if os.path.lexists(file):
            raise FileExistsError(file) from None
        os.replace(pending, file)
    else:
        pending.unlink()


def _lock(handle: int) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked by another process, or no locks on this file system
        return False
    return True


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files of killed processes: named like ours and not locked."""
    if fcntl is None:
        return
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(".") and entry.name.endswith(SUFFIX):
                with suppress(OSError):
                    _remove_if_abandoned(folder / entry.name)


def _remove_if_abandoned(file: Path) -> None:
    handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(handle)
        ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if ours and time.time() - status.st_mtime > ABANDONED_MIN_AGE_S and _lock(handle):
            file.unlink()
    finally:
        os.close(handle)


def write_bytes(target: PathLike, data: bytes, inputs: Iterable[PathLike] = (), overwrite: bool = False) -> None:
    """Write a complete file or nothing. Raises like `check_target`, and WriteError if the disk is full."""
    try:
        with pending_file(target, inputs, overwrite) as pending:
            pending.write_bytes(data)
    except OSError as error:
        raise WriteError(f"{target}: cannot be written ({reason(error)})") from error


def write_text(target: PathLike, text: str, inputs: Iterable[PathLike] = (), overwrite: bool = False) -> None:
    """Like `write_bytes`, in UTF-8. Characters that cannot be encoded (invalid bytes of names) become escapes."""
    write_bytes(target, text.encode("utf-8", "backslashreplace"), inputs, overwrite)
