"""Lens profiles: Gyroflow's JSON, EuRoC's and Kalibr's YAML, OpenCV's YAML, XML and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gyro.errors import GyroError, LensError, file_errors
from gyro.keyed_files import Value, parse_keys
from gyro.lens.model import MAX_SIDE, Lens
from gyro.log import Float
from localfiles import read_text, write_text

MAX_BYTES = 1 << 22
MESSAGE_TEXT_MAX = 60  # characters of a file that a message quotes
_GYROFLOW_MODELS = {"": "opencv_fisheye", "opencv_fisheye": "opencv_fisheye", "opencv_standard": "polynomial"}
_YAML_MODELS = {
    "radial-tangential": "polynomial",
    "radtan": "polynomial",
    "plumb_bob": "polynomial",
    "equidistant": "opencv_fisheye",
    "fisheye": "opencv_fisheye",
    "none": "pinhole",
}


def load_lens(path: Path | str) -> Lens:
    """Read a lens profile of a known format. Raises InputError where the file cannot be read, LensError where it is
    not a usable profile."""
    path = Path(path)
    with file_errors():
        text = read_text(path, MAX_BYTES, "lens profile")
    try:
        keys = parse_keys(text)
        return _from_gyroflow(keys, path.stem) if "fisheye_params" in keys else _from_calibration_tool(keys, path.stem)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, RecursionError) as error:
        raise LensError(
            f"{path.name}: not a lens profile of a known format ({repr(error)[:MESSAGE_TEXT_MAX]})"
        ) from error
    except GyroError as error:
        raise LensError(f"{path.name}: {error}") from error


def save_lens(
    lens: Lens,
    path: Path | str,
    rms_px: float | None = None,
    inputs: Iterable[Path | str] = (),
    overwrite: bool = False,
) -> None:
    """Write a profile as Gyroflow's JSON. Raises UsageError where `path` is one of the `inputs`, OutputError where it
    cannot be written, or exists and `overwrite` is false."""
    model = {"polynomial": "opencv_standard"}.get(lens.model, "opencv_fisheye")
    size = {"w": lens.width, "h": lens.height}
    if lens.model == "pinhole":
        model = "opencv_standard"
    profile = {
        "name": lens.name,
        "calibrator_version": "stabilize",
        "calib_dimension": size,
        "orig_dimension": size,
        "input_horizontal_stretch": 1.0,
        "input_vertical_stretch": 1.0,
        "frame_readout_time": None if lens.readout_s is None else lens.readout_s * 1000,
        "distortion_model": model,
        "fisheye_params": {
            "RMS_error": rms_px or 0.0,
            "camera_matrix": lens.K.tolist(),
            "distortion_coeffs": list(lens.coefficients) or [0.0] * 4,
        },
    }
    with file_errors():
        write_text(path, json.dumps(profile, indent=2, allow_nan=False) + "\n", inputs, overwrite)


def _from_gyroflow(profile: dict[str, Any], stem: str) -> Lens:
    """Convert Gyroflow's profile. Gyroflow calibrates stretched frames; this undoes the stretch."""
    params = profile["fisheye_params"]
    K = _matrix(params["camera_matrix"])
    sx, sy = (_positive(profile.get(f"input_{way}_stretch") or 1.0) for way in ("horizontal", "vertical"))
    size = profile["calib_dimension"]
    name = str(profile.get("distortion_model") or "")
    if name not in _GYROFLOW_MODELS:
        raise LensError(
            f"distortion model {name[:MESSAGE_TEXT_MAX]!r} is not known; known: "
            f"{', '.join(filter(None, _GYROFLOW_MODELS))}"
        )
    model, coefficients = _shape(_GYROFLOW_MODELS[name], [float(c) for c in params.get("distortion_coeffs") or []])
    readout_ms = profile.get("frame_readout_time")
    return Lens(
        width=_frame_side(size["w"] / sx),
        height=_frame_side(size["h"] / sy),
        K=_unstretched(K, sx, sy),
        model=model,
        coefficients=coefficients,
        name=str(profile.get("name") or stem)[:MESSAGE_TEXT_MAX],
        readout_s=float(readout_ms) / 1000 if readout_ms else None,
    )


