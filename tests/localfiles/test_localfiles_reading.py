"""Reading: regular files only, at once, and never more than was asked for."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localfiles import ReadError, local_file, read_bytes, read_text

pytestmark = pytest.mark.timeout(60)  # what waits for a pipe or reads /dev/zero would do so for ever


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.csv")
    return folder / "pipe.csv"


def link_to(target: Path):
    def make(folder: Path) -> Path:
        (folder / "link.csv").symlink_to(target)
        return folder / "link.csv"

    return make


def folder(parent: Path) -> Path:
    (parent / "folder.csv").mkdir()
    return parent / "folder.csv"


def loop(folder: Path) -> Path:
    (folder / "loop.csv").symlink_to("loop.csv")
    return folder / "loop.csv"


def empty(folder: Path) -> Path:
    (folder / "empty.csv").touch()
    return folder / "empty.csv"


REFUSED = {
    "endless device": (lambda _: Path("/dev/zero"), "not a regular file"),
    "link to an endless device": (link_to(Path("/dev/zero")), "not a regular file"),
    "silent device": (lambda _: Path("/dev/null"), "not a regular file"),
    "terminal": (lambda _: Path("/dev/tty"), "not a regular file"),
    "pipe": (fifo, "not a regular file"),
    "folder": (folder, "not a regular file"),
    "link in a circle": (loop, "cannot be read"),
    "empty": (empty, "empty"),
    "missing": (lambda f: f / "nowhere.csv", "no such file.*give the path"),
    "name too long": (lambda f: f / ("n" * 300), "name too long"),
    "name that ends in the middle": (lambda _: "a\0b", "null byte"),
    "no name": (lambda _: "", "^'': "),
    "link to nothing": (link_to(Path("/nowhere")), "no such file"),
    "address": (lambda _: "http://example.org/a.mp4", r"^http://example.org/a.mp4: .*only local files are read"),
    "address as a path": (lambda _: Path("https://example.org/a.mp4"), "only local files are read"),
    "a file that has no size": (lambda _: Path("/proc/self/maps"), "empty"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("read", [local_file, lambda p: read_bytes(p, 1000, "log"), lambda p: read_text(p, 9, "log")])
def test_files_that_cannot_be_read_are_refused(read, name, tmp_path):
    make, why = REFUSED[name]
    with pytest.raises(ReadError, match=why):
        read(make(tmp_path))


def test_a_file_replaced_by_a_pipe_does_not_block(tmp_path, monkeypatch):
    """Between the look at a file and its opening another may get its name."""
    path, regular = fifo(tmp_path), Path(__file__).stat()
    with monkeypatch.context() as patch, pytest.raises(ReadError, match="not a regular file"):
        patch.setattr(os, "stat", lambda *_: regular)
        read_bytes(path, 10, "log")


def test_reads_are_bounded_whatever_size_the_file_reports(tmp_path):
    path = tmp_path / "sparse.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    code = (
        "import resource, sys; from localfiles import ReadError, read_bytes\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\n"
        f"try: read_bytes({str(path)!r}, 1 << 20, 'lens')\n"
        "except ReadError as error: sys.exit(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == f"{path}: larger than 1 MiB; that is no lens"


def test_a_small_file_takes_little_memory_at_any_limit(tmp_path):
    path = tmp_path / "small"
    path.write_bytes(b"x" * 3_000_000)
    assert read_bytes(path, 1 << 50, "log") == b"x" * 3_000_000


def test_a_file_that_grows_while_it_is_read_is_bounded(tmp_path):
    path = tmp_path / "grows"
    path.write_bytes(b"x" * 100)
    assert read_bytes(path, 100, "log") == b"x" * 100
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(ReadError, match="larger than 100 bytes; that is no log"):
        read_bytes(path, 100, "log")


STRANGE = [
    "-x.mp4",
    "http:x.mp4",
    "concat:a|b",
    "file:x.mp4",
    "a%d.mp4",
    "pipe:0",
    "\x1b[2J.mp4",
    "a\nb",
    "b\udcff.mp4",
]


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_is_never_an_option_or_a_protocol(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open(name, "wb") as file:
        file.write(b"content")
    found = local_file(name)
    assert found.is_absolute() and os.fspath(found) == os.path.join(os.getcwd(), name)
    assert read_bytes(name, 100, "log") == b"content"


def test_a_link_keeps_its_own_name(tmp_path):
    (tmp_path / "data.bin").write_text("x")
    (tmp_path / "clip.mp4").symlink_to("data.bin")
    assert local_file(tmp_path / "clip.mp4").name == "clip.mp4"


def test_text_is_utf_8_without_the_byte_order_mark(tmp_path):
    path = tmp_path / "t"
    path.write_bytes("\ufeffZürich".encode())
    assert read_text(path, 100, "log") == "Zürich"
    path.write_bytes(b"\xff\xfeZ")
    with pytest.raises(ReadError, match="is not UTF-8 text, and so no log"):
        read_text(path, 100, "log")


def test_no_file_stays_open(tmp_path):
    (tmp_path / "f").write_text("x")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for name, (make, _) in REFUSED.items():
        (tmp_path / name).mkdir()
        with pytest.raises(ReadError):
            local_file(make(tmp_path / name))
        local_file(tmp_path / "f")
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


@given(st.binary(max_size=40), st.integers(0, 40))
def test_a_file_is_read_completely_or_not_at_all(tmp_path_factory, data, limit):
    path = tmp_path_factory.getbasetemp() / "some"
    path.write_bytes(data)
    if 0 < len(data) <= limit:
        assert read_bytes(path, limit, "log") == data
    else:
        with pytest.raises(ReadError):
            read_bytes(path, limit, "log")


def test_a_pipe_with_a_writer_is_refused_too(tmp_path):
    """A pipe somebody writes into is refused as well, and its bytes stay in it."""
    path = fifo(tmp_path)
    writer = threading.Thread(target=lambda: path.write_bytes(b"t,gx,gy,gz\n"), daemon=True)
    writer.start()
    with pytest.raises(ReadError, match="not a regular file"):
        read_bytes(path, 100, "log")
    assert path.read_bytes() == b"t,gx,gy,gz\n"
    writer.join(10)
    assert stat.S_ISFIFO(path.stat().st_mode)
