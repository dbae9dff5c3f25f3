"""YAML, JSON and OpenCV's XML: valid files are read as specified, hostile ones are refused quickly."""

from __future__ import annotations

import time
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyro.errors import GyroError, LogError
from gyro.keyed_files import parse_keys, parse_yaml
from localfiles import read_text

OPENCV_YAML = """%YAML:1.0
---
calibration_time: "Fri 24 Nov 2026 10:11:12"
image_width: 640
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 535.9, 0., 342.3, 0., 535.9, 235.6, 0., 0.,
       1. ]
"""
ENTITY = "<!DOCTYPE o [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><opencv_storage><a>&x;</a></opencv_storage>"
LAUGHS = "<!DOCTYPE o [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><o><k>&b;</k></o>"


def test_opencvs_yaml_header_and_tag() -> None:
    keys = parse_keys(OPENCV_YAML)
    assert keys["image_width"] == 640.0 and keys["calibration_time"] == "Fri 24 Nov 2026 10:11:12"
    assert keys["camera_matrix"] == {
        "rows": 3.0,
        "cols": 3.0,
        "dt": "d",
        "data": [535.9, 0.0, 342.3, 0.0, 535.9, 235.6, 0.0, 0.0, 1.0],
    }


@pytest.mark.parametrize("ending", ["yaml", "xml", "json"])
def test_the_three_formats_of_opencv_have_the_same_content(tmp_path, ending) -> None:
    path = tmp_path / f"file.{ending}"
    store = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    store.write("image_width", 640)
    store.write("model", "radtan")
    store.write("K", np.array([[1e-5, 2.0], [3e300, -4.5]]))
    store.release()
    keys = parse_keys(read_text(path, 1 << 20, "test"))
    assert keys["image_width"] == 640.0 and keys["model"] == "radtan"
    matrix = keys["K"]
    assert isinstance(matrix, dict)
    assert matrix["data"] == [1e-5, 2.0, 3e300, -4.5] and matrix["rows"] == 2.0


@pytest.mark.parametrize(
    "text, value",
    [
        ("1", 1.0),
        ("-1.5e3", -1500.0),
        ("1e-05", 1e-5),
        (".5", 0.5),
        ("5.", 5.0),
        ("012", 12.0),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2014-06-27", "2014-06-27"),
        ("yes", "yes"),
        ("~", None),
        ("", None),
        ("'1.5'", "1.5"),
        ('"a # b"', "a # b"),
        ("a#b # c", "a#b"),
        ("{rows: 3, data: [1, [2, 3]]}", {"rows": 3.0, "data": [1.0, [2.0, 3.0]]}),
        ("\n- 1\n-  - 2\n   - 3", [1.0, [2.0, 3.0]]),
        ("one\n two", "one two"),
        ("|\n  one\n  two\n", "one\ntwo\n"),
        ("!!int 7", 7.0),
        ("!!python/object/apply:os.abort []", []),
        ("!!python/tuple [640, 480]", [640.0, 480.0]),
        ("!local {rows: 3}", {"rows": 3.0}),
        ("\n  1: 2", {"1.0": 2.0}),
    ],
)
def test_scalars_and_collections_of_yaml(text: str, value: object) -> None:
    found = parse_yaml(f"key: {text}")["key"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: &x 1\nb: *x", "line 2: .*aliases are not supported"),
        ("a: &a [*a]", "line 1: .*aliases"),
        ("a: !!float one", "'one' is not a number"),
        ("a: {[1]: 2}", "unhashable key"),
        ("a: 1 # " + "x" * (1 << 20), "more than 1 MiB"),
        ("a: [1", "line 1: .*expected"),
        ("a: 1\n\tb: 2", "line 2: "),
        ("a: 1\n---\nb: 2", "line 2: .*another document"),
        ('a: "\\UFFFFFFFF"', "not valid YAML"),
        ("%YAML 1." + "9" * 5000 + "\n---\na: 1\n%YAML 1." + "9" * 5000, "not valid YAML"),
        ("a: \0", "not valid YAML"),
        ("[1, 2]", "does not map keys"),
        ("", "does not map keys"),
        ("a: " + "[" * 100_000, "nested deeper"),
        ("a: " + "{b: " * 100_000, "nested deeper"),
        ("- " * 100_000, "nested deeper"),
        ("? " * 100_000, "nested deeper"),
        ('{"a":' * 100_000, "not valid JSON"),
        ("{a: 1}", "not valid JSON"),
        (ENTITY, "document type or entities"),
        (LAUGHS, "document type or entities"),
        ("<a>" * 100_000, "not valid XML"),
        ("<a>" * 100_000 + "</a>" * 100_000, "nested deeper"),
        ("<a/>", "does not map keys"),
        ("<a><b></a>", "not valid XML"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(LogError, match=message):
        parse_keys(text)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=300),
        st.text(alphabet="abc: -[]{},#\n0.1!&*?|>%\"'", max_size=300),
        st.text(alphabet="<>/ab&;![]x\"'= 1", max_size=200).map("<".__add__),
        st.text(alphabet='{}[]":,0e.1n', max_size=200).map("{".__add__),
    )
)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_keys(text)
    except GyroError as error:
        assert str(error)


def test_a_large_file_takes_bounded_time_and_memory() -> None:
    text = "a: [" + "\n1," * 5_000
    start = time.perf_counter()
    tracemalloc.start()
    with pytest.raises(LogError, match="expected"):
        parse_keys(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2000 * len(text) and time.perf_counter() - start < 30
