"""Writing files: beside the target under another name, renamed when whole, never over an input.

While a file is being written its process holds a lock on it. What a killed process left behind has no lock, and the
next write into the same folder removes it.
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
except ImportError:  # Windows: what a killed process leaves there stays
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".stabilize.part"
YOUNG_S = 60.0  # a file that was touched within this time may belong to a process that has not locked it yet
NAME_BYTES = 80  # of the target's name that the temporary one repeats: names are limited in bytes


def check_target(target: PathLike, inputs: Iterable[PathLike], overwrite: bool) -> None:
    """Refuse a target that is one of the inputs under any name, that exists, or that has no folder to lie in.

    Raises SameFileError for an input, WriteError for everything else.
    """
    shown = os.fspath(target) or "''"
    try:
        if not os.fspath(target):
            raise WriteError("'': is no name of a file")
        file = Path(os.path.abspath(target))
        exists = _exists(file)
        if not file.parent.is_dir():
            raise WriteError(f"{shown}: its folder does not exist")
    except (OSError, ValueError) as error:  # a name too long for any file, a folder that may not be entered
        raise WriteError(f"{shown}: cannot be written there ({reason(error)})") from error
    if file.is_dir():
        raise WriteError(f"{shown}: is a folder; give the name of a file")
    if not exists and file.is_symlink():
        raise WriteError(f"{shown}: is a link that leads to no file; remove it or give another name")
    if exists:
        _check_existing(file, shown, inputs, overwrite)
    if not os.access(os.path.dirname(os.path.realpath(file)), os.W_OK | os.X_OK):
        raise WriteError(f"{shown}: cannot be written there (its folder may not be written to)")


def _check_existing(file: Path, shown: str, inputs: Iterable[PathLike], overwrite: bool) -> None:
    if any(_same(file, source) for source in inputs):
        raise SameFileError(f"{shown}: is the input itself; give another name for the output")
    if not file.is_file():
        raise WriteError(f"{shown}: is no regular file; give the name of a new one")
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
    """A new file beside `target` that is renamed to it at the end, and removed if the body raises anything at all.

    Where `target` is a link, it stays one, and what it leads to is replaced. Raises as `check_target`, before the body
    and once more before the file is renamed, and WriteError where the system refuses the file or its new name.
    """
    inputs = tuple(inputs)
    check_target(target, inputs, overwrite)
    file = Path(os.path.realpath(target))
    _remove_abandoned(file.parent)
    start = os.fsencode(file.name)[:NAME_BYTES].decode(errors="ignore")
    pending = file.with_name(f".{start}.{secrets.token_hex(4)}{SUFFIX}")
    with _system_errors(target):
        # Not mkstemp: the result gets the permissions that any other new file would have.
        handle = os.open(pending, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    try:
        _lock(handle)
        yield pending
        check_target(target, inputs, overwrite=True)  # what may not be replaced shows below
        with _system_errors(target):
            os.fsync(handle)
            _give_name(pending, file, overwrite)
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
        said = f"{target}: was created by someone else in the meantime; it is left as it is"
        raise WriteError(said) from error
    except OSError as error:
        raise WriteError(f"{target}: cannot be written there ({reason(error)})") from error


def _give_name(pending: Path, file: Path, overwrite: bool) -> None:
    """Raises FileExistsError where the name is taken and may not be."""
    if overwrite:
        os.replace(pending, file)
        return
    try:
        os.link(pending, file)  # a rename would replace what someone else made a moment ago
    except FileExistsError:
        raise
    except OSError:  # this file system has no second names
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
    except OSError:  # somebody holds it, or this file system has no locks
        return False
    return True


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files that a killed process left: ours by their name, and nobody holds their lock."""
    if fcntl is None:
        return
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(".") and entry.name.endswith(SUFFIX):
                with suppress(OSError):
                    _remove_if_dead(folder / entry.name)


def _remove_if_dead(file: Path) -> None:
    handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(handle)
        ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        if ours and time.time() - status.st_mtime > YOUNG_S and _lock(handle):
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
