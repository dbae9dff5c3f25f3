"""Matroska and WebM: the pixel shape of a finished file, since PyAV cannot tell the muxer of it.

The muxer is not sparing with bytes in its description of the tracks: written tersely, the same description has room
for the size of the displayed picture, and nothing else of the file moves.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

_SEGMENT, _TRACKS, _CRC, _VOID = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xbf", b"\xec"
_VIDEO, _WIDTH, _HEIGHT, _NO_LACING = b"\xe0", b"\xb0", b"\xba", (b"\x9c", b"\x00")
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
_HEAD = 1 << 22  # bytes within which the tracks end, unless their codecs' headers are absurd
_LARGEST = 0xFFFF  # display size: two bytes a side
Elements = list[tuple[bytes, bytes]]  # (ID, body)


def set_pixel_shape(path: Path, shape: Fraction) -> bool:
    """Give the first video track of a file that FFmpeg wrote its display size; False where there is no room for it."""
    with path.open("r+b") as file:
        head = file.read(_HEAD)
        segment = next((start for name, start, _ in _spans(head, 0) if name == _SEGMENT), len(head))
        for name, start, end in _spans(head, segment):
            changed = _with_shape(_children(head[start:end]), end - start, shape) if name == _TRACKS else None
            if changed is not None and end <= len(head):
                file.seek(start)
                file.write(changed)
                return True
    return False


def display_size(width: int, height: int, shape: Fraction) -> tuple[int, int]:
    """Whole numbers in the ratio of the displayed picture, near its own size."""
    wide, high = width * shape, height / shape
    ratio = wide / height
    if wide.denominator == 1:
        size = int(wide), height
    elif high.denominator == 1:
        size = width, int(high)
    else:
        times = max(1, round(height / ratio.denominator))
        size = ratio.numerator * times, ratio.denominator * times
    if max(size) <= _LARGEST:
        return size
    narrow = min(ratio, 1 / ratio).limit_denominator(_LARGEST)
    short, long = max(1, narrow.numerator), narrow.denominator
    return (long, short) if ratio > 1 else (short, long)


def _with_shape(tracks: Elements, length: int, shape: Fraction) -> bytes | None:
    """The body of Tracks in `length` bytes, with the shape in its first video track; None where that is too little."""
    entries = [(name, _children(body)) for name, body in tracks if name not in (_CRC, _VOID)]
    video = next((entry for _, entry in entries if _VIDEO in dict(entry)), None)
    if video is None:
        return None
    at = [name for name, _ in video].index(_VIDEO)
    video[at] = (_VIDEO, _shaped(_children(video[at][1]), shape))
    terse = [(name, _joined([part for part in entry if part != _NO_LACING])) for name, entry in entries]
    checked = tracks[0][0] == _CRC
    spare = length - len(_joined(terse)) - 6 * checked
    if spare < 0:
        return None
    filling = 1 if spare == 1 else 0  # the least Void takes two
    body = _joined(terse[:-1]) + _element(*terse[-1], filling) + (_void(spare) if spare > 1 else b"")
    return (_element(_CRC, zlib.crc32(body).to_bytes(4, "little")) if checked else b"") + body


def _shaped(video: Elements, shape: Fraction) -> bytes:
    stated = dict(video)
    width, height = (int.from_bytes(stated[name], "big") for name in (_WIDTH, _HEIGHT))
    old = (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT, _VOID)
    sides = zip((_DISPLAY_WIDTH, _DISPLAY_HEIGHT), display_size(width, height, shape), strict=True)
    new = [(name, side.to_bytes((side.bit_length() + 7) // 8, "big")) for name, side in sides]
    return _joined([part for part in video if part[0] not in old] + new)


def _spans(data: bytes, start: int) -> Iterator[tuple[bytes, int, int]]:
    """(ID, first byte, end) of the bodies of elements that follow each other from `start`."""
    while start < len(data) and data[start]:
        name_end = start + 9 - data[start].bit_length()
        if name_end >= len(data) or not data[name_end]:
            return
        width = 9 - data[name_end].bit_length()
        body = name_end + width
        size = int.from_bytes(data[name_end:body], "big") & ((1 << 7 * width) - 1)
        yield data[start:name_end], body, body + size
        start = body + size


def _children(body: bytes) -> Elements:
    return [(name, body[start:end]) for name, start, end in _spans(body, 0)]


def _joined(elements: Elements) -> bytes:
    return b"".join(_element(name, body) for name, body in elements)


def _element(name: bytes, body: bytes, longer: int = 0) -> bytes:
    """An element with the shortest statement of its size, or one that is `longer` bytes longer."""
    width = next(n for n in range(1, 9) if len(body) < (1 << 7 * n) - 1) + longer
    return name + (len(body) | 1 << 7 * width).to_bytes(width, "big") + body


def _void(length: int) -> bytes:
    """Elements of `length` bytes in all, at least two, that mean nothing."""
    piece = min(length, 100)
    piece -= length - piece == 1
    rest = length - piece
    return _element(_VOID, bytes(piece - 2)) + (_void(rest) if rest else b"")
