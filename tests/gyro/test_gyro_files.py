"""What the commands of `gyro` read, write and print: nothing is lost, nothing hangs, nothing reaches the terminal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gyro.errors import InputError, LensError, LogError, UsageError
from gyro.estimate import Match, SyncResult, SyncSettings, Tracks, known_settings
from gyro.export import write_gcsv
from gyro.lens import Lens, load_lens, unproject
from gyro.log import GyroLog
from gyro.plot import GAP, LEFT, PANEL, RIGHT, TOP, WIDTH, plot_sync, ticks
from gyro.readers import ReadOptions, read_log
from localfiles.terminal import say_json
from stabilize.cli.boundary import run
from tests.gyro.estimate import simulate
from tests.gyro.estimate.simulate import Scene, changed

ROOT = Path(__file__).parents[2]
CLIPS = ROOT / "samples" / "clips"
HOSTILE = ROOT.parent / "shared" / "data" / "hostile"
LOG_TEXT = "t,gx,gy,gz\n" + "".join(f"{i / 100},{i % 7 / 10},0.2,0.1\n" for i in range(300))
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(LOG_TEXT)
    return path


@pytest.fixture
def hostile() -> Callable[[str], Path]:
    def find(name: str) -> Path:
        if not (HOSTILE / name).exists():
            pytest.skip(f"{HOSTILE / name} is absent")
        return HOSTILE / name

    return find


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Exit code, and what was said on stderr, of `stabilize WORDS`."""

    def call(*words: object) -> tuple[int, str]:
        code = run([str(word) for word in words])
        return code, capsys.readouterr().err

    return call


def process(*words: object, **more: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "stabilize", *map(str, words)]
    options = {"capture_output": True, **more}
    return subprocess.run(line, text=True, check=False, cwd=ROOT, timeout=60, **options)  # type: ignore[call-overload]


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Following features or looking for chessboards would be work."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("work was done")

    monkeypatch.setattr("stabilize.cli.gyroscope.tracks_in", refuse)
    monkeypatch.setattr(sys.modules["gyro.lens.calibrate"], "_corners", refuse)


# --- nothing is lost


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    "what, way",
    [
        *product(["video", "log", "lens"], ["itself", "hard link", "symbolic link"]),
        *product(["side file"], ["hard link", "symbolic link"]),  # no side file is named like a picture
    ],
)
def test_a_plot_is_never_drawn_over_an_input(tmp_path: Path, command: Command, what: str, way: str) -> None:
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
    code, said = command(*words, "--overwrite")
    assert code == 2 and "is the input itself" in said
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.usefixtures("no_work")
def test_existing_results_are_replaced_only_when_told(tmp_path: Path, log: Path, command: Command) -> None:
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
        code, said = command(*words)
        assert code == 4 and "already exists" in said
    assert all(path.read_text() == "precious" for path in precious)
    assert command("gyro", "export", log, "-o", gcsv, "-y")[0] == 0
    assert gcsv.read_text().startswith("GYROFLOW")
    assert command("gyro", "export", log, "-o", tmp_path / "no" / "x.csv")[0] == 4


@pytest.mark.usefixtures("no_work")
def test_exports_and_profiles_are_never_written_over_an_input(tmp_path: Path, log: Path, command: Command) -> None:
    (tmp_path / "link.gcsv").hardlink_to(log)
    assert command("gyro", "export", log, "-o", tmp_path / "link.gcsv", "-y")[0] == 2
    assert log.read_text() == LOG_TEXT
    for name in ("board.mp4", "view.png"):
        shutil.copy(CLIPS / "walk.mp4", tmp_path / name)
    for words in (("board.mp4",), ("view.png", "board.mp4"), (".",)):
        target = tmp_path / ("view.png" if words == (".",) else words[-1])
        before = target.read_bytes()
        code, said = command("calibrate", *(tmp_path / word for word in words), "-o", target, "-y")
        assert code == 2 and "is the input itself" in said
        assert target.read_bytes() == before


def test_the_other_files_of_a_log_are_inputs_too(tmp_path: Path, command: Command) -> None:
    (tmp_path / "v_gyro.txt").write_text("".join(f"{i * 2500} 0.1 0.{i % 5} 0.3 0 {i}\n" for i in range(400)))
    (tmp_path / "v_ois.txt").write_text("".join(f"{i} {i % 9} 1 {i * 10_000_000}\n" for i in range(90)))
    (tmp_path / "link.csv").hardlink_to(tmp_path / "v_ois.txt")
    before = (tmp_path / "v_ois.txt").read_bytes()
    assert command("gyro", "export", tmp_path / "v_gyro.txt", "-o", tmp_path / "link.csv", "-y")[0] == 2
    assert (tmp_path / "v_ois.txt").read_bytes() == before


