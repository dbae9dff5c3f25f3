"""Small clips for the tests; every frame shows its number as bars in the luma.

Uses PyAV only and nothing of stabilize: planes are filled by FFmpeg's description of the pixel format.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BITS = 6  # of the bar code: 64 frames


def picture(number: int, pix_fmt: str = "yuv420p", width: int = 96, height: int = 64) -> av.VideoFrame:
    """Return a moving gradient, with `number` as bright and dark bars in the upper half."""
    frame = av.VideoFrame(width, height, pix_fmt)
    depth = max(c.bits for c in frame.format.components)
    shift = (16 - depth) if pix_fmt.startswith("p") and depth > 8 else 0
    for index, plane in enumerate(frame.planes):
        dtype = np.dtype("<u2" if depth > 8 else "u1")
        rows = np.frombuffer(plane, dtype)  # type: ignore[call-overload]  # a buffer at runtime
        rows = rows.reshape(plane.height, plane.line_size // dtype.itemsize)
        channels = sum(c.plane == index for c in frame.format.components)
        for channel in range(channels):
            values = _values(number, index, channel, plane.width, plane.height) * ((1 << depth) - 1)
            rows[:, channel : plane.width * channels : channels] = np.round(values).astype(dtype) << shift
    return frame


def _values(number: int, plane: int, channel: int, width: int, height: int) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    if plane:
        return 0.5 + 0.1 * np.sin(3 * x + 2 * y + plane + channel + number / 20)
    luma = 0.5 + 0.1 * np.sin(5 * x + 3 * y + number / 10)
    bar = np.minimum((x * BITS).astype(int), BITS - 1)
    luma[: height // 2] = np.where((number >> bar) & 1, 0.8, 0.2)[: height // 2]
    return luma


def number_of(luma: np.ndarray) -> int:
    """Return the number that a frame shows."""
    height, width = luma.shape
    edges = np.linspace(0, width, BITS + 1).astype(int)
    upper = luma[: max(height // 2 - 1, 1)].astype(float)
    middle = (float(luma.max()) + float(luma.min())) / 2
    means = [upper[:, a + (b - a) // 4 : b - (b - a) // 4].mean() for a, b in itertools.pairwise(edges)]
    return sum(int(mean > middle) << bit for bit, mean in enumerate(means))


@dataclass
class Clip:
    """Settings of a clip."""

    frames: int = 12
    size: tuple[int, int] = (96, 64)
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    rate: Fraction = Fraction(25)
    time_base: Fraction = Fraction(1, 12800)
    pts: Sequence[int] | None = None
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    setup: Callable[[Any, Any], None] = lambda container, stream: None
    numbers: Iterable[int] | None = None
    audio: Sequence[dict[str, str]] = ()  # metadata of each audio track
    audio_codec: str = "aac"
    subtitle: str = ""  # codec of a subtitle track
    format: str | None = None

    @property
    def times(self) -> list[int]:
        step = round(1 / self.rate / self.time_base)
        return list(self.pts) if self.pts is not None else [i * step for i in range(self.frames)]


def write(path: Path, clip: Clip | None = None, **changes: Any) -> Path:
    """Write a clip and return its path."""
    clip = clip or Clip(**changes)
    with av.open(str(path), "w", format=clip.format, container_options=clip.container_options) as out:
        stream = out.add_stream(clip.codec, rate=clip.rate, time_base=clip.time_base, options=clip.options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *clip.size, clip.pix_fmt
        stream.time_base = clip.time_base
        clip.setup(out, stream)
        sounds = [_add_sound(out, clip.audio_codec, tags) for tags in clip.audio]
        texts = out.add_mux_stream(clip.subtitle, time_base=Fraction(1, 1000)) if clip.subtitle else None
        out.start_encoding()
        numbers = range(clip.frames) if clip.numbers is None else clip.numbers
        for number, pts in zip(numbers, clip.times, strict=False):
            frame = picture(number, clip.pix_fmt, *clip.size)
            frame.pts, frame.time_base = pts, clip.time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        for sound in sounds:
            _write_sound(out, sound, float(clip.frames / clip.rate))
        if texts is not None:
            _write_text(out, texts, clip.subtitle)
    return path


def _add_sound(out: Any, codec: str, tags: dict[str, str]) -> Any:
    sound = out.add_stream(codec, rate=48000)
    sound.layout = "mono"
    sound.metadata.update(tags)
    return sound


def _write_sound(out: Any, sound: Any, seconds: float) -> None:
    wave = np.sin(np.arange(round(seconds * 48000)) / 20).astype(np.float32)
    for start in range(0, len(wave) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024].copy(), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, start
        out.mux(sound.encode(frame))
    out.mux(sound.encode(None))


def _write_text(out: Any, texts: Any, codec: str) -> None:
    for start, words in ((0, b"first words"), (200, b"second words")):
        packet = av.Packet(len(words).to_bytes(2, "big") + words if codec == "mov_text" else words)
        packet.stream, packet.time_base = texts, Fraction(1, 1000)
        packet.pts = packet.dts = start
        packet.duration = 150
        out.mux(packet)


def raw(path: Path, pix_fmt: str, frames: int = 4, size: tuple[int, int] = (48, 32)) -> Path:
    """Write uncompressed frames in NUT, which holds any pixel format."""
    return write(
        path, frames=frames, size=size, codec="rawvideo", pix_fmt=pix_fmt, time_base=Fraction(1, 25), format="nut"
    )


def demuxed(path: Path, kind: str = "video") -> list[Any]:
    """Return (pts, dts, size) of all packets of the first track of a kind, as FFmpeg reads them."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [(p.pts, p.dts, p.size) for p in container.demux(stream) if p.size]


def decoded(path: Path) -> list[tuple[int | None, int]]:
    """Return (pts, number) of all frames, decoded with PyAV only."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [(f.pts, number_of(f.to_ndarray(format="gray"))) for f in frames]
