"""Encode a video in segments, possibly in several processes, and join them to one file without encoding again.

A segment is a file of packets with a header that holds the codec configuration. A standard container would change the
times of the packets (milliseconds in Matroska, frame numbers in AVI, edit lists in MP4).
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, get_args

import av
import numpy as np
from av.packet import PacketSideData, PktSideDataT
from numpy.typing import NDArray

from localfiles import pending_file
from localfiles.reading import PathLike, local_file
from stabilize.errors import InputError, UsageError, file_errors
from stabilize.settings import EncodeConfig
from stabilize.video.encode import FrameEncoder
from stabilize.video.frame import Frame
from stabilize.video.mux import OutputFile, output_errors
from stabilize.video.output import open_output
from stabilize.video.plan import OutputPlan, plan_output
from stabilize.video.probe import MediaInfo

_MAGIC = b"stabilize segment 1\n"
_HEAD_BYTES_MAX = 1 << 20  # more than the extradata of any encoder needs
_PACKET = struct.Struct("<qqqIBB")  # pts, dts, duration, bytes of data (0: end), is key frame, number of side data
_END = _PACKET.pack(0, 0, 0, 0, 0, 0)
_SIDE_DATA = struct.Struct("<HI")  # kind, bytes
_SIDE_DATA_KINDS: tuple[str, ...] = get_args(PktSideDataT)


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """Header of a segment; the same for all segments of one file."""

    muxer: str
    """FFmpeg's name of the muxer for the joined file."""
    encoder: str
    """FFmpeg's name of the encoder."""
    pix_fmt: str
    """Pixel format of the encoded frames."""
    size: str
    """Size of the encoded frames in px, as "<width>x<height>"."""
    time_base: str
    """Time base of the packets, as a fraction."""
    extradata: str
    """Codec configuration, in hexadecimal."""


