"""Every command with every kind of wrong input: one line, a documented exit code, in time, nothing left behind."""

from __future__ import annotations

import os
import re
import socket
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stabilize.video import clipmaker

DOCUMENTED_CODES = {0, 1, 2, 3, 4, 5, 6}
LOG = "t,gx,gy,gz\n" + "".join(f"{i / 100},0.1,0.2,0.3\n" for i in range(200))


def _png(folder: Path) -> Path:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    path = folder / "image.png"
    header = (32).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    pixels = zlib.compress(bytes(33 * 32))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return path


def _file(name: str, content: str | bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def _special(name: str, make: Callable[[Path], object]) -> Callable[[Path], Path]:
    def make_in(folder: Path) -> Path:
        make(folder / name)
        return folder / name

    return make_in


def _socket(folder: Path) -> str:
    """Relative to the folder, because the path of a socket must be short."""
    previous = Path.cwd()
    os.chdir(folder)
    try:
        socket.socket(socket.AF_UNIX).bind("socket")
    finally:
        os.chdir(previous)
    return "socket"


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>'
INPUTS: dict[str, Callable[[Path], Path | str]] = {
    "folder": _special("folder.mp4", os.mkdir),
    "endless device": lambda _: Path("/dev/zero"),
    "link to a device": _special("link.mp4", lambda p: p.symlink_to("/dev/zero")),
    "pipe": _special("pipe.mp4", os.mkfifo),
    "socket": _socket,
    "empty": _file("empty.mp4", b""),
    "one byte": _file("byte.mp4", b"x"),
    "text": _file("text.txt", "This is no video, no log and no motion.\n" * 50),
    "noise": _file("noise.bin", bytes((i * i * 7919 >> 3) & 255 for i in range(9000))),
    "png": _png,
    "svg": _file("v.svg", SVG),
    "log": _file("log.csv", LOG),
    "playlist": _file("list.m3u8", "#EXTM3U\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n"),
    "missing": lambda f: f / "nowhere.mp4",
    "name too long": lambda f: f / ("n" * 300 + ".mp4"),
    "path too long": lambda f: f / "/".join(["d" * 200] * 30),
    "name with a line break": _file("a\nb\x1b]52;c;AAAA\x07.mp4", "text\n" * 20),
    "name with invalid bytes": _file("a\udcff\udc80.mp4", "text\n" * 20),
    "link to itself": _special("loop.mp4", lambda p: p.symlink_to("loop.mp4")),
    "URL": lambda _: "http://127.0.0.1:9/clip.mp4",
    "file URL": lambda _: "file:///etc/hostname",
    "empty argument": lambda _: "",
    "file of the system without a size": lambda _: "/proc/self/maps",
}
COMMANDS = {
    "run": "run {} -o out.mkv",
    "run gyro": "run clip.mp4 --gyro {} -o out.mkv",
    "run config": "run clip.mp4 --config {} -o out.mkv",
    "run lens": "run clip.mp4 --gyro log.csv --lens {} -o out.mkv",
    "analyse": "analyse {} -o out.npz",
    "render": "render {} --motion clip.npz -o out.mkv",
    "solve": "solve {} -o out.npz",
    "solve video": "solve clip.npz --video {} -o out.npz",
    "render path": "render clip.mp4 --path {} -o out.mkv",
    "render motion": "render clip.mp4 --motion {} -o out.mkv",
    "info": "info {}",
    "metrics": "metrics {} -q",
    "metrics ref": "metrics clip.mp4 --ref {} -q",
    "score": "score {} -o scores --jobs 1 -q",
    "gyro info": "gyro info {}",
    "gyro sync": "gyro sync {} log.csv",
    "gyro sync log": "gyro sync clip.mp4 {}",
    "gyro export": "gyro export {} -o out.gcsv",
    "calibrate": "calibrate {} -o out.json",
}
ALWAYS_TESTED = {
    "folder",
    "endless device",
    "pipe",
    "empty",
    "text",
    "png",
    "missing",
    "name too long",
    "name with a line break",
}
MAY_WORK = {("gyro info", "log"), ("gyro export", "log"), ("run gyro", "log"), ("run lens", "log")}


@pytest.fixture(scope="module")
def valid_files(tmp_path_factory: pytest.TempPathFactory, forked: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    clip = clipmaker.write(folder / "clip.mp4")
    assert forked("analyse", clip, "-o", folder / "clip.npz").code == 0
    (folder / "log.csv").write_text(LOG)
    return folder


@pytest.mark.parametrize("kind", [k if k in ALWAYS_TESTED else pytest.param(k, marks=pytest.mark.slow) for k in INPUTS])
@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_inputs_are_refused(command, kind, valid_files, tmp_path, forked, content):  # noqa: PLR0917 - fixtures
    for name in ("clip.mp4", "clip.npz", "log.csv"):
        (tmp_path / name).hardlink_to(valid_files / name)
    wrong_input = INPUTS[kind](tmp_path)
    before = content(tmp_path)
    words = [wrong_input if word == "{}" else word for word in COMMANDS[command].split()]
    result = forked(*words, cwd=tmp_path, timeout_s=30)
    assert result.code is not None, "it hangs"
    assert result.code in DOCUMENTED_CODES, result.err
    assert (result.code != 0) or (command, kind) in MAY_WORK
    last = result.err.splitlines()[-1:] or [""]
    assert result.code == 0 or last[0].startswith("stabilize: "), result.err
    assert "Traceback" not in result.err and not re.search(r"[^\n -~\u00a1-\uffff]", result.out + result.err)
    assert result.peak_mib < 1024
    after = content(tmp_path)
    if result.code == 0:
        after = {name: state for name, state in after.items() if not name.startswith("out.")}
    assert {name: state for name, state in after.items() if not name.startswith("scores")} == before


@pytest.mark.parametrize("command", ["info {}", "metrics {} -q", "gyro info {}", "calibrate {} -o x.json"])
def test_a_url_is_printed_unchanged(command, cli):
    result = cli(*command.format("http://example.org/a//b.mp4").split())
    assert result.code == 3 and "stabilize: http://example.org/a//b.mp4: only local files are read" in result.err


def test_a_file_whose_name_looks_like_a_url_is_read(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "http:").mkdir()
    clipmaker.write(tmp_path / "http:" / "clip.mp4")
    assert cli("info", "http://clip.mp4").code == 0


@pytest.mark.parametrize("words", [("info", ""), ("run", "x.mp4", "--gyro", ""), ("render", "", "--motion", "m.npz")])
def test_an_empty_argument_is_refused(words, cli):
    result = cli(*words)
    assert result.code == 2 and result.err.startswith("stabilize: an argument is empty ('')")


def test_a_deleted_current_folder_is_reported(tmp_path, monkeypatch, cli):
    (tmp_path / "gone").mkdir()
    clip = clipmaker.write(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = cli("run", clip, "-o", "out.mp4")
    assert result.code == 2 and "the current folder no longer exists" in result.err
