"""What the commands of `gyro` print, draw and export."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gyro.errors import UsageError
from gyro.estimate import Match, SyncResult, SyncSettings, Tracks, prior_settings
from gyro.export import write_gcsv
from gyro.log import GyroLog
from gyro.plot import GAP, LEFT, PANEL, RIGHT, TOP, WIDTH, plot_sync, ticks
from gyro.readers import read_log
from localfiles.terminal import say_json
from stabilize.cli.boundary import run
from tests.gyro.commandline import CLIPS, Command, process, profile
from tests.gyro.estimate import simulate
from tests.gyro.estimate.simulate import Scene, changed


def test_escape_sequences_of_a_log_never_reach_the_terminal(
    tmp_path: Path, hostile: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    log = hostile("esc.gcsv")
    broken = tmp_path / "b.gcsv"
    broken.write_bytes(log.read_bytes().replace(b"tscale,0.001", b"tscale,\x1b]52;c;cm0=\x07"))
    named = tmp_path / "\x1b[31mred.gcsv"
    shutil.copy(log, named)
    lens = tmp_path / "lens.json"
    lens.write_text(profile(distortion_model="\x1b]0;pwn\x07"))
    for words in (
        ("gyro", "info", log),
        ("gyro", "info", log, "--json"),
        ("gyro", "info", broken),
        ("gyro", "info", named),
        ("gyro", "export", named, "-o", tmp_path / "\x1b[31mout.gcsv"),
        ("gyro", "sync", CLIPS / "walk.mp4", log, "--lens", lens),
    ):
        run([str(word) for word in words])
        printed = capsys.readouterr()
        assert all(c.isprintable() or c == "\n" for c in printed.out + printed.err), words
        assert printed.out + printed.err
        if "--json" in words:
            assert json.loads(printed.out)["lens"].startswith("\x1b") and printed.out.isascii()
    assert "\x1b" not in (tmp_path / "\x1b[31mout.gcsv").read_text()


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"a": float("nan"), "b": [float("inf"), 1.5, {"c": -float("inf")}], "d": "\u00e9\x1b"})
    printed = capsys.readouterr().out
    assert printed.isascii() and json.loads(printed) == {"a": None, "b": [None, 1.5, {"c": None}], "d": "\u00e9\x1b"}


def test_a_broken_pipe_is_not_an_error(log: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = process("gyro", "info", log, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_reported(log: Path) -> None:
    for more in ((), ("--json",)):
        with Path("/dev/full").open("w") as full:
            done = process("gyro", "info", log, *more, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 4
        assert done.stderr == "stabilize: standard output cannot be written (no space left on device)\n"


SCENE = Scene(
    motion="pan",
    duration_s=12.0,
    translate=False,
    features=40,
    drift=0.014,
    offset_s=-0.4,
    seed=8,
    noise_deg_s_rthz=0.0,
)


def _true(scene: Scene) -> SyncResult:
    """Return the result of a synchronisation without error."""
    evidence: Any = None
    return SyncResult(
        offset_s=scene.offset_s,
        drift=scene.drift,
        R_cam_gyro=scene.R_cam_gyro,
        improper=False,
        axes="XYZ",
        bias_rad_s=np.zeros(3),
        focal_px=scene.focal_px,
        k1=0.0,
        readout_s=scene.readout_s,
        readout_axis="rows",
        std={},
        unobservable=(),
        evidence=evidence,
        kind="turns",
        mid_s=scene.duration_s / 2,
        mid_offset_std_s=0.0,
        refusal=None,
    )


@pytest.fixture
def drifting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Match:
    """Match of a panning camera with its log, whose clock runs 1.4 % fast; other logs are refused."""
    write_gcsv(simulate.log(SCENE), tmp_path / "truth.gcsv")
    read, tracks = read_log(tmp_path / "truth.gcsv"), simulate.tracks(SCENE)

    def sync(tracks: Tracks, log: GyroLog, settings: SyncSettings) -> SyncResult:
        own = np.array_equal(log.gyro_rad_s, read.gyro_rad_s)
        return _true(SCENE) if own else replace(_true(SCENE), refusal="contradictory: nothing fits")

    monkeypatch.setattr("gyro.estimate.match.synchronize_with_ois", sync)
    monkeypatch.setattr("stabilize.cli.gyroscope.measure_tracks", lambda info: tracks)
    return Match(read, tracks, prior_settings(read, (tracks.width, tracks.height)), _true(SCENE))


def test_an_exported_path_does_not_drift(tmp_path: Path, drifting: Match, command: Command) -> None:
    words = ("gyro", "export", drifting.log.source, "--video", CLIPS / "walk.mp4", "-o", tmp_path / "path.csv")
    assert command(*words) == (0, "")
    table = np.loadtxt(tmp_path / "path.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(table[:, 0], drifting.tracks.time_s, atol=1e-6)
    found, true = Rotation.from_quat(table[:, 1:], scalar_first=True), simulate.World(SCENE).rotation(table[:, 0])
    error = ((true[0].inv() * true).inv() * (found[0].inv() * found)).magnitude()
    assert np.degrees(error.max()) < 0.02  # with the drift left out it is more than half a degree


def test_a_plot_shows_both_curves_and_its_axes(tmp_path: Path, drifting: Match) -> None:
    """The log is plotted half a second late; otherwise its curve would cover that of the video."""
    late = replace(drifting, sync=replace(drifting.sync, offset_s=SCENE.offset_s + 0.5))
    plot_sync(late, tmp_path / "sync.png")
    picture = cv2.imread(str(tmp_path / "sync.png"))
    assert picture is not None and picture.shape[1] == WIDTH
    values = picture.astype(int)
    blue, red = (values[..., a] - values[..., b] > 60 for a, b in ((0, 2), (2, 0)))
    dark = values.max(axis=2) < 120
    tops = [TOP + i * (PANEL + GAP) for i in range(3)]
    for curve in (blue, red):  # in the legend, and across each of the three panels
        assert curve[15:30].any()
        shares = [curve[top : top + PANEL, LEFT + 5 : WIDTH - RIGHT - 5].any(axis=0).mean() for top in tops]
        assert min(shares) > 0.5, shares
    assert all(dark[top : top + PANEL, 10 : LEFT - 6].any() for top in tops)  # numbers left of each axis
    foot = tops[-1] + PANEL
    assert dark[foot + 8 : foot + 24, LEFT:].any() and dark[-26:-6, 400:800].any()  # below, and the axis's name
    with pytest.raises(UsageError, match=r"\.png"):
        plot_sync(drifting, tmp_path / "sync.pdf")


@pytest.mark.parametrize("low, high", [(0, 8.3), (-0.013, 0.013), (-1234, 1234), (3.2, 3.9), (0, 1e-6)])
def test_ticks_are_round_inside_and_few(low: float, high: float) -> None:
    found = ticks(low, high, 8)
    assert 3 <= len(found) <= 9 and low - 1e-9 * (high - low) <= found[0] and found[-1] <= high * (1 + 1e-9)
    steps = np.diff(found)
    np.testing.assert_allclose(steps, steps[0])
    assert f"{steps[0]:e}"[0] in "125"


def test_sync_names_its_log_and_tries_all_candidates(
    tmp_path: Path, drifting: Match, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside the clip: a table that is no log, the log of another clip, and the right one."""
    shutil.copy(CLIPS / "walk.mp4", tmp_path / "clip.mp4")
    write_gcsv(simulate.log(changed(SCENE, seed=99)), tmp_path / "clip.gcsv")
    (tmp_path / "clip.csv").write_text("frame,x,y,w,h\n" + "".join(f"{i},{i % 7},3,40,50\n" for i in range(60)))
    shutil.copy(drifting.log.source, tmp_path / "clip_gyro.txt")
    assert run(["gyro", "sync", str(tmp_path / "clip.mp4"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["accepted"] and facts["log"].endswith("clip_gyro.txt") and facts["format"] == "gcsv"
    assert any("clip.csv, which was found" in note for note in facts["notes"])
    assert any("clip.gcsv was not used: contradictory" in note for note in facts["notes"])
    assert run(["gyro", "sync", str(tmp_path / "clip.mp4"), str(tmp_path / "clip.gcsv")]) == 1
    assert f"log  {tmp_path / 'clip.gcsv'} (gcsv)" in capsys.readouterr().out


def test_sync_uses_the_log_of_the_lens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    """With X_ois.txt beside X_gyro.txt the log is synchronised again without the lens shift."""
    (tmp_path / "v_gyro.txt").write_text("".join(f"{i * 2500} 0.1 0.{i % 5} 0.3 0 {i}\n" for i in range(400)))
    (tmp_path / "v_ois.txt").write_text("".join(f"{i} 40.32 0 {i * 10_000_000}\n" for i in range(90)))
    tracks, seen = simulate.tracks(changed(SCENE, duration_s=0.8)), []

    def sync(tracks: Tracks, log: GyroLog, settings: SyncSettings) -> SyncResult:
        seen.append(tracks)
        return replace(_true(SCENE), offset_s=0.0, drift=0.0)

    monkeypatch.setattr("gyro.estimate.ois.synchronize", sync)
    monkeypatch.setattr("stabilize.cli.gyroscope.measure_tracks", lambda info: tracks)
    assert command("gyro", "sync", CLIPS / "walk.mp4", tmp_path / "v_gyro.txt") == (0, "")
    first, held = seen
    np.testing.assert_allclose(first.prev_px - held.prev_px, np.tile([6.4, 0.0], (len(held.pair), 1)), atol=1e-6)
    (tmp_path / "v_ois.txt").unlink()
    assert command("gyro", "sync", CLIPS / "walk.mp4", tmp_path / "v_gyro.txt") == (0, "")
    assert len(seen) == 3