class SegmentWriter:
    """Encodes consecutive frames of an output to a segment file, as a context manager.

    `plan` is that of the joined file. Frames are passed as to `VideoWriter`. Raises `OutputError` if the file cannot be
    written.
    """

    def __init__(self, segment: PathLike, plan: OutputPlan) -> None:
        self._segment = Path(os.path.abspath(segment))
        self._plan = plan

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(output_errors(self._segment))
            stack.enter_context(file_errors())
            pending = pending_file(self._segment, [self._plan.info.path], self._plan.overwrite)
            self._file: BinaryIO = stack.enter_context(stack.enter_context(pending).open("wb"))
            self._encoder = stack.enter_context(_open_encoder(self._plan))
            head = json.dumps(asdict(_head(self._plan, self._encoder))).encode()
            self._file.write(_MAGIC + head + b"\n")
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, frame: Frame) -> None:
        """Encode a frame. Raises `ValueError` like `VideoWriter.write`."""
        with output_errors(self._segment):
            self._write_packets(self._encoder.encode(frame))

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with output_errors(self._segment):
                self._write_packets(self._encoder.finish() if self._encoder.frames else ())
                self._file.write(_END)

    def _write_packets(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            side_data = list(packet.iter_sidedata())
            head = packet.pts, packet.dts, packet.duration or 0, packet.size, packet.is_keyframe, len(side_data)
            self._file.write(_PACKET.pack(*head))
            for side in side_data:
                self._file.write(_SIDE_DATA.pack(_SIDE_DATA_KINDS.index(side.data_type), side.data_size) + bytes(side))
            self._file.write(bytes(packet))


def join_segments(
    info: MediaInfo,
    segments: Iterable[PathLike],
    target: PathLike,
    config: EncodeConfig | None = None,
    size: tuple[int, int] | None = None,
) -> tuple[str, ...]:
    """Join consecutive segments to one file, with the other tracks of the input, without encoding. Returns warnings.

    `config` and `size` must be those that the segments were planned with. Raises `UsageError` if a segment has other
    settings or does not follow the previous one, `InputError` if one cannot be read, `OutputError` if the file cannot
    be written.
    """
    plan = plan_output(info, target, config, size)
    files = [SegmentFile(path) for path in segments]
    result = OutputFile(info, plan)
    with _open_encoder(plan) as encoder:
        expected = _head(plan, encoder)
    for file in files:
        _check_head(file, expected)
    with result:
        decoding_times = iter(_decoding_times(files))
        for file in files:
            result.write(_with_times(file.packets(), decoding_times, result.encoder))
    return result.warnings


def _with_times(packets: Iterable[Any], decoding_times: Iterator[int], encoder: FrameEncoder) -> Iterator[Any]:
    for packet, dts in zip(packets, decoding_times, strict=False):
        packet.stream = encoder.stream
        packet.time_base = encoder.time_base
        packet.dts = dts
        yield packet


def _check_head(file: SegmentFile, expected: SegmentHead) -> None:
    for name, value in asdict(expected).items():
        actual = getattr(file.head, name)
        if actual != value:
            difference = "" if name == "extradata" else f" ({actual}, not {value})"
            raise UsageError(
                f"{file.path}: was encoded with another {name}{difference} than the joined file needs; encode all "
                "segments with the same settings and the same version of the encoder"
            )


def _decoding_times(files: list[SegmentFile]) -> list[int]:
    """Return the decoding times of all packets as one encoder would set them: the sorted pts, delayed by reordering.

    The times of the segments' own encoders may overlap. MP4 also derives the durations of frames from these times.
    """
    last = None
    for file in files:
        pts = file.times[:, 0]
        if last is not None and len(pts) and pts.min() <= last:
            raise UsageError(
                f"{file.path}: begins before the end of the previous segment; give the segments in their order"
            )
        last = pts.max() if len(pts) else last
    delay = max((_reorder_delay(file.times) for file in files), default=0)
    pts = np.sort(np.concatenate([np.zeros(0, np.int64), *(file.times[:, 0] for file in files)]))
    before = pts[:delay] - (pts[delay] - pts[0]) if delay else pts[:0]
    times: list[int] = np.concatenate([before, pts[: len(pts) - delay]]).tolist()
    return times


def _reorder_delay(times: NDArray[np.int64]) -> int:
    """Return the delay in frames between decoding and display, from (pts, dts) (n, 2) of an encoder's packets."""
    if not len(times):
        return 0
    pts = np.sort(times[:, 0])
    required = int(np.max(np.arange(len(times)) - np.searchsorted(pts, times[:, 0])))
    first = int(np.searchsorted(pts - pts[0], times[0, 0] - times[0, 1]))
    return max(required, min(first, len(times) - 1))


@contextmanager
def _open_encoder(plan: OutputPlan) -> Iterator[FrameEncoder]:
    """Open the encoder of a plan without a file."""
    with open_output(io.BytesIO(), plan.info, plan.container) as output:
        yield FrameEncoder(output, plan)


def _head(plan: OutputPlan, encoder: FrameEncoder) -> SegmentHead:
    encoding = plan.encoding
    return SegmentHead(
        muxer=plan.container.muxer,
        encoder=encoding.encoder.library,
        pix_fmt=encoding.pix_fmt,
        size="{}x{}".format(*encoding.size),
        time_base=str(encoder.time_base),
        extradata=encoder.extradata.hex(),
    )


class SegmentFile:
    """A segment file. Raises `InputError` if it is not one, or is truncated."""

    def __init__(self, path: PathLike) -> None:
        with file_errors():
            self.path = local_file(path)
        with self.path.open("rb") as file:
            self.head = self._read_head(file)
            self._start = file.tell()
        self.times: NDArray[np.int64] = np.array([(p.pts, p.dts) for p in self.packets()], np.int64).reshape(-1, 2)
        """(pts, dts) of the packets (n, 2), in decoding order."""

    def packets(self) -> Iterator[Any]:
        """Yield the packets, in decoding order."""
        with self.path.open("rb") as file:
            file.seek(self._start)
            while (head := self._read(file, _PACKET.size)) != _END:
                pts, dts, duration, size, is_keyframe, count = _PACKET.unpack(head)
                side_data = [self._read_side_data(file) for _ in range(count)]
                packet = av.Packet(self._read(file, size))
                packet.pts, packet.dts, packet.duration = pts, dts, duration
                packet.is_keyframe = bool(is_keyframe)
                for side in side_data:
                    packet.set_sidedata(side)
                yield packet

    def _read_head(self, file: BinaryIO) -> SegmentHead:
        try:
            magic, line = file.readline(len(_MAGIC)), file.readline(_HEAD_BYTES_MAX)
            head = SegmentHead(**json.loads(line)) if magic == _MAGIC else None
        except (ValueError, TypeError):
            head = None
        if head is None:
            raise InputError(f"{self.path}: is not a segment written by `SegmentWriter`")
        return head

    def _read_side_data(self, file: BinaryIO) -> PacketSideData:
        kind, size = _SIDE_DATA.unpack(self._read(file, _SIDE_DATA.size))
        data = self._read(file, size)
        side = PacketSideData(kind, len(data))  # type: ignore[call-arg]  # missing in PyAV's stub
        side.update(data)
        return side

    def _read(self, file: BinaryIO, size: int) -> bytes:
        left = os.fstat(file.fileno()).st_size - file.tell()
        if size > left:
            raise InputError(f"{self.path}: is truncated or damaged; encode this segment again")
        return file.read(size)
