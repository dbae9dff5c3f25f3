"""A video encoded in parts, by several processes perhaps, and joined to one file without encoding again.

A segment is a file of packets, with a head that says what decoders must know. It is no container of the usual kinds:
each of those has times of its own (Matroska's milliseconds, AVI's frame numbers, the edit lists of MP4), and would give
the packets back with others.
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
from stabilize.video.mux import ResultFile, output_errors
from stabilize.video.output import open_output
from stabilize.video.plan import OutputPlan, plan_output
from stabilize.video.probe import MediaInfo

_MAGIC = b"stabilize segment 1\n"
_HEAD_BYTES = 1 << 20  # more than any encoder's extradata
_PACKET = struct.Struct("<qqqIBB")  # pts, dts, duration, bytes of data (0: the end), key frame, pieces of side data
_END = _PACKET.pack(0, 0, 0, 0, 0, 0)
_SIDE = struct.Struct("<HI")  # kind, bytes
_SIDE_KINDS: tuple[str, ...] = get_args(PktSideDataT)


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """What the segments of one file have in common."""

    muxer: str
    """Of the container that the packets are meant for."""
    encoder: str
    """FFmpeg's name of it."""
    pix_fmt: str
    """Of the pictures."""
    size: str
    """Width x height of the pictures."""
    time_base: str
    """Of the packets' times, as a fraction."""
    extradata: str
    """What decoders must know before the first packet, in hexadecimal."""


class SegmentWriter:
    """Encodes some of the frames of a result into a file of its own, as a context manager; `plan` is the plan of the
    whole. Frames come as to `VideoWriter`. Raises `OutputError` if the file cannot be written.
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
            self._encoder = stack.enter_context(_encoder_for(self._plan))
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
        """Encode one frame. Raises `ValueError` as `VideoWriter.write`."""
        with output_errors(self._segment):
            self._store(self._encoder.encode(frame))

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with output_errors(self._segment):
                self._store(self._encoder.finish() if self._encoder.frames else ())
                self._file.write(_END)

    def _store(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            sides = list(packet.iter_sidedata())
            numbers = packet.pts, packet.dts, packet.duration or 0, packet.size, packet.is_keyframe, len(sides)
            self._file.write(_PACKET.pack(*numbers))
            for side in sides:
                self._file.write(_SIDE.pack(_SIDE_KINDS.index(side.data_type), side.data_size) + bytes(side))
            self._file.write(bytes(packet))


def join_segments(
    info: MediaInfo,
    segments: Iterable[PathLike],
    target: PathLike,
    config: EncodeConfig | None = None,
    size: tuple[int, int] | None = None,
) -> tuple[str, ...]:
    """Write one file of segments, in their order, with everything else of the input; returns warnings.

    Nothing is encoded again. The settings and the size are those that the segments were planned with. Raises
    `UsageError` where a segment was encoded otherwise or does not follow the one before, `InputError` where one cannot
    be read, `OutputError` if the file cannot be written.
    """
    plan = plan_output(info, target, config, size)
    files = [SegmentFile(path) for path in segments]
    result = ResultFile(info, plan)
    with _encoder_for(plan) as encoder:
        expected = _head(plan, encoder)
    for file in files:
        _check_head(file, expected)
    with result:
        decoding_times = iter(_decoding_times(files))
        for file in files:
            result.write(_placed(file.packets(), decoding_times, result.encoder))
    return result.warnings


def _placed(packets: Iterable[Any], decoding_times: Iterator[int], encoder: FrameEncoder) -> Iterator[Any]:
    for packet, dts in zip(packets, decoding_times, strict=False):
        packet.stream = encoder.stream
        packet.time_base = encoder.time_base
        packet.dts = dts
        yield packet


def _check_head(file: SegmentFile, expected: SegmentHead) -> None:
    for name, value in asdict(expected).items():
        stated = getattr(file.head, name)
        if stated != value:
            shown = "" if name == "extradata" else f" ({stated}, not {value})"
            raise UsageError(
                f"{file.path}: was encoded with another {name}{shown} than the file it is to be part of; encode all "
                "segments with the settings, and the version of the encoder, that they are joined with"
            )


def _decoding_times(files: list[SegmentFile]) -> list[int]:
    """Of all packets in turn, as one encoder would have given them: the times of presentation in their order, so many
    frames late as reordering needs.

    Each encoder counts from its own first picture, before which the times of the segment before it may still be. And
    MP4 takes the durations of frames from the distances of these times.
    """
    last = None
    for file in files:
        pts = file.times[:, 0]
        if last is not None and len(pts) and pts.min() <= last:
            raise UsageError(f"{file.path}: begins before the end of the segment before it; give them in their order")
        last = pts.max() if len(pts) else last
    delay = max((_reordering(file.times) for file in files), default=0)
    shown = np.sort(np.concatenate([np.zeros(0, np.int64), *(file.times[:, 0] for file in files)]))
    before = shown[:delay] - (shown[delay] - shown[0]) if delay else shown[:0]
    times: list[int] = np.concatenate([before, shown[: len(shown) - delay]]).tolist()
    return times


def _reordering(times: NDArray[np.int64]) -> int:
    """How many frames late pictures are shown, by the (pts, dts) of an encoder's packets."""
    if not len(times):
        return 0
    shown = np.sort(times[:, 0])
    needed = int(np.max(np.arange(len(times)) - np.searchsorted(shown, times[:, 0])))
    stated = int(np.searchsorted(shown - shown[0], times[0, 0] - times[0, 1]))
    return max(needed, min(stated, len(times) - 1))


