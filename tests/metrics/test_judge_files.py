"""Nothing is lost: what `metrics` and `score` write, what they refuse to write over, and where their output goes."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from metrics.__main__ import app
from metrics.errors import MetricsError

USAGE, INPUT, OUTPUT = 2, 3, 4
ROOT = Path(__file__).parents[2]


def run(*words: object) -> tuple[int, str]:
    """Exit code of a command line in this process, and its error."""
    done = CliRunner().invoke(app(), [str(word) for word in words])
    if isinstance(done.exception, MetricsError):
        return done.exception.exit_code, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr


def process(*words: object, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stabilize", *map(str, words)]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    return subprocess.run(command, text=True, check=False, cwd=ROOT, timeout=120, **given)


def content(folder: Path) -> dict[str, str]:
    """Name and hash of every file, the targets of links."""
    return {
        str(p.relative_to(folder)): f"-> {p.readlink()}"
        if p.is_symlink()
        else hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_symlink() or p.is_file()
    }


@pytest.fixture
def pair(walk_before: Path, tmp_path: Path) -> tuple[Path, Path]:
    """An output and its input, of the same frames, in a folder of their own."""
    out, ref = tmp_path / "out.mkv", tmp_path / "in.mkv"
    for path in (out, ref):
        path.write_bytes(walk_before.read_bytes())
    return out, ref


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test fails when a frame is judged."""
    monkeypatch.setattr("metrics.judging._judged", lambda *_: pytest.fail("worked"))
    monkeypatch.setattr("metrics.dataset.run.score_dataset", lambda *_: pytest.fail("worked"))


@pytest.mark.parametrize("option", ["--csv", "--report"])
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", ["itself", "symbolic link", "hard link"])
@pytest.mark.usefixtures("no_work")
def test_a_judged_video_is_never_replaced(option: str, which: int, name: str, pair: tuple[Path, Path]) -> None:
    video, target = pair[which], pair[0].with_name("result")
    make: dict[str, Callable[[], None]] = {
        "itself": lambda: None,
        "symbolic link": lambda: target.symlink_to(video),
        "hard link": lambda: target.hardlink_to(video),
    }
    make[name]()
    before = content(video.parent)
    code, message = run("judge", pair[0], "--ref", pair[1], option, video if name == "itself" else target, "-y")
    assert code == USAGE and "input itself" in message
    assert content(video.parent) == before


@pytest.mark.parametrize("option", ["--csv", "--report"])
def test_an_existing_file_is_replaced_only_with_overwrite(option: str, pair: tuple[Path, Path]) -> None:
    target = pair[0].with_name("result")
    target.write_text("precious")
    code, message = run("judge", pair[0], option, target)
    assert code == OUTPUT and "--overwrite" in message
    assert target.read_text() == "precious"
    assert run("judge", pair[0], option, target, "-y", "-q") == (0, "")
    assert target.stat().st_size > 500


@pytest.mark.parametrize("target", ["nowhere/x", ".", "n" * 300, "out.mkv/x"])
@pytest.mark.usefixtures("no_work")
def test_an_invalid_target_is_refused_before_any_work(target: str, pair: tuple[Path, Path]) -> None:
    before = content(pair[0].parent)
    assert run("judge", pair[0], "--csv", pair[0].parent / target)[0] == OUTPUT
    assert content(pair[0].parent) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
@pytest.mark.usefixtures("no_work")
def test_a_folder_without_write_permission_is_refused_before_any_work(pair: tuple[Path, Path]) -> None:
    pair[0].parent.chmod(0o500)
    try:
        assert run("judge", pair[0], "--csv", pair[0].parent / "x.csv")[0] == OUTPUT
    finally:
        pair[0].parent.chmod(0o700)


def test_a_full_disk_loses_the_report_but_not_the_scores(pair: tuple[Path, Path]) -> None:
    before = content(pair[0].parent)
    limits = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # noqa: E731
    done = process("metrics", pair[0], "--report", pair[0].with_name("page.html"), "-q", preexec_fn=limits)
    assert done.returncode == OUTPUT
    assert done.stderr.startswith("stabilize: ") and done.stderr.count("\n") == 1
    assert "stability" in done.stdout
    assert content(pair[0].parent) == before


@pytest.fixture
def dataset(pair: tuple[Path, Path]) -> Path:
    """A manifest of one clip."""
    manifest = pair[0].with_name("clips.csv")
    manifest.write_text("method,category,clip,input,output\nours,walk,1,in.mkv,out.mkv\n")
    return manifest


