"""Exports can be read again, and commands print what the library returns."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from gyro.axis_letters import letters_to_matrix, matrix_to_letters
from gyro.cli import calibrate
from gyro.errors import LogError, OutputError, UsageError
from gyro.estimate import prior_settings
from gyro.estimate.tracks import Tracks
from gyro.export import write_gcsv, write_path
from gyro.lens import Lens, load_lens, save_lens
from gyro.log import GyroLog
from gyro.plot import video_rates
from gyro.readers import read_log
from stabilize.cli.gyroscope import app

ROOT = Path(__file__).parents[3]
CLIPS = ROOT / "samples" / "clips"


def run(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("name", ["karma.mp4", "hero7_eis.mp4", "hero11.raw"])
def test_gcsv_preserves_the_camera_motion(tmp_path, recording, name):
    """Rates, acceleration and read-out in camera axes are those of the GoPro file, through the orientation string."""
    log = read_log(recording(name))
    write_gcsv(log, tmp_path / "out.gcsv")
    back = read_log(tmp_path / "out.gcsv")
    assert log.R_cam_gyro is not None and back.R_cam_gyro is not None
    assert log.accel_m_s2 is not None and back.accel_m_s2 is not None
    np.testing.assert_allclose(back.time_s, log.time_s, atol=1e-7)
    np.testing.assert_allclose(
        back.gyro_rad_s @ back.R_cam_gyro.T, log.gyro_rad_s @ log.R_cam_gyro.T, rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(
        back.accel_m_s2 @ back.R_cam_gyro.T, log.accel_m_s2 @ log.R_cam_gyro.T, rtol=1e-6, atol=1e-6
    )
    assert back.readout_s == (None if log.readout_s is None else pytest.approx(log.readout_s, rel=1e-5))


def test_skewed_and_unknown_axes_survive_gcsv(tmp_path, truth):
    askew = Rotation.from_rotvec([0.3, -0.5, 0.2]).as_matrix()
    log = GyroLog("x", "test", truth.time_s, truth.gyro, truth.accel, readout_s=-0.02, R_cam_gyro=askew)
    write_gcsv(log, tmp_path / "a.gcsv")
    back = read_log(tmp_path / "a.gcsv")
    assert back.R_cam_gyro is not None
    np.testing.assert_allclose(back.gyro_rad_s @ back.R_cam_gyro.T, truth.gyro @ askew.T, atol=1e-7)
    assert back.readout_s == pytest.approx(-0.02)
    write_gcsv(GyroLog("x", "test", truth.time_s, truth.gyro), tmp_path / "b.gcsv")
    np.testing.assert_allclose(read_log(tmp_path / "b.gcsv").gyro_rad_s, truth.gyro, atol=1e-7)
    assert "axes unknown" in (tmp_path / "b.gcsv").read_text()


@pytest.mark.parametrize("letters", ["XYZ", "YxZ", "xzY", "zyx", "ZXy"])
def test_letters_are_the_inverse_of_their_matrix(letters):
    assert matrix_to_letters(letters_to_matrix(letters)) == letters
    assert matrix_to_letters(Rotation.from_rotvec([0.1, 0, 0]).as_matrix()) is None


@pytest.mark.parametrize("name", ["path.csv", "path.json"])
def test_a_camera_path_keeps_its_rotations(tmp_path, name):
    time_s, R = np.arange(50) / 30, Rotation.random(50, rng=np.random.default_rng(0))
    write_path(time_s, R, tmp_path / name)
    if name.endswith("json"):
        rows = [[row[k] for k in ("t_s", "qw", "qx", "qy", "qz")] for row in json.loads((tmp_path / name).read_text())]
    else:
        text = (tmp_path / name).read_text().splitlines()
        assert text[0] == "t_s,qw,qx,qy,qz"
        rows = [list(map(float, line.split(","))) for line in text[1:]]
    table = np.array(rows)
    np.testing.assert_allclose(table[:, 0], time_s, atol=1e-7)
    assert np.max((Rotation.from_quat(table[:, 1:], scalar_first=True) * R.inv()).magnitude()) < 1e-8


def test_invalid_exports_are_refused(tmp_path, truth):
    log = GyroLog("x", "test", truth.time_s, truth.gyro)
    with pytest.raises(OutputError, match="its folder does not exist"):
        write_gcsv(log, tmp_path / "no" / "a.gcsv")
    with pytest.raises(OutputError, match="its folder does not exist"):
        write_path(np.zeros(1), Rotation.identity(1), tmp_path / "no" / "a.csv")


def test_info_shows_content_and_damage(tmp_path):
    lines = [f"{i * 5},0.1,{i % 3},0.2" for i in range(400)]
    lines[100] = "500,oops,0,0"
    (tmp_path / "log.csv").write_text("t_ms,gx_rad_s,gy_rad_s,gz_rad_s\n" + "\n".join(lines) + "\n")
    printed = run("info", tmp_path / "log.csv")
    assert "200.0" in printed and "time in ms" in printed and "line 102: cell 2 is 'oops'" in printed
    assert "0.495 to 0.505 s" in printed
    facts = json.loads(run("info", tmp_path / "log.csv", "--json", "--time-unit", "us"))
    assert facts["rate_hz"] == pytest.approx(200_000)
    with pytest.raises(UsageError, match=r"4 .* or 7"):
        run("info", tmp_path / "log.csv", "--gyro-columns", "t_ms,gx")


def test_export_refuses_what_would_harm(tmp_path, truth):
    rows = "\n".join(",".join(row) for row in truth.rows())
    log = tmp_path / "log.csv"
    log.write_text("t,gx,gy,gz,ax,ay,az\n" + rows + "\n")
    before = log.read_bytes()
    with pytest.raises(UsageError, match="is the input itself"):
        run("export", log, "-o", log)
    with pytest.raises(UsageError, match=r"\.gcsv, \.csv or \.json"):
        run("export", log, "-o", tmp_path / "log.xlsx")
    assert log.read_bytes() == before
    run("export", log, "-o", tmp_path / "log.gcsv")
    np.testing.assert_allclose(read_log(tmp_path / "log.gcsv").gyro_rad_s, truth.gyro, atol=1e-6)


def test_exported_path_turns_as_the_body_did(tmp_path, truth):
    """Without stated axes the orientations are those of the log's body, levelled by gravity."""
    rows = "\n".join(",".join(row) for row in truth.rows())
    (tmp_path / "log.csv").write_text("t,gx,gy,gz,ax,ay,az\n" + rows + "\n")
    run("export", tmp_path / "log.csv", "-o", tmp_path / "path.csv")
    table = np.loadtxt(tmp_path / "path.csv", delimiter=",", skiprows=1)
    R = Rotation.from_quat(table[:, 1:], scalar_first=True)
    up = R[600:].apply(truth.accel[600:] / 9.80665)
    assert np.max(np.linalg.norm(up - [0, 0, 1], axis=1)) < 0.02


