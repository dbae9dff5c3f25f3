"""Scoring a dataset: layouts, resumption, broken clips, tables and statistics."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from metrics.__main__ import app
from metrics.dataset import run, state
from metrics.dataset.layout import Job, find_jobs
from metrics.dataset.statistics import bootstrap, duel
from metrics.dataset.summary import as_dict, summary_tables
from metrics.errors import DatasetError
from metrics.tables import Table, as_csv, as_latex, as_markdown
from tests.metrics import judge_scenes as scenes


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def found(root: Path) -> list[tuple[str, str, str, str, str]]:
    jobs = find_jobs(root)
    base = root if root.is_dir() else root.parent
    return [(j.method, j.category, j.clip, str(j.ref.relative_to(base)), str(j.out.relative_to(base))) for j in jobs]


def test_categories_beside_methods(tmp_path: Path) -> None:
    touch(tmp_path, "walk/1.mp4", "walk/2.avi", "ours/walk/1.mp4", "ours/walk/2.mp4", "theirs/walk/1.mkv", "notes.txt")
    assert found(tmp_path) == [
        ("ours", "walk", "1", "walk/1.mp4", "ours/walk/1.mp4"),
        ("ours", "walk", "2", "walk/2.avi", "ours/walk/2.mp4"),
        ("theirs", "walk", "1", "walk/1.mp4", "theirs/walk/1.mkv"),
        ("theirs", "walk", "2", "walk/2.avi", "theirs/walk/2.avi"),  # missing: judged, so that it is said
    ]


def test_an_input_folder_beside_methods(tmp_path: Path) -> None:
    touch(tmp_path, "original/walk/1.mp4", "ours/walk/1.mp4")
    assert found(tmp_path) == [("ours", "walk", "1", "original/walk/1.mp4", "ours/walk/1.mp4")]


def test_no_categories(tmp_path: Path) -> None:
    touch(tmp_path, "1.mp4", "ours/1.mp4")
    assert found(tmp_path) == [("ours", "", "1", "1.mp4", "ours/1.mp4")]


def test_pairs_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "a_ours.mp4", "a_2.mp4", "a_2_ours.mp4")
    assert ("ours", "", "a_2", "a_2.mp4", "a_2_ours.mp4") in found(tmp_path)
    assert ("ours", "", "a", "a.mp4", "a_ours.mp4") in found(tmp_path)


def test_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("method,category,clip,input,output\nours,walk,1,in/1.mp4,out/1.mp4\n")
    assert found(tmp_path / "m.csv") == [("ours", "walk", "1", "in/1.mp4", "out/1.mp4")]


@pytest.mark.parametrize("content", ["method,input\nours,a.mp4\n", "\x00\x01", ""])
def test_invalid_manifests_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(content)
    with pytest.raises(DatasetError):
        find_jobs(tmp_path / "m.csv")


def test_the_message_for_a_folder_without_pairs_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="a CSV with"):
        find_jobs(tmp_path)


@pytest.fixture(scope="module")
def dataset(clips: Path) -> Path:
    """Two clips, a method that halves the shake, one that changes nothing, and one broken output."""
    root = clips / "dataset"
    at = scenes.shake(1.5)
    for number in (1, 2):
        paths = [at(i / 30 + number) for i in range(40)]
        for folder, share in (("", 1.0), ("none", 1.0), ("half", 0.5)):
            path = root / folder / "walk" / f"{number}.mkv"
            path.parent.mkdir(parents=True, exist_ok=True)
            scenes.write(path, (scenes.view(scenes.similarity(x * share, y * share)) for x, y in paths))
    (root / "none" / "walk" / "2.mkv").write_bytes(b"this is no video")
    return root


def test_a_broken_clip_does_not_stop_the_run_and_finished_ones_are_reused(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = CliRunner().invoke(app(), ["score", str(dataset), "-o", str(tmp_path), "-q", "-j", "2"])
    assert scored.exit_code == 3
    assert "none/walk/2" in scored.stderr
    whole = json.loads((tmp_path / "robust.json").read_text())
    assert [o["error"] is None for o in whole["outcomes"]] == [True, True, True, False]
    assert whole["methods"]["half"]["stability"]["value"] > whole["methods"]["none"]["stability"]["value"]
    assert len(list((tmp_path / "finished").glob("*.json"))) == 3
    for name in ("robust_clips.csv", "robust_methods.csv", "robust_wins.csv", "robust.md", "robust.tex"):
        assert (tmp_path / name).stat().st_size > 100

    def never(jobs: list[Job], *_: object) -> list[run.Outcome]:
        assert [j.ref.name for j in jobs] == ["2.mkv"] and jobs[0].method == "none", "a finished clip was judged again"
        return []

    monkeypatch.setattr(run, "_pool", never)
    again = list(run._outcomes(find_jobs(dataset), "robust", tmp_path / "finished", 1))
    assert sorted(o.reused for o in again) == [True, True, True]


VIDEO = {"path": "o.mp4", "width": 64, "height": 48, "fps": 30.0, "frames": 9, "duration_s": 0.3}
SCORE = {"value": 0.5, "input": None, "unit": "share", "better": "higher", "failures": 0, "total": 9, "note": ""}
JUDGEMENT = {
    "schema": 1,
    "version": "1",
    "mode": "robust",
    "out": VIDEO,
    "ref": None,
    "scores": {"stability": SCORE},
    "says": ["short"],
}


def test_a_clip_with_a_truncated_result_is_judged_again(tmp_path: Path) -> None:
    state.store(tmp_path, "key", JUDGEMENT, ())
    assert state.load(tmp_path, "key") == JUDGEMENT
    (tmp_path / "key.json").write_text('{"scores": {')
    assert state.load(tmp_path, "key") is None
    assert state.load(tmp_path, "other") is None


def with_score(**changes: object) -> str:
    return json.dumps(JUDGEMENT | {"scores": {"stability": SCORE | changes}})


NOT_FINISHED = {
    "deeply nested": '{"scores":' * 100_000,
    "nested as deep as it loads": json.dumps(JUDGEMENT)[:-1] + ', "more": ' + "[" * 500 + "]" * 500 + "}",
    "huge": json.dumps(JUDGEMENT | {"says": ["x" * (2 << 20)]}),
    "not a number": with_score(value=float("nan")),
    "infinite": with_score(value=0.5).replace("0.5", "1e999"),
    "a number of a thousand digits": with_score(value=10**1000),
    "text for a number": with_score(value="0.5"),
    "a score that is none": json.dumps(JUDGEMENT | {"scores": {"stability": 5}}),
    "no scores": '{"scores": {}}',
    "a list": "[]",
    "not UTF-8": "\xff",
    "a video that is none": json.dumps(JUDGEMENT | {"out": {"path": 5}}),
    "notes that are none": json.dumps(JUDGEMENT | {"says": [{}]}),
}


@pytest.mark.parametrize("what", NOT_FINISHED)
def test_results_of_the_wrong_form_are_ignored(what: str, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(NOT_FINISHED[what], encoding="latin-1")
    assert state.load(tmp_path, "key") is None


def test_a_manifest_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.dataset.layout.MAX_MANIFEST_BYTES", 1000)
    (tmp_path / "m.csv").write_text("method,category,clip,input,output\n" + "ours,walk,1,a.mp4,b.mp4\n" * 100)
    with pytest.raises(DatasetError, match="larger than"):
        find_jobs(tmp_path / "m.csv")


@pytest.mark.parametrize("name", ["n" * 300, "absent"])
def test_a_missing_dataset_is_an_error_of_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        find_jobs(tmp_path / name)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 3


def test_clips_that_are_not_files_are_rows_with_the_reason(tmp_path: Path) -> None:
    """A path with a NUL, a folder, a pipe that nobody writes to: none may stop the run or hang it."""
    os.mkfifo(tmp_path / "pipe.mp4")
    touch(tmp_path, "in.mp4")
    rows = ["a\0b.mp4", ".", "pipe.mp4"]
    (tmp_path / "m.csv").write_text("input,output\n" + "".join(f"{row},in.mp4\n" for row in rows))
    outcomes = run.score_dataset(find_jobs(tmp_path / "m.csv"), "robust", tmp_path / "finished", 1)
    assert [o.judgement for o in outcomes] == [None] * 3
    assert all(o.error for o in outcomes)


def test_the_result_of_a_clip_that_changes_during_the_run_is_discarded(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = next(j for j in find_jobs(dataset) if j.method == "half")
    changing = Job("m", "", "x", job.ref, tmp_path / "out.mkv")
    shutil.copy(job.out, changing.out)

    def replaced(jobs: list[Job], *_: object) -> Iterator[run.Outcome]:
        shutil.copy(job.ref, changing.out)
        yield run.Outcome(jobs[0], JUDGEMENT)

    monkeypatch.setattr(run, "_pool", replaced)
    (outcome,) = run.score_dataset([changing], "robust", tmp_path / "finished", 1)
    assert outcome.judgement is None and "changed while" in outcome.error
    assert not (tmp_path / "finished").exists()


def test_the_key_depends_only_on_content_and_mode(dataset: Path, tmp_path: Path) -> None:
    job = next(j for j in find_jobs(dataset) if j.method == "half")
    copy = tmp_path / "elsewhere.mkv"
    shutil.copy(job.out, copy)
    moved = Job("other", "name", "x", job.ref, copy)
    assert state.fingerprint(moved, "robust") == state.fingerprint(job, "robust")
    assert state.fingerprint(job, "dvs") != state.fingerprint(job, "robust")
    copy.write_bytes(copy.read_bytes() + b"\0")
    assert state.fingerprint(moved, "robust") != state.fingerprint(job, "robust")


def _kill(job: Job, mode: str) -> run.Outcome:
    import os

    if job.clip == "deadly":
        os._exit(9)
    return run.Outcome(job, {"scores": {}})


def test_a_crashed_process_loses_only_its_own_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.mkv").write_bytes(b"video")
    (tmp_path / "finished").mkdir()
    jobs = [Job("m", "", name, tmp_path / "x.mkv", tmp_path / "x.mkv") for name in ("a", "deadly", "b")]
    monkeypatch.setattr(run, "_judge", _kill)
    monkeypatch.setattr(state, "fingerprint", lambda job, mode: job.clip)
    outcomes = run.score_dataset(jobs, "robust", tmp_path / "finished", 2)
    assert [o.judgement is None for o in outcomes] == [False, True, False]
    assert "killed" in outcomes[1].error


def outcome(method: str, clip: str, value: float | None) -> run.Outcome:
    score = {"value": value, "input": 0.1, "unit": "share", "better": "higher", "failures": 0, "total": 9}
    return run.Outcome(Job(method, "c", clip, Path("i"), Path("o")), {"scores": {"stability": score}})


def test_tables_contain_means_intervals_and_win_rates() -> None:
    outcomes = [outcome("a", str(i), 0.8 + i / 100) for i in range(5)]
    outcomes += [outcome("b", str(i), 0.7 + i / 100) for i in range(4)] + [outcome("b", "4", None)]
    _, _, methods, wins = summary_tables(outcomes, "robust").values()
    rows = {row[0]: row for row in methods.rows}
    assert rows["a"][2].startswith("0.8200 [0.80")
    assert rows["b"][2].startswith("0.7150 [0.70")
    assert rows["(input)"][2].startswith("0.1000")
    assert wins.rows[0][:4] == ("a", "b", "5", "100 %")


HOSTILE = "a|b & 50% <i>_$x\\ \n{z}\x1b]52;c;cm0=\a"
SHOWN = "a|b & 50% <i>_$x\\ \\n{z}\\x1b]52;c;cm0=\\x07"


def test_every_format_escapes() -> None:
    table = Table(HOSTILE, ("m", HOSTILE), ((HOSTILE, "-0.25 [-0.5, 0.1]"), ("=1+1", "-0.5")), (HOSTILE,))
    assert as_markdown(table).splitlines()[4].replace("\\|", "").count("|") == 3
    assert "<i>" not in as_markdown(table).replace("\\<", "")
    assert r"a|b \& 50\% <i>\_\$x\textbackslash{} \textbackslash{}n\{z\}" in as_latex(table)
    assert len(as_latex(table).splitlines()) == 12
    for text in (as_markdown(table), as_latex(table), as_csv(table)):
        assert all(c.isprintable() or c == "\n" for c in text)
    rows = list(csv.reader(io.StringIO(as_csv(table))))
    assert rows == [["m", SHOWN], [SHOWN, "-0.25 [-0.5, 0.1]"], ["'=1+1", "-0.5"]]  # a figure is no formula


def test_bootstrap_intervals_have_about_their_nominal_coverage() -> None:
    rng = np.random.default_rng(3)
    intervals = [bootstrap(list(rng.normal(5, 2, 30))) for _ in range(200)]
    covered = sum(1 for m in intervals if m.low is not None and m.high is not None and m.low <= 5 <= m.high)
    assert 0.88 <= covered / 200 <= 0.99


def test_the_interval_reaches_further_into_the_long_tail_than_percentiles_do() -> None:
    """BCa corrects the percentile interval for skewness; the percentiles here are counted out in NumPy alone."""
    rng = np.random.default_rng(4)
    values = rng.exponential(1.0, 12)
    means = values[rng.integers(0, 12, (20000, 12))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    for sign in (1, -1):
        interval = bootstrap(list(sign * values))
        assert interval.low is not None and interval.high is not None
        lower, upper = sorted((sign * interval.low, sign * interval.high))
        assert low + 0.02 < lower < values.mean() and upper > high + 0.05


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_the_interval_does_not_depend_on_the_unit(scale: float) -> None:
    values = [1.0, 2.0, 4.0, 4.5]
    plain, scaled = bootstrap(values), bootstrap([scale * v for v in values])
    assert plain.low is not None and plain.high is not None
    assert [scaled.low, scaled.high] == pytest.approx([scale * plain.low, scale * plain.high], rel=1e-9)


@pytest.mark.parametrize(
    ("values", "mean", "why"),
    [
        ([], None, "no clip has a value"),
        ([None, 0.5], 0.5, "fewer than 3 clips"),
        ([0.4, 0.6], 0.5, "fewer than 3 clips"),
        ([0.0] * 4, 0.0, "all clips have the same value"),
        ([0.1] * 7, 0.1, "all clips have the same value"),
        ([0.1, 0.1, float(np.nextafter(0.1, 1))], 0.1, "all clips have the same value"),
    ],
)
def test_a_mean_without_an_interval_says_why(values: list[float | None], mean: float | None, why: str) -> None:
    result = bootstrap(values)
    assert (result.low, result.high, result.note) == (None, None, why)
    assert result.value == pytest.approx(mean)


def test_tables_and_json_say_why_an_interval_is_missing() -> None:
    outcomes = [outcome("same", str(i), 0.5) for i in range(4)] + [outcome("few", "0", 0.5)]
    methods = summary_tables(outcomes, "robust")["methods"]
    assert [row[2] for row in methods.rows[:2]] == ["0.5000", "0.5000"]
    assert any("fewer than 3 clips" in note and "same value" in note for note in methods.notes)
    means = as_dict(outcomes, "robust")["methods"]
    assert means["same"]["stability"]["note"] == "all clips have the same value"
    assert means["few"]["stability"]["note"] == "fewer than 3 clips"


@settings(deadline=None)  # other work shares the machine
@given(st.lists(st.one_of(st.none(), st.floats(-100, 100)), max_size=12))
def test_bootstrap_is_seeded_and_leaves_out_what_is_not_there(values: list[float | None]) -> None:
    first, known = bootstrap(values), [v for v in values if v is not None]
    assert first == bootstrap(values)
    assert first.count == len(known)
    if first.low is not None and first.high is not None:
        assert min(known) - 1e-9 <= first.low <= first.high <= max(known) + 1e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=10))
def test_win_rates_of_two_methods_add_up_to_one(pairs: list[tuple[float | None, float | None]]) -> None:
    one = duel("a", "b", pairs, "higher")
    other = duel("b", "a", [(y, x) for x, y in pairs], "higher")
    assert one.rate is not None and other.rate is not None
    assert one.rate + other.rate == pytest.approx(1)
    assert duel("a", "b", pairs, "lower").wins == one.losses