# --- opening and bounds


@pytest.mark.parametrize("name", ["playlist.mp4", "hl.m3u8", "v.svg"])
def test_playlists_and_pictures_are_no_videos(
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
        code, said = command(*words)
        assert code == 3 and ("playlist" in said or "not a readable video" in said), words
    assert not out.exists()


def test_a_png_is_no_video(tmp_path: Path, log: Path, command: Command) -> None:
    cv2.imwrite(str(tmp_path / "v.png"), np.zeros((64, 64), np.uint8))
    assert command("gyro", "sync", tmp_path / "v.png", log)[0] == 3


def test_a_name_that_reads_like_an_address_is_a_file(tmp_path: Path, log: Path) -> None:
    for name in ("http://127.0.0.1:9/v.mp4", "concat:a|b", "rtsp://127.0.0.1/x"):
        with pytest.raises(InputError, match="no such file"):
            read_log(name, ReadOptions(format="gpmf"))


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "folder"])
def test_what_is_no_regular_file_neither_hangs_nor_eats_memory(tmp_path: Path, log: Path, kind: str) -> None:
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


def test_blank_lines_without_end_are_no_log(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gyro.readers.table.MAX_LINES", 1000)
    monkeypatch.setattr("gyro.readers.table.CHUNK_BYTES", 1 << 16)
    log.write_text(LOG_TEXT + "\n" * 300_000)
    with pytest.raises(LogError, match="too long for a gyroscope log"):
        read_log(log)


PROFILE = {
    "calib_dimension": {"w": 640, "h": 480},
    "fisheye_params": {
        "camera_matrix": [[500.0, 0, 320], [0, 500, 240], [0, 0, 1]],
        "distortion_coeffs": [0.1, 0.0, 0.0, 0.0],
    },
}


def _profile(**fields: object) -> str:
    params = {**PROFILE["fisheye_params"], **{k: v for k, v in fields.items() if k in PROFILE["fisheye_params"]}}
    return json.dumps({**PROFILE, **fields, "fisheye_params": params})


def _focal(value: float) -> list[list[float]]:
    return [[value, 0, 320], [0, 500, 240], [0, 0, 1]]


@pytest.mark.parametrize(
    "text",
    [
        *(_profile(camera_matrix=_focal(f)) for f in (0, -1, 1e-9, 1e300, float("nan"), float("inf"))),
        _profile(camera_matrix=[[500, 0, 1e300], [0, 500, 240], [0, 0, 1]]),
        *(_profile(calib_dimension={"w": w, "h": 480}) for w in (0, -5, 1e9, float("nan"))),
        _profile(calib_dimension={"w": "9" * 5000, "h": 480}),
        *(_profile(distortion_coeffs=c) for c in ([1e300] * 4, [float("nan")] * 4, [0.1] * 5000)),
        *(_profile(frame_readout_time=ms) for ms in (1e300, float("nan"), -1e9)),
        _profile(distortion_model="x" * 100_000),
        '{"fisheye_params":' * 100_000,
        '{"fisheye_params": ' + "[" * 100_000 + "]" * 100_000 + "}",
        json.dumps(PROFILE).replace("640", "9" * 5000),
        json.dumps(PROFILE).replace("500.0", "9" * 5000),
        "camera_matrix: " + "[" * 100_000,
    ],
)
def test_absurd_profiles_are_refused_in_few_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "lens.json").write_text(text)
    with pytest.raises(LensError) as caught:
        load_lens(tmp_path / "lens.json")
    assert len(str(caught.value)) < 300


def test_a_vanishing_coefficient_divides_nothing() -> None:
    K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    lens = Lens(640, 480, K, "opencv_fisheye", (0.1, 1e-310, 0.0, 1e-310))
    same = Lens(640, 480, K, "opencv_fisheye", (0.1, 0.0, 0.0, 0.0))
    px = np.array([[10.0, 20.0], [320, 240], [600, 400]])
    np.testing.assert_allclose(unproject(lens, px), unproject(same, px), atol=1e-12)


@pytest.mark.parametrize("focal", ["nan", "0", "-500", "1e300", "inf"])
@pytest.mark.usefixtures("no_work")
def test_an_absurd_focal_length_is_wrong_usage(log: Path, command: Command, focal: str) -> None:
    code, said = command("gyro", "sync", CLIPS / "walk.mp4", log, "--focal", focal)
    assert code == 2 and "focal length" in said
    with pytest.raises(UsageError):
        known_settings(read_log(log), (640, 360), float(focal))


# --- absurd clocks and rates


def _lines(*rows: str) -> str:
    return LOG_TEXT + "".join(row + "\n" for row in rows)


