"""Write the pixel aspect ratio into a finished Matroska or WebM file, as PyAV cannot pass it to the muxer.

The muxer does not write its Tracks element as short as possible. Encoded shorter, it has room for the display size
within the same number of bytes, so that nothing else in the file moves.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

_SEGMENT, _TRACKS, _CRC, _VOID = b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\xbf", b"\xec"
_VIDEO, _WIDTH, _HEIGHT, _NO_LACING = b"\xe0", b"\xb0", b"\xba", (b"\x9c", b"\x00")
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
_HEAD_BYTES = 1 << 22  # Tracks ends within these, unless a codec header is unusually large
_DISPLAY_SIDE_MAX = 0xFFFF  # a display size is written with two bytes per side
Elements = list[tuple[bytes, bytes]]  # (ID, body) of EBML elements


def set_pixel_aspect(path: Path, aspect: Fraction) -> bool:
    """Set the display size of the first video track in a file written by FFmpeg.

    Returns False if there is no room for it.
    """
    with path.open("r+b") as file:
        head = file.read(_HEAD_BYTES)
        segment = next((start for name, start, _ in _iter_elements(head, 0) if name == _SEGMENT), len(head))
        for name, start, end in _iter_elements(head, segment):
            changed = _rewrite_tracks(_children(head[start:end]), end - start, aspect) if name == _TRACKS else None
            if changed is not None and end <= len(head):
                file.seek(start)
                file.write(changed)
                return True
    return False


def display_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Return an integer (width, height) with the display aspect ratio, near the frame size."""
    display_width, display_height = width * aspect, height / aspect
    ratio = display_width / height
    if display_width.denominator == 1:
        size = int(display_width), height
    elif display_height.denominator == 1:
        size = width, int(display_height)
    else:
        scale = max(1, round(height / ratio.denominator))
        size = ratio.numerator * scale, ratio.denominator * scale
    if max(size) <= _DISPLAY_SIDE_MAX:
        return size
    approximation = min(ratio, 1 / ratio).limit_denominator(_DISPLAY_SIDE_MAX)
    short, long = max(1, approximation.numerator), approximation.denominator
    return (long, short) if ratio > 1 else (short, long)


def _rewrite_tracks(tracks: Elements, length: int, aspect: Fraction) -> bytes | None:
    """Return a body of Tracks of `length` bytes with the aspect in its first video track; None if it does not fit."""
    entries = [(name, _children(body)) for name, body in tracks if name not in (_CRC, _VOID)]
    video = next((entry for _, entry in entries if _VIDEO in dict(entry)), None)
    if video is None:
        return None
    index = [name for name, _ in video].index(_VIDEO)
    video[index] = (_VIDEO, _set_display_size(_children(video[index][1]), aspect))
    shortened = [(name, _encode([part for part in entry if part != _NO_LACING])) for name, entry in entries]
    has_crc = tracks[0][0] == _CRC
    spare = length - len(_encode(shortened)) - 6 * has_crc  # bytes
    if spare < 0:
        return None
    padding = 1 if spare == 1 else 0  # a Void element takes at least two bytes
    body = _encode(shortened[:-1]) + _element(*shortened[-1], padding) + (_void(spare) if spare > 1 else b"")
    return (_element(_CRC, zlib.crc32(body).to_bytes(4, "little")) if has_crc else b"") + body


def _set_display_size(video: Elements, aspect: Fraction) -> bytes:
    values = dict(video)
    width, height = (int.from_bytes(values[name], "big") for name in (_WIDTH, _HEIGHT))
    old = (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT, _VOID)
    sides = zip((_DISPLAY_WIDTH, _DISPLAY_HEIGHT), display_size(width, height, aspect), strict=True)
    new = [(name, side.to_bytes((side.bit_length() + 7) // 8, "big")) for name, side in sides]
    return _encode([part for part in video if part[0] not in old] + new)


def _iter_elements(data: bytes, start: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (ID, start, end) of the bodies of consecutive elements."""
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
    return [(name, body[start:end]) for name, start, end in _iter_elements(body, 0)]


def _encode(elements: Elements) -> bytes:
    return b"".join(_element(name, body) for name, body in elements)


def _element(name: bytes, body: bytes, extra_bytes: int = 0) -> bytes:
    """Return an encoded element. Its size field has the minimum length plus `extra_bytes`."""
    width = next(n for n in range(1, 9) if len(body) < (1 << 7 * n) - 1) + extra_bytes
    return name + (len(body) | 1 << 7 * width).to_bytes(width, "big") + body


def _void(length: int) -> bytes:
    """Return Void elements of `length` bytes in total, at least two."""
    piece = min(length, 100)
    piece -= length - piece == 1
    rest = length - piece
    return _element(_VOID, bytes(piece - 2)) + (_void(rest) if rest else b"")