def _unstretched(K: Float, sx: float, sy: float) -> Float:
    """Return the intrinsics before a stretch, which scales pixel edges, not centres."""
    K = K.copy()
    K[0, 0], K[1, 1] = K[0, 0] / sx, K[1, 1] / sy
    K[0, 2], K[1, 2] = (K[0, 2] + 0.5) / sx - 0.5, (K[1, 2] + 0.5) / sy - 0.5
    return K


def _from_calibration_tool(keys: dict[str, Value], stem: str) -> Lens:
    """Convert the keys of EuRoC (one camera), Kalibr (cam0 of a chain) or OpenCV (camera_matrix, ...)."""
    chain = keys.get("cam0")
    if isinstance(chain, dict):
        keys = chain
    if "intrinsics" in keys:
        fx, fy, cx, cy = _floats(keys["intrinsics"])
        width, height = _floats(keys["resolution"])
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        name = str(keys.get("distortion_model", "none"))
        listed = keys.get("distortion_coefficients", keys.get("distortion_coeffs", []))
    else:
        K = np.array(_floats(_data(keys, "camera_matrix", "Camera_Matrix", "K", "cameraMatrix"))).reshape(3, 3)
        width, height = (
            _floats([_first_value(keys, side, f"image_{side.lower()}", side.title())])[0]
            for side in ("width", "height")
        )
        listed = _data(keys, "distortion_coefficients", "Distortion_Coefficients", "D", "distCoeffs")
        name = "fisheye" if keys.get("fisheye_model") == 1.0 else str(keys.get("distortion_model", "radtan"))
    if name not in _YAML_MODELS:
        raise LensError(f"distortion model {name[:MESSAGE_TEXT_MAX]!r} is not known; known: {', '.join(_YAML_MODELS)}")
    model, coefficients = _shape(_YAML_MODELS[name], _floats(listed))
    return Lens(_frame_side(width), _frame_side(height), K, model, coefficients, stem)


def _shape(model: str, coefficients: list[float]) -> tuple[str, tuple[float, ...]]:
    """Return model and coefficients for `Lens`, without zeros at the end; a pinhole without coefficients."""
    while coefficients and coefficients[-1] == 0:
        coefficients.pop()
    if not coefficients:
        return "pinhole", ()
    length = next((n for n in ((4,) if model == "opencv_fisheye" else (4, 5, 8)) if n >= len(coefficients)), None)
    if length is None:
        raise LensError(f"{len(coefficients)} distortion coefficients are more than the model {model} supports")
    return model, tuple(coefficients + [0.0] * (length - len(coefficients)))


def _first_value(keys: dict[str, Value], *names: str) -> Value:
    for name in names:
        if name in keys:
            return keys[name]
    raise LensError(f"the profile has no {names[0]}")


def _data(keys: dict[str, Value], *names: str) -> Value:
    """Return the values of a matrix of OpenCV or ROS: of a mapping with rows, cols and data, or of a list."""
    value = _first_value(keys, *names)
    return value["data"] if isinstance(value, dict) else value


def _floats(value: Value) -> list[float]:
    """Return the numbers of a list, nested lists flattened."""
    if isinstance(value, list):
        return [number for item in value for number in _floats(item)]
    if not isinstance(value, float):
        raise LensError(f"{str(value)[:40]!r} where a number was expected")
    return [value]


def _matrix(rows: list[list[float]]) -> Float:
    matrix = np.array(rows, dtype=float)
    if matrix.shape != (3, 3):
        raise LensError(f"a camera matrix of shape {matrix.shape} instead of (3, 3)")
    return matrix


def _positive(value: float) -> float:
    if not (math.isfinite(float(value)) and 0.01 < float(value) < 100):
        raise LensError(f"a stretch of {value} is out of range")
    return float(value)


def _frame_side(value: float) -> int:
    if not 1 <= value <= MAX_SIDE:
        raise LensError(f"a frame side of {value} pixels is out of range")
    return round(value)
