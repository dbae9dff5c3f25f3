"""Writing: all or nothing, never over an input, and nothing is left behind."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localfiles import SameFileError, WriteError, check_target, pending_file, write_bytes, write_text
from localfiles.writing import ABANDONED_MIN_AGE_S, SUFFIX

pytestmark = pytest.mark.timeout(60)
OLD_S = ABANDONED_MIN_AGE_S + 10


def age(file: Path) -> None:
    """As if nobody had touched it for a while."""
    then = time.time() - OLD_S
    os.utime(file, (then, then))


def parts(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.mp4").write_bytes(b"input")
    return tmp_path / "in.mp4"


def hard(file: Path) -> Path:
    file.with_name("hard.mp4").hardlink_to(file)
    return file.with_name("hard.mp4")


def soft(file: Path) -> Path:
    file.with_name("soft.mp4").symlink_to(file.name)
    return file.with_name("soft.mp4")


def through_a_link(file: Path) -> Path:
    file.with_name("way").symlink_to(file.parent, target_is_directory=True)
    return file.parent / "way" / file.name


SAME = {
    "itself": lambda f: f,
    "relative": lambda f: f.name,
    "roundabout": lambda f: f"./x/../{f.name}",
    "symbolic link": soft,
    "hard link": hard,
    "folder that is a link": through_a_link,
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_input_is_never_replaced_under_any_name(overwrite, name, source):
    (source.parent / "x").mkdir()
    target = SAME[name](source)
    before = sorted(os.listdir(source.parent))
    for inputs in ([source], [source.name], ["nowhere", source]):
        with pytest.raises(SameFileError, match="is the input itself"):
            check_target(target, inputs, overwrite)
        with pytest.raises(SameFileError):
            write_bytes(target, b"output", inputs, overwrite)
    assert source.read_bytes() == b"input" and sorted(os.listdir(source.parent)) == before


def test_a_target_that_becomes_the_input_is_not_replaced(source):
    target = source.with_name("out.mp4")
    with pytest.raises(SameFileError), pending_file(target, [source], overwrite=True) as pending:
        pending.write_bytes(b"output")
        target.hardlink_to(source)
    assert source.read_bytes() == b"input" and parts(source.parent) == []


def folder(parent: Path) -> Path:
    (parent / "CASE.mp4").mkdir()
    return parent / "CASE.mp4"


def link_to_folder(parent: Path) -> Path:
    (parent / "link.mp4").symlink_to(folder(parent))
    return parent / "link.mp4"


def fifo(parent: Path) -> Path:
    os.mkfifo(parent / "pipe.mp4")
    return parent / "pipe.mp4"


def dangling(parent: Path) -> Path:
    (parent / "link.mp4").symlink_to("gone.mp4")
    return parent / "link.mp4"


def loop(parent: Path) -> Path:
    (parent / "loop.mp4").symlink_to("loop.mp4")
    return parent / "loop.mp4"


def under_a_file(parent: Path) -> Path:
    (parent / "file").write_text("x")
    return parent / "file" / "out.mp4"


REFUSED = {
    "folder": (folder, "is a folder"),
    "link to a folder": (link_to_folder, "is a folder"),
    "pipe": (fifo, "not a regular file"),
    "device": (lambda _: Path("/dev/null"), "not a regular file"),
    "full device": (lambda _: Path("/dev/full"), "not a regular file"),
    "link to nothing": (dangling, "is a broken link"),
    "link in a circle": (loop, "cannot be written there"),
    "no folder": (lambda p: p / "nowhere" / "out.mp4", "its folder does not exist"),
    "under a file": (under_a_file, "its folder does not exist"),
    "name too long": (lambda p: p / ("n" * 300), "name too long"),
    "zero byte": (lambda p: f"{p}/a\0b", "cannot be written there"),
    "no name": (lambda _: "", "^'': "),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("overwrite", [False, True])
def test_invalid_targets_are_refused(overwrite, name, tmp_path):
    make, why = REFUSED[name]
    target = make(tmp_path)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(WriteError, match=why):
        check_target(target, [], overwrite)
    with pytest.raises(WriteError, match=why):
        write_bytes(target, b"output", [], overwrite)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_deleted_current_folder(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(WriteError, match="cannot be written there"):
        write_bytes("out.mp4", b"x")


def test_an_existing_file_is_replaced_only_with_overwrite(tmp_path):
    target = tmp_path / "out.txt"
    write_text(target, "one")
    with pytest.raises(WriteError, match="already exists: use --overwrite"):
        write_text(target, "two")
    assert target.read_text() == "one"
    write_text(target, "two", overwrite=True)
    assert target.read_text() == "two" and os.listdir(tmp_path) == ["out.txt"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "real.txt").write_text("old")
    link = tmp_path / "out.txt"
    link.symlink_to("disk/real.txt")
    with pytest.raises(WriteError, match="already exists"):
        write_text(link, "new")
    write_text(link, "new", overwrite=True)
    assert link.is_symlink() and (tmp_path / "disk" / "real.txt").read_text() == "new"
    assert os.listdir(tmp_path / "disk") == ["real.txt"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_created_by_another_program_is_not_replaced(links, tmp_path, monkeypatch):
    """At the last moment even: a rename would replace it."""
    target = tmp_path / "out.txt"
    real = os.fsync

    def late(handle: int) -> None:
        real(handle)
        target.write_text("theirs")

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "fsync", late)
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(WriteError, match="created by another program"):
        write_text(target, "ours")
    assert target.read_text() == "theirs" and parts(tmp_path) == []


def test_without_hard_links_the_file_is_renamed(tmp_path, monkeypatch):
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    write_text(tmp_path / "out.txt", "ours")
    assert (tmp_path / "out.txt").read_text() == "ours" and os.listdir(tmp_path) == ["out.txt"]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit, OSError])
def test_an_exception_in_the_body_leaves_no_files(stop, tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(stop), pending_file(target, overwrite=True) as pending:
        pending.write_text("half")
        raise stop
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["out.txt"]


def test_a_full_disk_leaves_no_files(tmp_path):
    code = (
        "import resource, sys; from localfiles import WriteError, write_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        f"try: write_bytes({str(tmp_path / 'out.bin')!r}, bytes(20000))\n"
        "except WriteError as error: sys.exit(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == f"{tmp_path / 'out.bin'}: cannot be written (file too large)"
    assert os.listdir(tmp_path) == []


def test_a_disk_error_at_the_end_leaves_no_files(tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="no space left"), pending_file(tmp_path / "out") as pending:
        pending.write_text("x")
    assert os.listdir(tmp_path) == []


def test_a_folder_without_write_permission_is_refused_before_any_work(tmp_path, monkeypatch):
    """`os.access` stands in: root, who may run this, writes everywhere."""
    monkeypatch.setattr(os, "access", lambda folder, _: os.fspath(folder) != os.fspath(tmp_path))
    with pytest.raises(WriteError, match="no write permission"):
        check_target(tmp_path / "out", [], overwrite=False)


def test_a_file_system_that_accepts_no_files():
    with pytest.raises(WriteError, match="cannot be written there"):
        write_text("/proc/out.txt", "x")


def test_new_files_have_default_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "out", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


STRANGE = ["-x.mp4", "http:x.mp4", "concat:a|b", "\x1b[2J.mp4", "a\nb", "b\udcff.mp4", "n" * 255, "ü" * 127, "%d.png"]


@pytest.mark.parametrize("name", STRANGE)
def test_any_valid_file_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pending_file(name) as pending:
        assert pending.is_absolute() and pending.name.startswith(".")
        pending.write_bytes(b"x")
    assert os.listdir(tmp_path) == [name]


def test_temporary_files_of_killed_processes_are_removed_by_the_next_write(tmp_path):
    code = f"""