@contextmanager
def _encoder_for(plan: OutputPlan) -> Iterator[FrameEncoder]:
    """An encoder such as the file of the plan has, and no file."""
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
    """A segment on the disk. Raises `InputError` where it is none, or is cut short."""

    def __init__(self, path: PathLike) -> None:
        with file_errors():
            self.path = local_file(path)
        with self.path.open("rb") as file:
            self.head = self._read_head(file)
            self._start = file.tell()
        self.times: NDArray[np.int64] = np.array([(p.pts, p.dts) for p in self.packets()], np.int64).reshape(-1, 2)
        """(pts, dts) of every packet, in decoding order."""

    def packets(self) -> Iterator[Any]:
        """All packets, in decoding order."""
        with self.path.open("rb") as file:
            file.seek(self._start)
            while (numbers := self._read(file, _PACKET.size)) != _END:
                pts, dts, duration, size, is_keyframe, sides = _PACKET.unpack(numbers)
                side_data = [self._side(file) for _ in range(sides)]
                packet = av.Packet(self._read(file, size))
                packet.pts, packet.dts, packet.duration = pts, dts, duration
                packet.is_keyframe = bool(is_keyframe)
                for side in side_data:
                    packet.set_sidedata(side)
                yield packet

    def _read_head(self, file: BinaryIO) -> SegmentHead:
        try:
            magic, line = file.readline(len(_MAGIC)), file.readline(_HEAD_BYTES)
            head = SegmentHead(**json.loads(line)) if magic == _MAGIC else None
        except (ValueError, TypeError):
            head = None
        if head is None:
            raise InputError(f"{self.path}: is no segment of a video, as `SegmentWriter` writes them")
        return head

    def _side(self, file: BinaryIO) -> PacketSideData:
        kind, size = _SIDE.unpack(self._read(file, _SIDE.size))
        data = self._read(file, size)
        side = PacketSideData(kind, len(data))  # type: ignore[call-arg]  # PyAV's stub leaves it out
        side.update(data)
        return side

    def _read(self, file: BinaryIO, size: int) -> bytes:
        left = os.fstat(file.fileno()).st_size - file.tell()
        if size > left:
            raise InputError(f"{self.path}: is cut short or damaged; encode this segment again")
        return file.read(size)
