"""Read videos for the judge: upright gray frames with their times, streamed, from local files only."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricsError, VideoReadError, file_errors

Gray = NDArray[np.uint8]
Size = tuple[int, int]  # width, height in pixels, upright

MIN_SIDE_PX = 16  # smaller frames have nothing to track
FULL_RANGE = frozenset({"gray", "yuvj420p", "yuvj422p", "yuvj444p"})
LUMA_FIRST = FULL_RANGE | {"yuv420p", "yuv422p", "yuv444p", "nv12"}
LIMITED_TO_FULL = np.clip(np.round((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
REORDER_WINDOW_FRAMES = 6  # how far timestamps may be out of order
MAX_DAMAGED_PACKETS = 1000  # stop reading a file that is nothing but damage


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a video, as its container states them."""

    path: Path
    size: Size
    """Upright: rotation tag applied."""
    fps: float
    frames: int
    """0 if the container does not state it."""
    duration_s: float
    """0 if the container does not state it."""
    rotation_deg: int


@dataclass(frozen=True)
class GrayFrame:
    """One upright frame."""

    index: int
    """Position in display order."""
    t_s: float
    """Seconds since the first frame."""
    gray: Gray
    """8 bits, full range, (H, W)."""


FramePairs = Iterable[tuple[GrayFrame, GrayFrame | None]]
"""Output frames, each with its input frame or None."""


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open the container and its video stream. FFmpeg errors in the body become `VideoReadError`."""
    import av

    from localfiles.videos import open_video, pick_video

    with file_errors():
        container = open_video(path)
    with container:
        with file_errors():
            stream = pick_video(container, path)
        width, height = stream.codec_context.width, stream.codec_context.height
        if min(width, height) < MIN_SIDE_PX:
            raise VideoReadError(
                f"{path}: frames of {width}x{height} px are too small to be judged (minimum {MIN_SIDE_PX} px per side)"
            )
        # Frame threads can hang when decoding stops before the end of the file; slices cannot.
        stream.thread_type = "SLICE"
        try:
            yield container, stream
        except av.FFmpegError as error:
            raise VideoReadError(
                f"{path}: reading failed midway ({error.strerror}); the file may be incomplete"
            ) from error


def probe(path: Path) -> VideoInfo:
    """Return size, rate and length of `path`. Decodes one frame for the rotation tag. Raises `VideoReadError`."""
    with _opened(path) as (container, stream):
        frame = next(_decoded(container, stream, ReadLog()), None)
        if frame is None:
            raise VideoReadError(f"{path}: no frame could be decoded; the file is empty or damaged")
        rotation = _quarter_turns(frame) * 90
        size = (frame.height, frame.width) if rotation % 180 else (frame.width, frame.height)
        rate = stream.average_rate or stream.guessed_rate
        duration = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / 1e6
        return VideoInfo(path, size, float(rate or 0), int(stream.frames), float(duration), rotation)


@contextmanager
def unchanged(*paths: Path | None) -> Iterator[None]:
    """Raise `VideoReadError` if one of the files is replaced, removed or written to during the body."""
    stamps = {path: stamp(path) for path in paths if path is not None}
    try:
        yield
        _check_unchanged(stamps)
    except MetricsError:
        raise
    except Exception:
        _check_unchanged(stamps)  # the likely cause of the error
        raise


def stamp(path: Path) -> tuple[int, ...]:
    """Return what identifies the current state of a file (device, inode, size, mtime); empty if it is missing."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _check_unchanged(stamps: dict[Path, tuple[int, ...]]) -> None:
    changed = [str(path) for path, state in stamps.items() if stamp(path) != state]
    if changed:
        raise VideoReadError(f"{', '.join(changed)}: changed while being judged; judge it again")


@dataclass
class ReadLog:
    """Counts of read errors, filled by `read_gray`. Mutable."""

    damaged: int = 0  # packets that could not be decoded
    untimed: int = 0  # skipped frames: timestamp missing or not increasing


def _decoded(container: Any, stream: Any, log: ReadLog) -> Iterator[Any]:
    import av

    packets = container.demux(stream)
    while log.damaged < MAX_DAMAGED_PACKETS:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # a damaged container: keep the frames read so far
            log.damaged += 1
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            log.damaged += 1


def _quarter_turns(frame: Any) -> int:
    """Return the number of counter-clockwise quarter turns that make the decoded frame upright."""
    return round(float(frame.rotation) / 90) % 4


def working_size(size: Size, long_side: int) -> Size:
    """Scale `size` down so that its long side is at most `long_side`. Both sides are at least 16 px."""
    scale = min(1.0, long_side / max(size))
    return max(MIN_SIDE_PX, round(size[0] * scale)), max(MIN_SIDE_PX, round(size[1] * scale))


def _plane(frame: Any) -> Gray | None:
    """Return the 8-bit luma plane in full range, (H, W); None if the pixel format has none."""
    if frame.format.name not in LUMA_FIRST:
        return None
    plane = frame.planes[0]
    luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
    full = frame.format.name in FULL_RANGE or int(frame.color_range) == 2  # 2: AVCOL_RANGE_JPEG
    return luma.copy() if full else LIMITED_TO_FULL[luma]


