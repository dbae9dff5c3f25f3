"""Frames are read with exact planes and times, the same by both readers."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stabilize.errors import InputError
from stabilize.settings import EncodeConfig
from stabilize.video.buffers import plane_views
from stabilize.video.layouts import LAYOUTS
from stabilize.video.probe import probe
from stabilize.video.reader import read_frames, read_luma
from stabilize.video.writer import VideoWriter
from tests.stabilize.video import clipmaker, hostile
from tests.stabilize.video.clipmaker import number_of, write

DATA = Path(__file__).parents[4] / "shared" / "data"
FFV1_FORMATS = [
    n for n in LAYOUTS if n.startswith(("yuv4", "yuva", "gray"))
]  # no lossless codec supports full-range and semi-planar formats
RAW_FORMATS = ["nv12", "nv21", "yuvj420p", "yuvj422p"]


def write_lossless(folder: Path, name: str, size: tuple[int, int]) -> Path:
    codec, muxer = ("ffv1", "matroska") if name in FFV1_FORMATS else ("rawvideo", "nut")
    path = folder / f"{name}.{muxer}"
    return write(path, frames=3, size=size, codec=codec, pix_fmt=name, time_base=Fraction(1, 25), format=muxer)


@pytest.mark.parametrize("size", [(96, 64), (161, 91)])
@pytest.mark.parametrize("name", [*FFV1_FORMATS, *RAW_FORMATS])
def test_lossless_files_are_read_bit_for_bit(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    frames = list(read_frames(write_lossless(tmp_path, name, size)))
    assert len(frames) == 3
    for number, frame in enumerate(frames):
        assert frame.layout.name.replace("yuvj", "yuv") == name.replace("yuvj", "yuv") and frame.size == size
        expected = plane_views(clipmaker.picture(number, name, *size), LAYOUTS[name])
        for plane, truth in zip(frame.planes, expected, strict=True):
            assert_array_equal(plane, truth)


@pytest.mark.parametrize("name", ["rgb24", "bgra", "gbrp10le", "yuva420p9le", "yuv411p", "gray16le"])
def test_other_formats_are_converted_and_reported(tmp_path: Path, name: str) -> None:
    codec, muxer = ("png", "mov") if name == "rgb24" else ("ffv1", "matroska")
    path = write(tmp_path / "x", frames=3, codec=codec, pix_fmt=name, time_base=Fraction(1, 1000), format=muxer)
    reading = read_frames(path)
    numbers = [number_of(frame.planes[0]) for frame in reading]
    if not name.startswith(("rgb", "bgr", "gbr")):  # their bar code is in one of three channels
        assert numbers == [0, 1, 2]
    assert reading.report.converted == 3
    assert any("pixel format" in warning for warning in reading.report.warnings)


def test_red_is_red_after_conversion(tmp_path: Path) -> None:
    """By the definition of BT.709 limited range, Y = 16 + 219 * 0.2126, Cb and Cr likewise."""
    path = tmp_path / "red.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgr0"
        red = np.zeros((32, 32, 4), np.uint8)
        red[..., 2] = 255
        out.mux(stream.encode(av.VideoFrame.from_ndarray(red[..., :3].copy(), "bgr24").reformat(format="bgr0")))
        out.mux(stream.encode(None))
    frame = next(read_frames(path))
    assert frame.layout.name == "yuv444p"
    assert [int(plane[16, 16]) for plane in frame.planes] == pytest.approx([63, 102, 240], abs=1)


def test_planes_are_read_only_views_that_outlive_the_reader(tmp_path: Path) -> None:
    reading = read_frames(write(tmp_path / "x.mp4", frames=40))
    frames_read = [frame for _, frame in zip(range(5), reading, strict=False)]
    reading.close()
    del reading
    gc.collect()
    assert [number_of(frame.planes[0]) for frame in frames_read] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError):
        frames_read[0].planes[0][0, 0] = 1


def test_reads_that_stop_early_or_never_start_leave_no_file_open(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mp4", frames=60, options={"bf": "3"})
    open_before = os.listdir("/proc/self/fd")
    for stop in range(0, 12, 3):
        with read_frames(path) as reading:
            for _ in range(stop):
                next(reading)
    read_frames(path)
    assert os.listdir("/proc/self/fd") == open_before


@pytest.mark.parametrize("name", hostile.READABLE)
def test_both_readers_return_the_same_frames_and_times(tmp_path: Path, name: str) -> None:
    path = hostile.READABLE[name](tmp_path)
    native, small = read_frames(path), read_luma(path, (48, 32))
    frames = [(frame.pts, number_of(frame.planes[0])) for frame in native]
    assert [(pts, number_of(gray)) for pts, gray in small] == frames
    assert small.report == native.report
    assert all(a < b for (a, _), (b, _) in itertools.pairwise(frames))


@pytest.mark.parametrize("bits, name", [(8, "yuv420p"), (10, "yuv420p10le"), (12, "yuv420p12le")])
def test_luma_is_the_area_mean_in_eight_bits(tmp_path: Path, bits: int, name: str) -> None:
    path = write(tmp_path / "x.mkv", frames=2, codec="ffv1", pix_fmt=name, size=(96, 64), time_base=Fraction(1, 1000))
    _, gray = next(read_luma(path, (48, 32)))
    full = plane_views(clipmaker.picture(0, name, 96, 64), LAYOUTS[name])[0].astype(float)
    means = full.reshape(32, 2, 48, 2).mean(axis=(1, 3)) / (1 << (bits - 8))
    assert gray.dtype == np.uint8 and gray.shape == (32, 48)
    assert_allclose(gray, means, atol=1.01)


def test_luma_at_native_size_is_the_plane(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mkv", frames=1, codec="ffv1", time_base=Fraction(1, 1000))
    _, gray = next(read_luma(path, (96, 64)))
    assert_array_equal(gray, next(read_frames(path)).planes[0])


def test_times_after_damage_are_unchanged(tmp_path: Path) -> None:
    reading = read_frames(hostile.corrupt_middle(tmp_path))
    frames = {number_of(frame.planes[0]): frame.pts for frame in reading}
    assert frames == {n: 512 * n for n in range(12) if n not in (5, 6)}
    assert reading.report.lost == 2
    assert "damaged" in " ".join(reading.report.warnings)


def test_concealed_damage_is_counted(tmp_path: Path) -> None:
    reading = read_frames(hostile.scratched(tmp_path))
    assert [frame.pts for frame in reading] == [512 * n for n in range(24)]
    assert reading.report.damaged > 0


@pytest.mark.parametrize("builder", [hostile.truncated, hostile.truncated_mkv])
def test_truncated_file_is_read_and_reported(tmp_path: Path, builder: object) -> None:
    path = builder(tmp_path)  # type: ignore[operator]
    reading = read_frames(path)
    numbers = [number_of(frame.planes[0]) for frame in reading]
    assert numbers == list(range(len(numbers))) and len(numbers) >= 10
    assert reading.report.missing > 0 and "ends early" in reading.report.warnings[-1]


def test_repeated_and_decreasing_times_are_repaired_and_counted(tmp_path: Path) -> None:
    reading = read_frames(hostile.repeated_pts(tmp_path))
    times = [frame.pts for frame in reading]
    assert len(times) == 12 and reading.report.repaired_pts == 2
    assert times[4:6] == [160, 200] and times[7:] == [280, 320, 360, 400, 440]


def test_frames_without_times_get_a_constant_rate(tmp_path: Path) -> None:
    times = [frame.pts for frame in read_frames(hostile.missing_pts(tmp_path))]
    assert len(times) == 12 and len(set(np.diff(times))) == 1


@pytest.mark.parametrize(
    "builder, field", [(hostile.changing_size, "rescaled"), (hostile.changing_format, "converted")]
)
def test_frames_of_another_size_or_format_are_converted_to_the_first(
    tmp_path: Path, builder: object, field: str
) -> None:
    reading = read_frames(builder(tmp_path))  # type: ignore[operator]
    frames = list(reading)
    assert {(frame.size, frame.layout.name) for frame in frames} == {((96, 64), "yuv420p")}
    assert [number_of(frame.planes[0]) for frame in frames] == list(range(12))
    assert getattr(reading.report, field) == 6 and reading.report.warnings


@pytest.mark.parametrize(
    "change", [{"size": (128, 96)}, {"pix_fmt": "yuv444p"}, {"frames": 11}, {"audio": [{}]}, {"codec": "mpeg4"}]
)
def test_file_replaced_after_probing_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = write(tmp_path / "x.mp4", audio=[])
    info = probe(path)
    assert len(list(read_frames(info))) == 12
    write(path, **change)
    with pytest.raises(InputError, match="changed or replaced"):
        list(read_frames(info))
    with pytest.raises(InputError, match="changed or replaced"), VideoWriter(info, tmp_path / "out.mp4"):
        pass
    with pytest.raises(InputError, match="changed or replaced"):
        VideoWriter(info, tmp_path / "out.mp4").dry_run()
    assert [file.name for file in tmp_path.iterdir()] == ["x.mp4"]


def test_replaced_file_of_the_same_length_is_detected_by_its_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mkv", time_base=Fraction(1, 1000))
    info, length = probe(path), path.stat().st_size
    other = write(tmp_path / "y.mkv", frames=2, size=(48, 32), time_base=Fraction(1, 1000)).read_bytes()
    path.write_bytes(other + bytes(length - len(other)))
    for reading in (read_frames(info), read_luma(info, (24, 16))):
        with pytest.raises(InputError, match="changed or replaced"):
            list(reading)


@pytest.mark.parametrize("transparent", [False, True])
def test_gif(tmp_path: Path, transparent: bool) -> None:
    """Intervals of any length, and transparency, which FFmpeg's decoder always returns."""
    path, times = tmp_path / "x.gif", [0, 4, 8, 20, 24]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("gif", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 96, 64, "bgr8", Fraction(1, 100)
        for number, time in enumerate(times):
            rgb = clipmaker.picture(number).reformat(format="bgr8")
            rgb.pts, rgb.time_base = time, Fraction(1, 100)
            out.mux(stream.encode(rgb))
        out.mux(stream.encode(None))
    reading = read_frames(path)
    frames = list(reading)
    assert [frame.pts for frame in frames] == times and frames[0].layout.has_alpha
    assert [number_of(frame.planes[0]) for frame in frames] == list(range(5))
    target = tmp_path / ("x.mkv" if transparent else "x.mp4")
    with VideoWriter(path, target, EncodeConfig(codec="ffv1" if transparent else None)) as writer:
        for frame in frames:
            writer.write(frame)
    assert any("transparency is left out" in warning for warning in writer.warnings) != transparent
    assert [frame.pts * probe(target).video.time_base for frame in read_frames(target)] == [
        Fraction(time, 100) for time in times
    ]


@pytest.mark.parametrize("name", hostile.UNREADABLE)
def test_unreadable_files_raise_an_error_with_their_name(tmp_path: Path, name: str) -> None:
    builder, message = hostile.UNREADABLE[name]
    path = builder(tmp_path)
    for read in (lambda: list(read_frames(path)), lambda: list(read_luma(path, (48, 32)))):
        with pytest.raises(InputError, match=message) as caught:
            read()
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_names_that_look_like_protocols_are_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    for name in ("file:clip.mp4", "-i", "concat:clip.mp4|clip.mp4", "clip_%d.mp4"):
        with pytest.raises(InputError):
            next(read_frames(name))
        (tmp_path / name).write_bytes(clip.read_bytes())
        assert len(list(read_frames(name))) == 12
    for name in ("http://127.0.0.1:9/clip.mp4", "pipe:0", "-", f"file://{clip}"):
        with pytest.raises(InputError, match="cannot be read"):
            next(read_frames(name))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_read_permission(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mp4")
    path.chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        next(read_frames(path))


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
@pytest.mark.parametrize("clip", ["hippo.mp4", "selfie.mp4", "flamingos.avi", "dusk.mp4"])
def test_times_of_real_clips_agree_with_ffprobe(clip: str) -> None:
    if subprocess.run(["which", "ffprobe"], capture_output=True, check=False).returncode:
        pytest.skip("ffprobe is not installed")
    path = DATA / "clips" / clip
    command = ["ffprobe", "-v", "quiet", "-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp"]
    printed = subprocess.run([*command, "-of", "csv=p=0", path], capture_output=True, text=True, check=True).stdout
    expected = [int(line.strip(",")) for line in printed.split() if line.strip(",").isdigit()]
    assert [pts for pts, _ in read_luma(path, (64, 36))] == expected


def test_cv2_accepts_padded_views(tmp_path: Path) -> None:
    frame = next(read_frames(hostile.odd(tmp_path)))
    assert cv2.resize(frame.planes[0], (80, 45)).shape == (45, 80)