@pytest.mark.parametrize("stray", ["1e300", "nan", "1e29", "9e9", "1e7"])
def test_a_stray_time_at_an_end_costs_its_row(log: Path, stray: str) -> None:
    log.write_text(_lines(f"{stray},0,0,0"))
    found = read_log(log, ReadOptions(time_unit="s"))
    assert len(found.time_s) == 300 and found.time_s[-1] < 4
    assert [damage.line for damage in found.damage] == [302]
    log.write_text(LOG_TEXT.replace("0.0,", "-9e9,", 1))  # a clock that is set after its first sample
    found = read_log(log, ReadOptions(time_unit="s"))
    assert len(found.time_s) == 299 and found.damage[0].reason == "time jumps (1 rows left out)"


@pytest.mark.parametrize("step", [1e5, 3.0, 1e-9, 1e-300])
def test_a_clock_that_is_no_gyroscopes_is_refused(log: Path, step: float) -> None:
    rows = "".join(f"{i * step!r},0.1,0.{i % 7},0.3\n" for i in range(300))
    log.write_text("t,gx,gy,gz\n" + rows)
    with pytest.raises(LogError, match="samples a second"):
        read_log(log, ReadOptions(time_unit="s", gyro_unit="rad/s"))


def test_memory_goes_by_the_samples_and_not_by_the_span(log: Path) -> None:
    """Three samples at a time with breaks of eight minutes between them: 450 over twenty hours."""
    rows = "".join(f"{i // 3 * 500 + i % 3 / 100:.2f},0.1,0.{i % 7},0.3\n" for i in range(450))
    log.write_text("t,gx,gy,gz\n" + rows)
    with pytest.raises(LogError, match=r"450 samples over 7.*e\+04 s; cut the log"):
        read_log(log, ReadOptions(time_unit="s", gyro_unit="rad/s"))
    log.write_text(LOG_TEXT + "".join(f"{300 + i / 100},0.1,0.2,0.1\n" for i in range(300)))
    assert len(read_log(log).time_s) == 600  # a break of five minutes is nothing strange


def test_an_impossible_rate_costs_its_row(log: Path) -> None:
    log.write_text(LOG_TEXT.replace("\n1.5,0.3,", "\n1.5,1e29,"))
    found = read_log(log, ReadOptions(gyro_unit="rad/s"))
    assert len(found.time_s) == 299 and np.abs(found.gyro_rad_s).max() < 1
    assert [(d.line, d.reason) for d in found.damage] == [(152, "a rate that no gyroscope can measure")]
    np.testing.assert_allclose(found.gaps_s, [[1.49, 1.51]])
    log.write_text("t,gx,gy,gz\n" + "".join(f"{i / 100},1e9,2e9,3e9\n" for i in range(100)))
    with pytest.raises(LogError, match="--gyro-units"):
        read_log(log, ReadOptions(gyro_unit="rad/s"))


@pytest.mark.parametrize("readout_ms", ["1e8", "-300", "999"])
def test_an_absurd_readout_is_not_used(tmp_path: Path, readout_ms: str) -> None:
    keys = f"version,1.3\nframe_readout_time,{readout_ms}\ntscale,0.01\nt,gx,gy,gz\n"
    (tmp_path / "a.gcsv").write_text("GYROFLOW IMU LOG\n" + keys + "".join(f"{i},1,{i % 3},0\n" for i in range(50)))
    found = read_log(tmp_path / "a.gcsv")
    assert found.readout_s is None and any("readout" in note for note in found.notes)


# --- what is said


def test_escape_sequences_of_a_log_never_reach_the_terminal(
    tmp_path: Path, hostile: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    log = hostile("esc.gcsv")
    broken = tmp_path / "b.gcsv"
    broken.write_bytes(log.read_bytes().replace(b"tscale,0.001", b"tscale,\x1b]52;c;cm0=\x07"))
    named = tmp_path / "\x1b[31mred.gcsv"
    shutil.copy(log, named)
    lens = tmp_path / "lens.json"
    lens.write_text(_profile(distortion_model="\x1b]0;pwn\x07"))
    for words in (
        ("gyro", "info", log),
        ("gyro", "info", log, "--json"),
        ("gyro", "info", broken),
        ("gyro", "info", named),
        ("gyro", "export", named, "-o", tmp_path / "\x1b[31mout.gcsv"),
        ("gyro", "sync", CLIPS / "walk.mp4", log, "--lens", lens),
    ):
        run([str(word) for word in words])
        said = capsys.readouterr()
        assert all(c.isprintable() or c == "\n" for c in said.out + said.err), words
        assert said.out + said.err
        if "--json" in words:
            assert json.loads(said.out)["lens"].startswith("\x1b") and said.out.isascii()
    assert "\x1b" not in (tmp_path / "\x1b[31mout.gcsv").read_text()


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"a": float("nan"), "b": [float("inf"), 1.5, {"c": -float("inf")}], "d": "\u00e9\x1b"})
    said = capsys.readouterr().out
    assert said.isascii() and json.loads(said) == {"a": None, "b": [None, 1.5, {"c": None}], "d": "\u00e9\x1b"}


