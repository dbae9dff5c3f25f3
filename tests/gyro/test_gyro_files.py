"""Files that the commands of `gyro` read and write: no input is overwritten, nothing hangs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from gyro.errors import InputError, LogError
from gyro.readers import ReadOptions, find_logs, read_log
from tests.gyro.commandline import CLIPS, LOG_TEXT, Command, process


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    "what, way",
    [
        *product(["video", "log", "lens"], ["itself", "hard link", "symbolic link"]),
        *product(["side file"], ["hard link", "symbolic link"]),  # no side file is named like a picture
    ],
)
def test_a_plot_never_replaces_an_input(tmp_path: Path, command: Command, what: str, way: str) -> None:
    sources = {"video": tmp_path / "v.png", "log": tmp_path / "l.png", "lens": tmp_path / "p.png"}
    shutil.copy(CLIPS / "walk.mp4", sources["video"])
    for name in ("log", "lens"):
        sources[name].write_text(LOG_TEXT)
    sources["side file"] = tmp_path / "v.csv"
    sources["side file"].write_text(LOG_TEXT)
    target = sources[what] if way == "itself" else tmp_path / "target.png"
    if way != "itself":
        (target.hardlink_to if way == "hard link" else target.symlink_to)(sources[what])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    given = [] if what == "side file" else [sources["log"]]
    words = ("gyro", "sync", sources["video"], *given, "--lens", sources["lens"], "--plot", target)
    code, message = command(*words, "--overwrite")
    assert code == 2 and "is the input itself" in message
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.usefixtures("no_work")
def test_existing_files_are_replaced_only_with_overwrite(tmp_path: Path, log: Path, command: Command) -> None:
    precious = [tmp_path / name for name in ("p.png", "p.gcsv", "p.csv", "p.json")]
    for path in precious:
        path.write_text("precious")
    picture, gcsv, path, lens = precious
    for words in (
        ("gyro", "sync", CLIPS / "walk.mp4", "--plot", picture),
        ("gyro", "export", log, "-o", gcsv),
        ("gyro", "export", log, "-o", path),
        ("calibrate", CLIPS / "walk.mp4", "-o", lens),
    ):
        code, message = command(*words)
        assert code == 4 and "already exists" in message
    assert all(path.read_text() == "precious" for path in precious)
    assert command("gyro", "export", log, "-o", gcsv, "-y")[0] == 0
    assert gcsv.read_text().startswith("GYROFLOW")
    assert command("gyro", "export", log, "-o", tmp_path / "no" / "x.csv")[0] == 4


@pytest.mark.usefixtures("no_work")
def test_exports_and_profiles_never_replace_an_input(tmp_path: Path, log: Path, command: Command) -> None:
    (tmp_path / "link.gcsv").hardlink_to(log)
    assert command("gyro", "export", log, "-o", tmp_path / "link.gcsv", "-y")[0] == 2
    assert log.read_text() == LOG_TEXT
    for name in ("board.mp4", "view.png"):
        shutil.copy(CLIPS / "walk.mp4", tmp_path / name)
    for words in (("board.mp4",), ("view.png", "board.mp4"), (".",)):
        target = tmp_path / ("view.png" if words == (".",) else words[-1])
        before = target.read_bytes()
        code, message = command("calibrate", *(tmp_path / word for word in words), "-o", target, "-y")
        assert code == 2 and "is the input itself" in message
        assert target.read_bytes() == before


def test_the_other_files_of_a_log_are_inputs_too(tmp_path: Path, command: Command) -> None:
    (tmp_path / "v_gyro.txt").write_text("".join(f"{i * 2500} 0.1 0.{i % 5} 0.3 0 {i}\n" for i in range(400)))
    (tmp_path / "v_ois.txt").write_text("".join(f"{i} {i % 9} 1 {i * 10_000_000}\n" for i in range(90)))
    (tmp_path / "link.csv").hardlink_to(tmp_path / "v_ois.txt")
    before = (tmp_path / "v_ois.txt").read_bytes()
    assert command("gyro", "export", tmp_path / "v_gyro.txt", "-o", tmp_path / "link.csv", "-y")[0] == 2
    assert (tmp_path / "v_ois.txt").read_bytes() == before


@pytest.mark.parametrize("name", ["playlist.mp4", "hl.m3u8", "v.svg"])
def test_playlists_and_images_are_not_videos(
    tmp_path: Path, log: Path, command: Command, hostile: Callable[[str], Path], name: str
) -> None:
    video, out = hostile(name), tmp_path / "out.csv"
    for words in (
        ("gyro", "sync", video, log),
        ("gyro", "sync", video),
        ("gyro", "export", log, "--video", video, "-o", out),
        ("calibrate", video, "-o", tmp_path / "lens.json"),
        ("gyro", "info", video, "--format", "gpmf"),
    ):
        code, message = command(*words)
        assert code == 3 and ("playlist" in message or "not a readable video" in message), words
    assert not out.exists()


LONG_NAMES = ["x" * 300, "/".join(["y" * 200] * 30)]


@pytest.mark.parametrize("name", [*LONG_NAMES, ".", "/"])
def test_an_impossible_file_name_is_an_input_error(
    tmp_path: Path, log: Path, command: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        ("gyro", "info", name),
        ("gyro", "sync", name),
        ("gyro", "sync", CLIPS / "walk.mp4", name),
        ("gyro", "sync", CLIPS / "walk.mp4", log, "--lens", name),
        ("gyro", "export", name, "-o", "out.csv"),
        *([("calibrate", name, "-o", "lens.json")] if name in LONG_NAMES else []),  # takes a folder
    ):
        code, message = command(*words)
        assert code == 3 and message.count("\n") == 1, words


def test_a_name_too_long_for_side_files(tmp_path: Path) -> None:
    """Names of 255 bytes: names of further files beside them would be too long."""
    video = tmp_path / f"{'v' * 251}.mp4"
    shutil.copy(CLIPS / "walk.mp4", video)
    assert list(find_logs(video)) == []
    phone = tmp_path / f"{'p' * 247}gyro.csv"
    phone.write_text("".join(f"0.1,0.{i % 7},0.3,{10**12 + i * 5_000_000}\n" for i in range(300)))
    assert read_log(phone).accel_m_s2 is None
    dvs = tmp_path / f"{'d' * 246}_gyro.txt"
    dvs.write_text("".join(f"{i * 2500} 0.1 0.{i % 5} 0.3 0 {i}\n" for i in range(400)))
    assert read_log(dvs).format == "dvs"


def test_a_png_is_not_a_video(tmp_path: Path, log: Path, command: Command) -> None:
    cv2.imwrite(str(tmp_path / "v.png"), np.zeros((64, 64), np.uint8))
    assert command("gyro", "sync", tmp_path / "v.png", log)[0] == 3


def test_a_name_that_looks_like_a_url_is_a_file(tmp_path: Path, log: Path) -> None:
    for name in ("http://127.0.0.1:9/v.mp4", "concat:a|b", "rtsp://127.0.0.1/x"):
        with pytest.raises(InputError, match="no such file"):
            read_log(name, ReadOptions(format="gpmf"))


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "folder"])
def test_files_that_are_not_regular_take_no_time_or_memory(tmp_path: Path, log: Path, kind: str) -> None:
    path = Path("/dev/zero") if kind == "/dev/zero" else tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    for words in (("gyro", "info", path, "--format", "delimited"), ("gyro", "sync", CLIPS / "walk.mp4", path)):
        done = process(*words)
        assert done.returncode == 3 and "not a regular file" in done.stderr
    done = process("gyro", "sync", CLIPS / "walk.mp4", log, "--lens", path)
    assert done.returncode == 3 and "not a regular file" in done.stderr


def test_a_pipe_or_a_huge_file_beside_a_log_does_no_harm(tmp_path: Path) -> None:
    head = "#timestamp [ns],w_RS_S_x\n"
    (tmp_path / "data.csv").write_text(head + "".join(f"{i * 5_000_000},1,2,3,4,5,6\n" for i in range(40)))
    with (tmp_path / "sensor.yaml").open("wb") as file:
        file.truncate(1 << 40)
    found = read_log(tmp_path / "data.csv")
    assert len(found.time_s) == 40 and any("not used" in note and "sensor.yaml" in note for note in found.notes)


@pytest.mark.parametrize("reader", ["delimited", "gpmf", "gcsv", "betaflight", "phone", "euroc", "dvs"])
def test_a_file_that_claims_a_terabyte_is_refused_at_once(tmp_path: Path, reader: str) -> None:
    with (tmp_path / "huge_gyro.txt").open("wb") as file:
        file.write(b"DEVC")
        file.truncate(1 << 40)
    with pytest.raises((LogError, InputError)):
        read_log(tmp_path / "huge_gyro.txt", ReadOptions(format=reader))


def test_a_file_of_blank_lines_is_not_a_log(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gyro.readers.table.MAX_LINES", 1000)
    monkeypatch.setattr("gyro.readers.table.CHUNK_BYTES", 1 << 16)
    log.write_text(LOG_TEXT + "\n" * 300_000)
    with pytest.raises(LogError, match="too long for a gyroscope log"):
        read_log(log)
