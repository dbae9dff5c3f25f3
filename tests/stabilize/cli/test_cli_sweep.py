"""Every command with every kind of thing that is not what it wants: one line, a documented code, in time, no trace."""

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

DOCUMENTED = {0, 1, 2, 3, 4, 5, 6}
LOG = "t,gx,gy,gz\n" + "".join(f"{i / 100},0.1,0.2,0.3\n" for i in range(200))


def _png(folder: Path) -> Path:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    path = folder / "picture.png"
    head = (32).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    pixels = zlib.compress(bytes(33 * 32))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return path


def _written(name: str, content: str | bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def _made(name: str, make: Callable[[Path], object]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        make(folder / name)
        return folder / name

    return build


def _socket(folder: Path) -> str:
    """Its name is given relative to the folder: those of sockets must be short."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        socket.socket(socket.AF_UNIX).bind("socket")
    finally:
        os.chdir(before)
    return "socket"


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>'
KINDS: dict[str, Callable[[Path], Path | str]] = {
    "folder": _made("folder.mp4", os.mkdir),
    "endless device": lambda _: Path("/dev/zero"),
    "link to a device": _made("link.mp4", lambda p: p.symlink_to("/dev/zero")),
    "pipe": _made("pipe.mp4", os.mkfifo),
    "socket": _socket,
    "empty": _written("empty.mp4", b""),
    "one byte": _written("byte.mp4", b"x"),
    "text": _written("text.txt", "This is no video, no log and no motion.\n" * 50),
    "noise": _written("noise.bin", bytes((i * i * 7919 >> 3) & 255 for i in range(9000))),
    "png": _png,
    "svg": _written("v.svg", SVG),
    "log": _written("log.csv", LOG),
    "playlist": _written("list.m3u8", "#EXTM3U\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n"),
    "missing": lambda f: f / "nowhere.mp4",
    "name too long": lambda f: f / ("n" * 300 + ".mp4"),
    "path too long": lambda f: f / "/".join(["d" * 200] * 30),
    "name with a line break": _written("a\nb\x1b]52;c;AAAA\x07.mp4", "text\n" * 20),
    "name with stray bytes": _written("a\udcff\udc80.mp4", "text\n" * 20),
    "link in a circle": _made("loop.mp4", lambda p: p.symlink_to("loop.mp4")),
    "address": lambda _: "http://127.0.0.1:9/clip.mp4",
    "other address": lambda _: "file:///etc/hostname",
    "nothing": lambda _: "",
    "zero file of the system": lambda _: "/proc/self/maps",
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
OFTEN = {
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
def things(tmp_path_factory: pytest.TempPathFactory, forked: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    clip = clipmaker.write(folder / "clip.mp4")
    assert forked("analyse", clip, "-o", folder / "clip.npz").code == 0
    (folder / "log.csv").write_text(LOG)
    return folder


@pytest.mark.parametrize("kind", [k if k in OFTEN else pytest.param(k, marks=pytest.mark.slow) for k in KINDS])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_not_wanted_is_refused(command, kind, things, tmp_path, forked, content):  # noqa: PLR0917 - fixtures
    for name in ("clip.mp4", "clip.npz", "log.csv"):
        (tmp_path / name).hardlink_to(things / name)
    thing = KINDS[kind](tmp_path)
    before = content(tmp_path)
    words = [thing if word == "{}" else word for word in COMMANDS[command].split()]
    ended = forked(*words, cwd=tmp_path, timeout_s=30)
    assert ended.code is not None, "it hangs"
    assert ended.code in DOCUMENTED, ended.err
    assert (ended.code != 0) or (command, kind) in MAY_WORK
    last = ended.err.splitlines()[-1:] or [""]
    assert ended.code == 0 or last[0].startswith("stabilize: "), ended.err
    assert "Traceback" not in ended.err and not re.search(r"[^\n -~\u00a1-\uffff]", ended.out + ended.err)
    assert ended.peak_mib < 1024
    after = content(tmp_path)
    if ended.code == 0:
        after = {name: state for name, state in after.items() if not name.startswith("out.")}
    assert {name: state for name, state in after.items() if not name.startswith("scores")} == before


@pytest.mark.parametrize("command", ["info {}", "metrics {} -q", "gyro info {}", "calibrate {} -o x.json"])
def test_an_address_is_shown_whole(command, cli):
    ended = cli(*command.format("http://example.org/a//b.mp4").split())
    assert ended.code == 3 and "stabilize: http://example.org/a//b.mp4: only local files are read" in ended.err


def test_a_file_whose_name_is_an_address_is_a_file(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "http:").mkdir()
    clipmaker.write(tmp_path / "http:" / "clip.mp4")
    assert cli("info", "http://clip.mp4").code == 0


@pytest.mark.parametrize("words", [("info", ""), ("run", "x.mp4", "--gyro", ""), ("render", "", "--motion", "m.npz")])
def test_an_empty_word_is_shown_as_one(words, cli):
    ended = cli(*words)
    assert ended.code == 2 and ended.err.startswith("stabilize: '' stands where a name or a value belongs")


def test_a_folder_that_is_gone_is_told(tmp_path, monkeypatch, cli):
    (tmp_path / "gone").mkdir()
    clip = clipmaker.write(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    ended = cli("run", clip, "-o", "out.mp4")
    assert ended.code == 2 and "the current folder does not exist any more" in ended.err
