"""Reading videos for the judge: upright gray frames with their times, streamed, from local files only."""

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

MIN_SIDE = 16  # px; there is nothing to follow in less
FULL_RANGE = frozenset({"gray", "yuvj420p", "yuvj422p", "yuvj444p"})
LUMA_FIRST = FULL_RANGE | {"yuv420p", "yuv422p", "yuv444p", "nv12"}
LIMITED_TO_FULL = np.clip(np.round((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
REORDER_FRAMES = 6  # how far times may be out of order
MAX_DAMAGED = 1000  # a file that is nothing but damage must end


@dataclass(frozen=True)
class VideoInfo:
    """What a container says of its first video stream. `size` is upright (rotation tag applied); `duration_s`, `frames`
    may be 0 where the container does not say."""

    path: Path
    size: Size
    fps: float
    frames: int
    duration_s: float
    rotation_deg: int


@dataclass(frozen=True)
class GrayFrame:
    """One frame: 8-bit gray (H, W), its index in decoding order and its time in seconds since the first frame."""

    index: int
    t_s: float
    gray: Gray


FramePairs = Iterable[tuple[GrayFrame, GrayFrame | None]]
"""Output frames, each with its input frame, None where there is none."""


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its video stream. Whatever FFmpeg cannot do with the file later on is a `VideoReadError`."""
    import av

    from localfiles.videos import open_video, pick_video

    with file_errors():
        container = open_video(path)
    with container:
        with file_errors():
            stream = pick_video(container, path)
        width, height = stream.codec_context.width, stream.codec_context.height
        if min(width, height) < MIN_SIDE:
            raise VideoReadError(
                f"{path}: pictures of {width}x{height} are too small to be judged ({MIN_SIDE} px a side)"
            )
        # Frame threads can hang when decoding stops before the end of the file; slices cannot.
        stream.thread_type = "SLICE"
        try:
            yield container, stream
        except av.FFmpegError as error:
            raise VideoReadError(f"{path}: cannot be read on ({error.strerror}); is it complete?") from error


def probe(path: Path) -> VideoInfo:
    """Size, rate and length of `path`; decodes one frame, for the rotation tag. Raises `VideoReadError`."""
    with _opened(path) as (container, stream):
        frame = next(_decoded(container, stream, ReadLog()), None)
        if frame is None:
            raise VideoReadError(f"{path}: not one frame could be decoded; the file is empty or damaged")
        rotation = _quarter_turns(frame) * 90
        size = (frame.height, frame.width) if rotation % 180 else (frame.width, frame.height)
        rate = stream.average_rate or stream.guessed_rate
        duration = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / 1e6
        return VideoInfo(path, size, float(rate or 0), int(stream.frames), float(duration), rotation)


@contextmanager
def unchanged(*paths: Path | None) -> Iterator[None]:
    """Raises `VideoReadError` where one of the files is replaced, removed or written to during the body."""
    before = {path: stamp(path) for path in paths if path is not None}
    try:
        yield
        _require(before)
    except MetricsError:
        raise
    except Exception:
        _require(before)  # what went wrong comes of that
        raise


def stamp(path: Path) -> tuple[int, ...]:
    """Tells one state of a file from another; empty where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _require(before: dict[Path, tuple[int, ...]]) -> None:
    changed = [str(path) for path, state in before.items() if stamp(path) != state]
    if changed:
        raise VideoReadError(f"{', '.join(changed)}: changed while it was being judged; judge it again")


@dataclass
class ReadLog:
    """What went wrong while reading: the one mutable thing here, filled by `read_gray` for whoever passed it."""

    damaged: int = 0  # packets that would not decode
    untimed: int = 0  # frames whose time was missing or did not advance; they are left out


def _decoded(container: Any, stream: Any, log: ReadLog) -> Iterator[Any]:
    import av

    packets = container.demux(stream)
    while log.damaged < MAX_DAMAGED:
        try:
            packet = next(packets, None)
        except av.FFmpegError:  # a damaged container: what was read so far still counts
            log.damaged += 1
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            log.damaged += 1


def _quarter_turns(frame: Any) -> int:
    """Number of counter-clockwise quarter turns that bring the decoded frame upright."""
    return round(float(frame.rotation) / 90) % 4


def working_size(size: Size, long_side: int) -> Size:
    """`size` scaled so that its long side is at most `long_side`, never enlarged; both sides at least 16."""
    scale = min(1.0, long_side / max(size))
    return max(16, round(size[0] * scale)), max(16, round(size[1] * scale))


def _plane(frame: Any) -> Gray | None:
    """The gray picture (H, W), full range, straight from an 8-bit luma plane; None where the format has none."""
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


def _picture(frame: Any, size: Size | None, form: str) -> Gray:
    turns = _quarter_turns(frame)
    if size is not None and turns % 2:
        size = (size[1], size[0])
    wanted = size or (frame.width, frame.height)
    if form == "gray":
        picture = _gray(frame, wanted)
    else:
        picture = frame.reformat(wanted[0], wanted[1], format=form, interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(picture, turns) if turns else picture)


def read_gray(path: Path, size: Size | None = None, log: ReadLog | None = None) -> Iterator[GrayFrame]:
    """Upright gray frames of `path` in order of time, scaled to `size` (width, height; None: as they are).

    Frames that do not decode are skipped and counted in `log`. Raises `VideoReadError`.
    """
    for index, (t_s, gray) in enumerate(_timed(path, size, "gray", log if log is not None else ReadLog())):
        yield GrayFrame(index, t_s, gray)


def ahead(frames: Iterator[GrayFrame]) -> Iterator[GrayFrame]:
    """The same frames, each decoded in another thread while the one before is in use."""
    with ThreadPoolExecutor(1) as other:
        following = other.submit(next, frames, None)
        while (frame := following.result()) is not None:
            following = other.submit(next, frames, None)
            yield frame


def read_rgb(path: Path, size: Size) -> Iterator[tuple[float, Gray]]:
    """Times in s and upright frames (H, W, 3), RGB, of the same frames that `read_gray` gives."""
    return _timed(path, size, "rgb24", ReadLog())


def _timed(path: Path, size: Size | None, form: str, log: ReadLog) -> Iterator[tuple[float, Gray]]:
    with _opened(path) as (container, stream):
        first_pts, last_t = None, -1.0
        for pts, picture in _in_order(_decoded(container, stream, log), size, form, log):
            first_pts = pts if first_pts is None else first_pts
            t_s = float((pts - first_pts) * stream.time_base)
            if t_s <= last_t:
                log.untimed += 1
                continue
            yield t_s, picture
            last_t = t_s


def _in_order(frames: Iterator[Any], size: Size | None, form: str, log: ReadLog) -> Iterator[tuple[int, Gray]]:
    """Frames as the decoder orders them, with their times sorted: some files carry decoding times as presentation
    times, and then it is the decoder's order that is right."""
    times: list[int] = []
    waiting: deque[Gray] = deque()
    for frame in frames:
        if frame.pts is None:
            log.untimed += 1
            continue
        heapq.heappush(times, frame.pts)
        waiting.append(_picture(frame, size, form))
        if len(waiting) > REORDER_FRAMES:
            yield heapq.heappop(times), waiting.popleft()
    while waiting:
        yield heapq.heappop(times), waiting.popleft()


def pair_by_time(
    out: Iterable[GrayFrame], ref: Iterable[GrayFrame], tolerance_s: float
) -> Iterator[tuple[GrayFrame, GrayFrame | None]]:
    """Every output frame with the input frame nearest in time, or None where none is within `tolerance_s`."""
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
    """Half a frame of the input and a little: further apart, two frames do not show the same moment."""
    return 0.6 / ref.fps if ref.fps > 0 else 0.04


def mismatches(out: VideoInfo, ref: VideoInfo) -> tuple[str, ...]:
    """How output and input differ, in words: what a reader of the scores has to know."""
    said = []
    if out.size != ref.size:
        said.append(f"frame size differs: output {out.size[0]}x{out.size[1]}, input {ref.size[0]}x{ref.size[1]}")
    if out.fps > 0 and ref.fps > 0 and abs(out.fps / ref.fps - 1) > 0.01:
        said.append(f"frame rate differs: output {out.fps:.3f} fps, input {ref.fps:.3f} fps; matched by time")
    if out.frames and ref.frames and out.frames != ref.frames:
        said.append(f"length differs: output {out.frames} frames, input {ref.frames} frames; judged over the output")
    elif abs(out.duration_s - ref.duration_s) > 0.1 and out.duration_s and ref.duration_s:
        said.append(f"length differs: output {out.duration_s:.2f} s, input {ref.duration_s:.2f} s")
    return tuple(said)