def _gray(frame: Any, size: Size) -> Gray:
    plane = _plane(frame)
    if plane is None:
        gray: Gray = frame.reformat(size[0], size[1], format="gray", interpolation="AREA").to_ndarray()
        return gray
    if size == (frame.width, frame.height):
        return plane
    from metrics.opencv import cv2

    scaled: Gray = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return scaled


def _upright(frame: Any, size: Size | None, form: str) -> Gray:
    turns = _quarter_turns(frame)
    if size is not None and turns % 2:
        size = (size[1], size[0])
    width, height = size or (frame.width, frame.height)
    if form == "gray":
        pixels = _gray(frame, (width, height))
    else:
        pixels = frame.reformat(width, height, format=form, interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(pixels, turns) if turns else pixels)


def read_gray(path: Path, size: Size | None = None, log: ReadLog | None = None) -> Iterator[GrayFrame]:
    """Yield the upright gray frames of `path` in order of time, scaled to `size` (width, height; None: unscaled).

    Frames that cannot be decoded are skipped and counted in `log`. Raises `VideoReadError`.
    """
    for index, (t_s, gray) in enumerate(_timed(path, size, "gray", log if log is not None else ReadLog())):
        yield GrayFrame(index, t_s, gray)


def ahead(frames: Iterator[GrayFrame]) -> Iterator[GrayFrame]:
    """Yield the same frames, decoding the next one in another thread while the current one is in use."""
    with ThreadPoolExecutor(1) as other:
        following = other.submit(next, frames, None)
        while (frame := following.result()) is not None:
            following = other.submit(next, frames, None)
            yield frame


def read_rgb(path: Path, size: Size) -> Iterator[tuple[float, Gray]]:
    """Yield time in s and upright RGB frame (H, W, 3), for the same frames as `read_gray`."""
    return _timed(path, size, "rgb24", ReadLog())


def _timed(path: Path, size: Size | None, form: str, log: ReadLog) -> Iterator[tuple[float, Gray]]:
    with _opened(path) as (container, stream):
        first_pts, last_t = None, -1.0
        for pts, pixels in _in_order(_decoded(container, stream, log), size, form, log):
            first_pts = pts if first_pts is None else first_pts
            t_s = float((pts - first_pts) * stream.time_base)
            if t_s <= last_t:
                log.untimed += 1
                continue
            yield t_s, pixels
            last_t = t_s


def _in_order(frames: Iterator[Any], size: Size | None, form: str, log: ReadLog) -> Iterator[tuple[int, Gray]]:
    """Yield frames in decoder order with their timestamps sorted.

    Some files store decoding times as presentation times; the order of the decoder is then the right one.
    """
    times: list[int] = []
    waiting: deque[Gray] = deque()
    for frame in frames:
        if frame.pts is None:
            log.untimed += 1
            continue
        heapq.heappush(times, frame.pts)
        waiting.append(_upright(frame, size, form))
        if len(waiting) > REORDER_WINDOW_FRAMES:
            yield heapq.heappop(times), waiting.popleft()
    while waiting:
        yield heapq.heappop(times), waiting.popleft()


def pair_by_time(
    out: Iterable[GrayFrame], ref: Iterable[GrayFrame], tolerance_s: float
) -> Iterator[tuple[GrayFrame, GrayFrame | None]]:
    """Pair every output frame with the input frame nearest in time, or with None if none is within `tolerance_s`."""
    source = iter(ref)
    current, following = next(source, None), next(source, None)
    for frame in out:
        while following is not None and current is not None:
            if abs(following.t_s - frame.t_s) > abs(current.t_s - frame.t_s):
                break
            current, following = following, next(source, None)
        near = current is not None and abs(current.t_s - frame.t_s) <= tolerance_s
        yield frame, current if near else None


def pairing_tolerance_s(ref: VideoInfo) -> float:
    """Return the largest time difference of two frames that show the same moment: 0.6 input frames."""
    return 0.6 / ref.fps if ref.fps > 0 else 0.04


def mismatches(out: VideoInfo, ref: VideoInfo) -> tuple[str, ...]:
    """Describe differences between output and input that matter for reading the scores."""
    notes = []
    if out.size != ref.size:
        notes.append(f"frame size differs: output {out.size[0]}x{out.size[1]}, input {ref.size[0]}x{ref.size[1]}")
    if out.fps > 0 and ref.fps > 0 and abs(out.fps / ref.fps - 1) > 0.01:
        notes.append(f"frame rate differs: output {out.fps:.3f} fps, input {ref.fps:.3f} fps; matched by time")
    if out.frames and ref.frames and out.frames != ref.frames:
        notes.append(f"length differs: output {out.frames} frames, input {ref.frames} frames; judged over the output")
    elif abs(out.duration_s - ref.duration_s) > 0.1 and out.duration_s and ref.duration_s:
        notes.append(f"length differs: output {out.duration_s:.2f} s, input {ref.duration_s:.2f} s")
    return tuple(notes)