def test_a_reader_who_left_is_no_error(log: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = process("gyro", "info", log, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_said(log: Path) -> None:
    for more in ((), ("--json",)):
        with Path("/dev/full").open("w") as full:
            done = process("gyro", "info", log, *more, capture_output=False, stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 4
        assert done.stderr == "stabilize: standard output: cannot be written (no space left on device)\n"


# --- sync, plot and export against simulated truth

SCENE = Scene(
    motion="pan",
    duration_s=20.0,
    translate=False,
    features=40,
    drift=0.014,
    offset_s=-0.4,
    seed=8,
    noise_deg_s_rthz=0.0,
)


def _true(scene: Scene) -> SyncResult:
    """What a synchronisation without error would find."""
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
        held=(),
        evidence=evidence,
        kind="turns",
        mid_s=scene.duration_s / 2,
        mid_offset_std_s=0.0,
        refusal=None,
    )


@pytest.fixture
def drifting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Match:
    """How a camera that pans fits its log, whose clock runs 1.4 % fast; any other log is refused."""
    write_gcsv(simulate.log(SCENE), tmp_path / "truth.gcsv")
    read, tracks = read_log(tmp_path / "truth.gcsv"), simulate.tracks(SCENE)

    def sync(tracks: Tracks, log: GyroLog, settings: SyncSettings) -> SyncResult:
        own = np.array_equal(log.gyro_rad_s, read.gyro_rad_s)
        return _true(SCENE) if own else replace(_true(SCENE), refusal="contradictory: nothing fits")

    monkeypatch.setattr("gyro.estimate.match.synchronize_held", sync)
    monkeypatch.setattr("stabilize.cli.gyroscope.tracks_in", lambda video: tracks)
    return Match(read, tracks, known_settings(read, (tracks.width, tracks.height)), _true(SCENE))


def test_an_exported_path_does_not_drift(tmp_path: Path, drifting: Match, command: Command) -> None:
    words = ("gyro", "export", drifting.log.source, "--video", CLIPS / "walk.mp4", "-o", tmp_path / "path.csv")
    assert command(*words) == (0, "")
    table = np.loadtxt(tmp_path / "path.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(table[:, 0], drifting.tracks.time_s, atol=1e-6)
    found, true = Rotation.from_quat(table[:, 1:], scalar_first=True), simulate.World(SCENE).rotation(table[:, 0])
    error = ((true[0].inv() * true).inv() * (found[0].inv() * found)).magnitude()
    assert np.degrees(error.max()) < 0.02  # with the drift left out it is more than half a degree


def test_a_plot_shows_both_curves_and_its_axes(tmp_path: Path, drifting: Match) -> None:
    """The log is drawn half a second late, or its curve would cover the picture's."""
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


def test_sync_names_its_log_and_tries_those_that_are_there(
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


def test_the_log_of_the_lens_enters_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    """Beside X_gyro.txt lies X_ois.txt: the log is matched a second time, with the lens held still."""
    (tmp_path / "v_gyro.txt").write_text("".join(f"{i * 2500} 0.1 0.{i % 5} 0.3 0 {i}\n" for i in range(400)))
    (tmp_path / "v_ois.txt").write_text("".join(f"{i} 40.32 0 {i * 10_000_000}\n" for i in range(90)))
    tracks, seen = simulate.tracks(changed(SCENE, duration_s=0.8)), []

    def sync(tracks: Tracks, log: GyroLog, settings: SyncSettings) -> SyncResult:
        seen.append(tracks)
        return replace(_true(SCENE), offset_s=0.0, drift=0.0)

    monkeypatch.setattr("gyro.estimate.ois.synchronize", sync)
    monkeypatch.setattr("stabilize.cli.gyroscope.tracks_in", lambda video: tracks)
    assert command("gyro", "sync", CLIPS / "walk.mp4", tmp_path / "v_gyro.txt") == (0, "")
    first, held = seen
    np.testing.assert_allclose(first.prev_px - held.prev_px, np.tile([6.4, 0.0], (len(held.pair), 1)), atol=1e-6)
    (tmp_path / "v_ois.txt").unlink()
    assert command("gyro", "sync", CLIPS / "walk.mp4", tmp_path / "v_gyro.txt") == (0, "")
    assert len(seen) == 3