import os, signal
from localfiles import pending_file
with pending_file({str(tmp_path / "out")!r}) as pending:
    pending.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    (left,) = parts(tmp_path)
    write_text(tmp_path / "soon", "x")
    assert parts(tmp_path) == [left]  # young: its process might be about to lock it
    age(tmp_path / left)
    write_text(tmp_path / "later", "x")
    assert sorted(os.listdir(tmp_path)) == ["later", "soon"]


def test_a_file_that_is_being_written_is_not_removed(tmp_path):
    with pending_file(tmp_path / "slow") as pending:
        pending.write_text("half")
        age(pending)
        write_text(tmp_path / "other", "x")
        assert pending.exists()
    assert sorted(os.listdir(tmp_path)) == ["other", "slow"]


def test_only_our_temporary_files_are_removed(tmp_path):
    mine = [tmp_path / name for name in (f"visible{SUFFIX}", ".hidden.part", ".stabilize.part.txt", "plain")]
    for file in mine:
        file.write_text("precious")
        age(file)
    other = tmp_path / "elsewhere"
    other.write_text("precious")
    age(other)
    (tmp_path / f".link{SUFFIX}").symlink_to(other)
    os.mkfifo(tmp_path / f".pipe{SUFFIX}")
    (tmp_path / f".folder{SUFFIX}").mkdir()
    before = sorted(os.listdir(tmp_path))
    write_text(tmp_path / "out", "x")
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "out"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_files_of_other_users_are_not_removed(tmp_path):
    file = tmp_path / f".x{SUFFIX}"
    file.write_text("theirs")
    os.chown(file, 12345, 12345)
    age(file)
    write_text(tmp_path / "out", "x")
    assert file.exists()


def test_no_file_stays_open(tmp_path):
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft < 1 << 20
    for number in range(20):
        write_text(tmp_path / f"{number}", "x")
    held = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    assert not [path for path in held if path.startswith(str(tmp_path))]


def test_invalid_bytes_are_escaped(tmp_path):
    write_text(tmp_path / "out", "a\udcffb")
    assert (tmp_path / "out").read_bytes() == b"a\\udcffb"
