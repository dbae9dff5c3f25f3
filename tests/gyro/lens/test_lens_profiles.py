"""Lens profiles of Gyroflow, EuRoC, Kalibr and OpenCV, and invalid files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gyro.errors import GyroError, InputError, LensError, OutputError
from gyro.lens import Lens, load_lens, project, save_lens

SHARED = Path(__file__).parents[4] / "shared" / "data"
FISHEYE: dict[str, object] = {
    "RMS_error": 0.4,
    "camera_matrix": [[1189.1, 0, 1352.0], [0, 1190.2, 760.0], [0, 0, 1]],
    "distortion_coeffs": [0.0436, 0.0211, 0.0064, -0.0048],
}
GYROFLOW = {
    "name": "GoPro_HERO8 Black",
    "calib_dimension": {"w": 2704, "h": 1520},
    "orig_dimension": {"w": 2704, "h": 1520},
    "frame_readout_time": 11.2,
    "input_horizontal_stretch": 1.0,
    "use_opencv_fisheye": True,
    "fisheye_params": FISHEYE,
    "compatible_settings": [],
}
KALIBR = """cam0:
  camera_model: pinhole
  T_cam_imu:
  - [0.01, -0.99, 0.004, -0.02]
  - [0.99, 0.014, 0.02, -0.06]
  distortion_coeffs: [-0.003, 0.0007, -0.002, 0.0002]
  distortion_model: equidistant
  intrinsics: [190.97, 190.97, 254.93, 256.89]
  resolution: [512, 512]
  rostopic: /cam0/image_raw
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_gyroflow_fisheye(tmp_path):
    lens = load_lens(write(tmp_path / "p.json", json.dumps(GYROFLOW)))
    assert (lens.width, lens.height, lens.model) == (2704, 1520, "opencv_fisheye")
    assert lens.coefficients == (0.0436, 0.0211, 0.0064, -0.0048)
    assert lens.K[0, 0] == 1189.1 and lens.readout_s == pytest.approx(0.0112)


def test_gyroflow_standard_model(tmp_path):
    params = {**FISHEYE, "distortion_coeffs": [0.1, -0.2, 0.001, 0.002, 0.05]}
    profile = {**GYROFLOW, "distortion_model": "opencv_standard", "fisheye_params": params}
    lens = load_lens(write(tmp_path / "p.json", json.dumps(profile)))
    assert lens.model == "polynomial" and lens.coefficients == (0.1, -0.2, 0.001, 0.002, 0.05)


def test_an_anamorphic_profile_is_for_the_frame_before_the_stretch(tmp_path):
    """A ray falls at x in the stretched frame; in the recorded one all widths are divided by the stretch."""
    plain = load_lens(write(tmp_path / "p.json", json.dumps(GYROFLOW)))
    squeezed = load_lens(write(tmp_path / "s.json", json.dumps({**GYROFLOW, "input_horizontal_stretch": 1.33})))
    assert squeezed.width == round(2704 / 1.33) and squeezed.height == 1520
    rays = np.array([[0.5, -0.2, 1], [-0.9, 0.3, 1]])
    expected = project(plain, rays)
    expected[:, 0] = (expected[:, 0] + 0.5) / 1.33 - 0.5
    np.testing.assert_allclose(project(squeezed, rays), expected)


def test_euroc_yaml():
    path = SHARED / "gyro" / "euroc_cam0.yaml"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    lens = load_lens(path)
    assert (lens.width, lens.height, lens.model) == (752, 480, "polynomial")
    np.testing.assert_allclose(
        [lens.K[0, 0], lens.K[1, 1], lens.K[0, 2], lens.K[1, 2]], [458.654, 457.296, 367.215, 248.375]
    )
    assert lens.coefficients == (-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05)


def test_kalibr_chain(tmp_path):
    lens = load_lens(write(tmp_path / "camchain.yaml", KALIBR))
    assert (lens.width, lens.model) == (512, "opencv_fisheye")
    assert lens.coefficients[0] == -0.003 and lens.K[1, 2] == 256.89


