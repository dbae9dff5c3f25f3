"""Reading: hostile and odd files. Each file's comment says what is wrong with it."""

from __future__ import annotations

import itertools
import socket
import struct
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from metrics.errors import MetricsError, VideoReadError
from metrics.judging import judge
from metrics.video import GrayFrame, ReadLog, pair_by_time, probe, read_gray, read_rgb, unchanged
from tests.metrics import judge_scenes as scenes


@pytest.mark.parametrize("content", [b"", b"\x00" * 5000, b"this is text", b"\x1a\x45\xdf\xa3" + b"\xff" * 400])
def test_a_file_that_is_not_a_video_is_an_error_of_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "no.mkv"
    path.write_bytes(content)
    with pytest.raises(VideoReadError, match=r"no\.mkv") as caught:
        judge(path)
    assert "\n" not in str(caught.value)


def test_a_playlist_does_not_open_another_file(walk_before: Path, tmp_path: Path) -> None:
    for name, text in {
        "list.txt": f"ffconcat version 1.0\nfile '{walk_before}'\n",
        "list.mp4": f"ffconcat version 1.0\nfile '{walk_before}'\n",
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\nhttp://127.0.0.1:9/{walk_before.name}\n#EXT-X-ENDLIST\n",
        "local.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{walk_before.name}\n#EXT-X-ENDLIST\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(VideoReadError, match="playlist"):
            judge(tmp_path / name)


@pytest.mark.parametrize("name", ["playlist.mp4", "hl.m3u8", "v.svg"])
def test_hostile_files_that_are_not_videos(name: str, data: Path) -> None:
    """Two playlists of the sound plain.mp4 and seg.ts beside them, and a picture whose decoder is not there."""
    with pytest.raises(VideoReadError) as caught:
        judge(data / "hostile" / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.bmp", "x.webp", "x.mp4"])
def test_an_image_is_not_a_video(name: str, tmp_path: Path) -> None:
    coded, data = cv2.imencode(".png" if name == "x.mp4" else Path(name).suffix, scenes.view(scenes.similarity()))
    assert coded
    (tmp_path / name).write_bytes(data.tobytes())
    with pytest.raises(VideoReadError):
        judge(tmp_path / name)


def test_a_relative_path_that_looks_like_a_url_is_a_path(
    walk_before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/walk.mkv"
        monkeypatch.chdir(tmp_path)
        Path(address).parent.mkdir(parents=True)
        Path(address).write_bytes(walk_before.read_bytes())
        assert len(list(read_gray(Path(address)))) == 36
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_file_that_changes_while_it_is_judged_is_an_error(walk_before: Path, tmp_path: Path) -> None:
    changing = tmp_path / "changing.mkv"
    changing.write_bytes(walk_before.read_bytes())

    def cut_short(frames: int) -> None:
        if frames == 5:
            changing.write_bytes(walk_before.read_bytes()[:5000])

    with pytest.raises(VideoReadError, match=r"changing\.mkv: changed while"):
        judge(walk_before, changing, tick=cut_short)


def test_a_file_that_is_deleted_while_it_is_judged_is_an_error(walk_before: Path, tmp_path: Path) -> None:
    going = tmp_path / "going.mkv"
    going.write_bytes(walk_before.read_bytes())
    with pytest.raises(VideoReadError, match="changed while"), unchanged(going):
        going.unlink()
        raise IndexError("whatever comes of it")


@pytest.mark.parametrize("mode", ["robust", "nndvs"])  # nndvs compares frame with frame; the others match by features
def test_frames_of_another_size_are_resized_to_the_first(mode: str, tmp_path: Path) -> None:
    """Two MPEG transport streams of different sizes, one after the other, as broadcasts have it."""
    for scale in (1.0, 0.5):
        views = [scenes.view(scenes.similarity(i), scale=scale) for i in range(36)]
        part = scenes.write(tmp_path / "part.ts", views, codec="libx264", options={"bf": "0"})
        with (tmp_path / "both.ts").open("ab") as both:
            both.write(part.read_bytes())
    judgement = judge(tmp_path / "both.ts", tmp_path / "both.ts", mode)
    assert judgement.out.size == scenes.SIZE
    assert {frame.gray.shape for frame in read_gray(tmp_path / "both.ts", scenes.SIZE)} == {scenes.SIZE[::-1]}


@pytest.mark.parametrize("name", ["v2_471_hflip.mp4", "ts1000000000.mp4"])
def test_a_damaged_clock_takes_no_memory(name: str, data: Path, tmp_path: Path) -> None:
    """20 to 27 KB that claim centuries, or 10^9 ticks a second: judged, with a page, in less than a gigabyte."""
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    code = "import sys; from metrics import judge, report_page; report_page(judge(sys.argv[1], sys.argv[1]));"
    code += " print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    command = [sys.executable, "-c", code, str(data / "hostile" / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1 << 20  # KB


def test_audio_alone_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoReadError, match="no video track"):
        probe(path)


def test_a_truncated_file_is_judged_up_to_its_end_with_a_note(clips: Path, tmp_path: Path) -> None:
    whole = scenes.write(
        clips / "whole.mkv",
        (scenes.view(scenes.similarity(i)) for i in range(60)),
        codec="libx264",
        options={"g": "10", "bf": "0"},
    )
    data = bytearray(whole.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = b"\xa5" * 3000  # damage amid the packets
    torn = tmp_path / "torn.mkv"
    torn.write_bytes(data[: len(data) * 9 // 10])  # and the tail is missing
    log = ReadLog()
    frames = list(read_gray(torn, None, log))
    assert 10 < len(frames) < 60
    assert judge(torn, whole)["visible"].total == len(frames)


def test_times_written_in_decoding_order_are_sorted(data: Path) -> None:
    """static_box.mp4 has B-frames but writes decoding times as presentation times: the decoder's order is right."""
    log = ReadLog()
    frames = list(read_gray(data / "clips" / "static_box.mp4", (160, 90), log))
    assert len(frames) > 440
    steps = [np.abs(b.gray.astype(int) - a.gray).mean() for a, b in itertools.pairwise(frames)]
    skips = [np.abs(b.gray.astype(int) - a.gray).mean() for a, b in zip(frames, frames[3:], strict=False)]
    assert np.mean(steps) < np.mean(skips)
    assert all(b.t_s > a.t_s for a, b in itertools.pairwise(frames))


def test_a_rotation_tag_is_applied(data: Path) -> None:
    path = data / "clips" / "rotated180.mp4"
    info = probe(path)
    assert info.rotation_deg == 180
    upright = next(iter(read_gray(path, (106, 60)))).gray
    with av.open(str(path)) as container:
        raw = next(container.decode(video=0)).reformat(106, 60, format="gray").to_ndarray()
    turned = np.corrcoef(upright.ravel(), raw[::-1, ::-1].ravel())[0, 1]
    assert turned > 0.99 > np.corrcoef(upright.ravel(), raw.ravel())[0, 1]


def test_a_quarter_turn_swaps_the_sides(clips: Path, tmp_path: Path) -> None:
    plain = scenes.write(clips / "upright.mp4", [scenes.view(scenes.similarity())] * 5, codec="libx264")
    data = bytearray(plain.read_bytes())
    matrix = data.index(b"tkhd") + 44  # of the track header; this one says: turn clockwise by 90 degrees, as phones do
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    tagged = tmp_path / "tagged.mp4"
    tagged.write_bytes(data)
    assert probe(tagged).size == (scenes.SIZE[1], scenes.SIZE[0])
    assert np.array_equal(next(read_gray(tagged)).gray, np.rot90(next(read_gray(plain)).gray, -1))
    assert next(read_rgb(tagged, (96, 160)))[1].shape == (160, 96, 3)


def test_limited_and_full_range_read_the_same(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 320).astype(np.uint8), (64, 1))
    full = scenes.write(tmp_path / "full.mkv", [ramp] * 2)
    limited = scenes.write(tmp_path / "limited.mkv", [ramp] * 2, codec="libx264", options={"crf": "0"})
    a, b = (next(read_gray(p)).gray.astype(int) for p in (full, limited))
    assert np.abs(a - b).max() <= 2


def frames(times: list[float]) -> list[GrayFrame]:
    return [GrayFrame(i, t, np.zeros((1, 1), np.uint8)) for i, t in enumerate(times)]


def test_pairs_are_the_nearest_in_time_and_none_beyond_the_tolerance() -> None:
    pairs = pair_by_time(frames([0.0, 0.05, 0.1, 0.5]), frames([0.0, 0.02, 0.06, 0.09, 0.12]), 0.02)
    assert [ref.t_s if ref else None for _, ref in pairs] == [0.0, 0.06, 0.09, None]


def test_an_unknown_mode_is_an_error(walk_before: Path) -> None:
    with pytest.raises(MetricsError, match="robust"):
        judge(walk_before, mode="magic")


@pytest.mark.slow
def test_memory_does_not_grow_with_length(clips: Path) -> None:
    """Peak memory of a fresh process over 150 and over 1500 frames."""
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    # VmHWM, for ru_maxrss of a child starts at its parent's
    code = "import sys, metrics; metrics.judge(sys.argv[1], sys.argv[1]);"
    code += " print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    peaks = []
    for count in (150, 1500):
        views = [scenes.view(scenes.similarity(i % 7)) for i in range(7)]
        path = scenes.write(clips / f"long{count}.mkv", (views[i % 7] for i in range(count)))
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 25, peaks  # MB for ten times the length: a hundred frames would be 6 MB each way
