"""What is printed: readable at 80 columns, printable characters only, and progress of long work."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from metrics import progress as progress_module
from metrics.__main__ import app
from metrics.dataset.layout import Job
from metrics.dataset.results import result_texts
from metrics.dataset.run import Outcome
from metrics.dataset.summary import TABLE_SCORES, informative_tables, summary_tables
from metrics.progress import progress
from metrics.tables import Table, print_table

ESCAPES = "\x1b]52;c;cm0=\x07[red]x[/red]\x9b2J\u202e"  # writes the clipboard, rich markup, clears, turns the text
NAME = ESCAPES.replace("/", "")  # a file's
FORMULA = "=cmd|' /C calc'!A0"


def outcomes(methods: int = 2, clips: int = 3, error: str = "") -> list[Outcome]:
    def scores(clip: int) -> dict[str, dict[str, object]]:
        rest = {"input": 12.25, "unit": "share", "better": "higher", "failures": 3, "total": 240}
        return {name: {"value": 0.25 * (clip + 1), **rest} for name in TABLE_SCORES["robust"]}

    return [
        Outcome(
            Job(f"method{m}", "walk", f"clip{c}", Path("i"), Path("o")), None if error else {"scores": scores(c)}, error
        )
        for m in range(methods)
        for c in range(clips)
    ]


def printed_tables(
    found: list[Outcome], width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    for table in informative_tables(summary_tables(found, "robust")):
        print_table(table)
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [80, 60, 240])
def test_scores_of_a_dataset_are_readable(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line is too long, and no word of a heading or figure is torn; every score is there in every table."""
    text = printed_tables(outcomes(), width, monkeypatch, capsys)
    assert max(map(cell_len, text.splitlines())) <= width
    words, scores = text.split(), len(TABLE_SCORES["robust"])
    for name in TABLE_SCORES["robust"]:
        assert words.count(name) == 3, name  # clips, methods, wins
    assert text.count("0.5000 [0.2500, 0.7500]") == 2 * scores
    assert words.count("0.5000") == 2 * scores + 2 * scores  # of one of three clips, and the means
    assert words.count("0.2500") == words.count("0.7500") == 2 * scores
    assert text.count("3/240") == 6


def test_the_reason_why_a_clip_was_not_judged_is_readable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = "/a/long/path/to/a/clip.mp4: not a readable video file (damaged, truncated or of an unknown format)"
    text = printed_tables(outcomes(error=error), 80, monkeypatch, capsys)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "unknown format)" in text


def test_a_single_category_is_not_repeated() -> None:
    two = [*outcomes(), Outcome(Job("method0", "run", "x", Path("i"), Path("o")), None, "broken")]
    assert [t.title.split(" · ")[0] for t in informative_tables(summary_tables(outcomes(), "robust"))] == [
        "Clips",
        "By method",
        "Win rates",
    ]
    assert len(informative_tables(summary_tables(two, "robust"))) == 4


def is_printable(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


def test_names_are_escaped_on_the_terminal_and_in_tables(
    walk_before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    absent = f"{NAME}.mp4"
    rows = [f'{ESCAPES},"{FORMULA}",{ESCAPES},{walk_before},{walk_before}', f"b,c,d,{walk_before},{absent}"]
    manifest = tmp_path / f"{NAME}.csv"
    manifest.write_text("\n".join(["method,category,clip,input,output", *rows]))
    done = CliRunner().invoke(app(), ["score", str(manifest), "-o", str(tmp_path / "scores"), "-j", "1"])
    assert done.exit_code == 3
    assert "\\x1b]52;c;cm0=\\x07[red]x[/red]\\x9b2J\\u202e" in done.stdout
    assert "not judged: b/c/d" in done.stderr and "[red]x[red]" in done.stderr
    written = [p.read_text() for p in (tmp_path / "scores").glob("robust*")]
    assert len(written) == 7
    assert all(map(is_printable, [done.stdout, done.stderr, *written]))
    lines = (tmp_path / "scores" / "robust_clips.csv").read_text().splitlines()
    assert f',"\'{FORMULA}",' in lines[1]


def test_a_video_is_shown_by_its_file_name(walk_before: Path, tmp_path: Path) -> None:
    video, page = tmp_path / f"{NAME}<b>.mkv", tmp_path / "page.html"
    video.write_bytes(walk_before.read_bytes())
    done = CliRunner().invoke(app(), ["judge", str(video), "--ref", str(video), "--report", str(page)])
    assert done.exit_code == 0
    assert "\\x07[red]x[red]\\x9b2J\\u202e<b>.mkv" in done.stdout
    assert is_printable(done.stdout) and is_printable(done.stderr) and is_printable(page.read_text())
    assert "<b>" not in page.read_text()


def test_results_of_hostile_names_keep_their_columns() -> None:
    job = Job(f"a|b{ESCAPES}", "c,d;\n", FORMULA, Path("i"), Path("o"))
    texts = result_texts([Outcome(job, None, "x\r\n=1")], "robust")
    assert all(map(is_printable, texts.values()))
    table = [line for line in texts["robust.md"].splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table[:3]}) == 1


def test_markup_in_a_table_is_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_table(Table("[b]t[/b]", ("[i]h[/i]", "x"), (("[red]x[/red]", ":smile:"),), ("[link=x]y[/link]",)))
    out = capsys.readouterr().out
    assert all(text in out for text in ("[b]t[/b]", "[i]h[/i]", "[red]x[/red]", ":smile:", "[link=x]y[/link]"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_long_work_shows_progress_before_its_first_step(
    stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(progress_module, "BAR_DELAY_S", 0.01)
    monkeypatch.setattr(progress_module, "LINE_INTERVAL_S", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    end = time.monotonic() + 20
    with progress("judging [red]x[/red]\x1b]52;\x07", 40, True):
        while "judging" not in stderr.getvalue():
            assert time.monotonic() < end, "nothing was printed"
            time.sleep(0.01)
    assert "[red]x[/red]" in stderr.getvalue() and "\x1b]52" not in stderr.getvalue()


def test_progress_lines_show_steps_and_remaining_time() -> None:
    assert progress_module._line("scoring x", 0, 40, 12.2) == "scoring x: 12 s so far"
    assert progress_module._line("scoring x", 10, 40, 5.0) == "scoring x: 10 of 40, about 15 s left"
    assert progress_module._line("judging x", 50, 40, 5.0) == "judging x: 50 done"


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_short_work_shows_no_progress(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    with progress("judging x", 40, True) as tick:
        assert tick is not None
        tick(1)
    assert stderr.getvalue() == ""