def test_sync_of_a_sample_with_its_side_file(tmp_path):
    """The log beside the clip has a true offset of 0."""
    clip = CLIPS / "handheld.mp4"
    if not clip.exists():
        pytest.skip(f"{clip} is absent: run `make samples`")
    facts = json.loads(run("sync", clip, "--json", "--plot", tmp_path / "sync.png"))
    assert facts["accepted"] and not facts["mirrored"]
    assert abs(facts["offset_s"]) < 5e-4 + 3 * facts["standard_errors"]["offset_s"]
    assert (tmp_path / "sync.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(LogError, match="no gyroscope log in it"):
        (tmp_path / "alone.mp4").symlink_to(clip)
        run("sync", tmp_path / "alone.mp4")


def test_known_values_enter_the_synchronisation(tmp_path, truth):
    """A profile for another frame size, and a readout time of the log, which overrides that of the profile."""
    K = np.array([[800.0, 0, 960], [0, 820, 540], [0, 0, 1]])
    save_lens(Lens(1920, 1080, K, "polynomial", (-0.1, 0, 0, 0), readout_s=0.03), tmp_path / "lens.json")
    log = GyroLog("x", "test", truth.time_s, truth.gyro)
    known = prior_settings(log, (960, 540), None, tmp_path / "lens.json")
    assert known.lens is not None
    assert (known.lens.width, known.lens.height, known.lens.coefficients) == (960, 540, (-0.1, 0, 0, 0))
    np.testing.assert_allclose(np.diag(known.lens.K), [400, 410, 1])
    assert known.readout_s == pytest.approx(0.03) and known.k1 == 0  # what is left over the profile
    assert known.focal_rel_std < 0.05 and known.readout_std_s < 0.005
    both = prior_settings(replace(log, readout_s=-0.01), (960, 540), 500.0, tmp_path / "lens.json")
    assert both.readout_s == -0.01 and both.lens is not None
    np.testing.assert_allclose(np.diag(both.lens.K), [500, 512.5, 1])  # the stated focal length, the profile's shape
    assert prior_settings(log, (960, 540), None, None).lens is None
    save_lens(Lens(1920, 1080, K, "opencv_fisheye", (0.05, 0.01, 0.0, 0.0)), tmp_path / "fisheye.json")
    fisheye = prior_settings(log, (1920, 1080), None, tmp_path / "fisheye.json").lens
    assert fisheye is not None
    assert (fisheye.model, fisheye.coefficients) == ("opencv_fisheye", (0.05, 0.01, 0.0, 0.0))


def test_the_plots_rates_are_those_of_the_camera():
    """Matches of random points under known rates, 20 % of them outliers."""
    rng = np.random.default_rng(5)
    rates = rng.normal(0, 0.4, (30, 3))
    ray = np.column_stack([rng.uniform(-0.5, 0.5, (30 * 80, 2)), np.ones(30 * 80)])
    pair = np.repeat(np.arange(30), 80)
    later = Rotation.from_rotvec(-rates[pair] / 30).apply(
        ray
    )  # a camera that turns by R sees what rests turn by its inverse
    later = later[:, :2] / later[:, 2:]
    later[::5] += rng.uniform(-0.05, 0.05, later[::5].shape)
    centre = np.array([319.5, 239.5])
    tracks = Tracks(np.arange(31) / 30, 640, 480, pair, 500 * ray[:, :2] + centre, 500 * later + centre)
    time_s, found = video_rates(tracks, 500.0)
    np.testing.assert_allclose(time_s, (np.arange(30) + 0.5) / 30)
    assert np.max(np.abs(found - rates)) < 0.05


def test_calibrate_writes_a_profile(tmp_path, capsys):
    pictures = ROOT.parent / "shared" / "data" / "calibration"
    if not pictures.exists():
        pytest.skip(f"{pictures} is absent")
    calibrate([pictures], tmp_path / "lens.json")
    printed = capsys.readouterr().out
    assert "fx  533.14 +- 0.4" in printed and "13 of 13 views" in printed
    assert load_lens(tmp_path / "lens.json").K[0, 0] == pytest.approx(533.14, abs=0.01)
    with pytest.raises(UsageError, match="--pattern"):
        calibrate([pictures], tmp_path / "lens.json", "9by6")


def test_help_is_fast():
    """No heavy library is imported before a command runs."""
    code = "import gyro.cli, sys; print(sorted({'numpy', 'cv2', 'scipy', 'av', 'vqf', 'torch'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"