def test_a_second_score_replaces_its_own_tables(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "scores"
    assert run("score", dataset, "-o", folder, "-q") == (0, "")
    first = content(folder)
    assert set(first) >= {f"robust_{name}.csv" for name in ("clips", "categories", "methods", "wins")}
    dataset.write_text(dataset.read_text() + "theirs,walk,1,in.mkv,out.mkv\n")
    assert run("score", dataset, "-o", folder, "-q") == (0, "")
    second = content(folder)
    assert second.keys() == first.keys()
    assert [name for name in first if first[name] == second[name]] == [n for n in first if n.startswith("finished")]


@pytest.mark.parametrize("name", ["robust.md", "robust.tex", "robust.json", "robust_clips.csv", "robust_wins.csv"])
def test_a_file_with_the_name_of_a_table_is_kept(
    name: str, dataset: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "scores"
    folder.mkdir()
    (folder / name).write_text('{\n "notes": "precious"\n}')
    request.getfixturevalue("no_work")
    code, message = run("score", dataset, "-o", folder)
    assert code == OUTPUT and name in message and "--overwrite" in message
    assert "precious" in (folder / name).read_text()


def test_a_file_with_the_name_of_a_table_is_replaced_with_overwrite(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "robust.md").write_text("notes")
    assert run("score", dataset, "-o", tmp_path, "-q", "--overwrite") == (0, "")
    assert (tmp_path / "robust.md").read_text().startswith("### Clips")


@pytest.mark.parametrize("what", ["manifest", "input", "output"])
@pytest.mark.usefixtures("no_work")
def test_an_input_is_never_a_table(what: str, dataset: Path, tmp_path: Path) -> None:
    taken = {"manifest": dataset, "input": tmp_path / "in.mkv", "output": tmp_path / "out.mkv"}[what]
    (tmp_path / "robust_clips.csv").hardlink_to(taken)
    before = content(tmp_path)
    code, message = run("score", dataset, "-o", tmp_path, "-y")
    assert code == USAGE and "input itself" in message
    assert content(tmp_path) == before


@pytest.mark.parametrize("folder", ["clips.csv", "clips.csv/scores", "/proc/scores", "n" * 300])
@pytest.mark.usefixtures("no_work")
def test_an_invalid_output_folder_is_refused_before_any_work(folder: str, dataset: Path, tmp_path: Path) -> None:
    code, message = run("score", dataset, "-o", tmp_path / folder)
    assert code == OUTPUT and "no folder" in message


@pytest.mark.parametrize("name", ["v.svg", "playlist.mp4"])
def test_clips_that_are_not_videos_are_reported_one_by_one(name: str, data: Path, tmp_path: Path) -> None:
    for folder in ("", "ours"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "x.mp4").write_bytes((data / "hostile" / name).read_bytes())
    done = process("score", tmp_path, "-o", tmp_path / "scores", "-j", 1)
    assert done.returncode == INPUT
    assert done.stderr.startswith("not judged: ours//x: ") and done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [("--json",), ()])
def test_a_full_disk_behind_stdout_is_an_error_of_one_line(words: tuple[str, ...], pair: tuple[Path, Path]) -> None:
    with open("/dev/full", "w") as full:
        done = process("metrics", pair[0], *words, stdout=full)
    assert done.returncode == OUTPUT
    assert done.stderr.startswith("stabilize: standard output cannot be written") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["metrics", "score"])
def test_a_broken_pipe_is_not_an_error(command: str, pair: tuple[Path, Path], dataset: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = (
        ("metrics", pair[0], "-q") if command == "metrics" else ("score", dataset, "-o", pair[0].parent, "-j", 1, "-q")
    )
    try:
        done = process(*words, stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
    if command == "score":
        assert (pair[0].parent / "robust.json").exists()


def test_every_error_has_a_documented_code() -> None:
    from metrics import errors

    codes = {
        e.__name__: e.exit_code for e in vars(errors).values() if isinstance(e, type) and issubclass(e, MetricsError)
    }
    assert codes == {"MetricsError": 1, "UsageError": 2, "VideoReadError": 3, "DatasetError": 3, "OutputError": 4}
    table = (ROOT / "docs" / "cli.md").read_text()
    assert all(f"\n| {code} | " in table for code in codes.values())