@pytest.mark.parametrize("ending", ["yaml", "xml", "json"])
def test_files_that_opencv_itself_writes(tmp_path, ending):
    """OpenCV's calibration sample writes these keys through FileStorage."""
    path = tmp_path / f"out_camera_data.{ending}"
    K = np.array([[535.9, 0, 342.3], [0, 535.9, 235.6], [0, 0, 1]])
    store = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    store.write("image_width", 640)
    store.write("image_height", 480)
    store.write("camera_matrix", K)
    store.write("distortion_coefficients", np.array([[-0.26, -0.046, 0.0018, -0.0003, 0.2522]]))
    store.release()
    lens = load_lens(path)
    assert (lens.width, lens.height) == (640, 480)
    np.testing.assert_allclose(lens.K, K)
    assert lens.coefficients == pytest.approx((-0.26, -0.046, 0.0018, -0.0003, 0.2522))


@pytest.mark.parametrize(
    "lens",
    [
        Lens(
            640,
            480,
            np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]]),
            "polynomial",
            (-0.1, 0.2, 0.0, 0.001),
            "a",
            0.02,
        ),
        Lens(
            640, 480, np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]]), "opencv_fisheye", (0.1, 0.2, 0.3, 0.4), "b"
        ),
        Lens(640, 480, np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]]), name="c"),
    ],
)
def test_a_saved_profile_can_be_loaded(tmp_path, lens):
    save_lens(lens, tmp_path / "lens.json", rms_px=0.2)
    back = load_lens(tmp_path / "lens.json")
    assert (back.model, back.coefficients, back.name) == (lens.model, lens.coefficients, lens.name)
    np.testing.assert_array_equal(back.K, lens.K)
    assert back.readout_s == lens.readout_s


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not valid JSON"),
        ("[1, 2]", "does not map keys to values"),
        (json.dumps({**GYROFLOW, "distortion_model": "sony"}), "'sony' is not known"),
        (json.dumps({**GYROFLOW, "calib_dimension": {"w": 0, "h": 0}}), "frame side"),
        (json.dumps({**GYROFLOW, "input_horizontal_stretch": 1e-300}), "stretch"),
        (json.dumps({**GYROFLOW, "fisheye_params": {"camera_matrix": [[1, 2], [3, 4]]}}), "shape"),
        (json.dumps({**GYROFLOW, "fisheye_params": None}), "not a lens profile"),
        (KALIBR.replace("equidistant", "omni"), "'omni' is not known"),
        (KALIBR.replace("[190.97, 190.97, 254.93, 256.89]", "[190.97]"), "not a lens profile"),
        ("{" * 100_000, "not valid JSON"),
        ('{"a":' * 100_000, "not valid JSON"),
        ("<opencv_storage></opencv_storage>", "does not map keys to values"),
        ("<opencv_storage><a>1</a></opencv_storage>", "has no camera_matrix"),
        ("<opencv_storage><!ENTITY x SYSTEM 'file:///etc/passwd'>&x;</opencv_storage>", "not valid XML"),
    ],
)
def test_the_message_says_why_a_file_is_not_a_profile(tmp_path, text, message):
    with pytest.raises(LensError, match=message):
        load_lens(write(tmp_path / "p.txt", text))


def test_absent_and_unwritable(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_lens(tmp_path / "absent.json")
    with pytest.raises(OutputError, match="its folder does not exist"):
        save_lens(Lens(4, 4, np.eye(3)), tmp_path / "no" / "lens.json")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_to_a_profile_is_read_or_refused(tmp_path, data):
    seed = data.draw(st.sampled_from([json.dumps(GYROFLOW), KALIBR]))
    at = data.draw(st.integers(0, len(seed)))
    piece = data.draw(
        st.one_of(st.text(max_size=6), st.sampled_from(["[", "]", "null", "1e400", "-", "NaN", "{}", "\n- "]))
    )
    text = seed[:at] + piece + seed[at + data.draw(st.integers(0, 40)) :]
    (tmp_path / "p.json").write_text(text, errors="replace")
    try:
        load_lens(tmp_path / "p.json")
    except GyroError as error:
        assert str(error)
