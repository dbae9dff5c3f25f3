"""GPMF, GoPro's nested key-length-value format (github.com/gopro/gpmf-parser), without the meaning of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gyro.errors import LogError
from gyro.log import Float

MAX_PAYLOAD_BYTES = 1 << 26
_TYPES = {
    "b": "i1",
    "B": "u1",
    "s": ">i2",
    "S": ">u2",
    "l": ">i4",
    "L": ">u4",
    "f": ">f4",
    "d": ">f8",
    "j": ">i8",
    "J": ">u8",
}
_FIXED = {"q": (">i4", 2.0**16), "Q": (">i8", 2.0**32)}  # Q15.16 and Q31.32


@dataclass(frozen=True, slots=True)
class Element:
    """One key with its data."""

    key: str
    type: str
    """Empty where the data are further elements."""
    size: int
    """Bytes per sample."""
    repeat: int
    """Samples."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """One sensor's part of a payload."""

    device: str
    elements: dict[str, Element]
    """By key; the last is the sensor's data."""


def elements(data: bytes) -> Iterator[Element]:
    """Yield the elements of one level. Raises LogError where one is longer than the data."""
    place = 0
    while place + 8 <= len(data):
        head = data[place : place + 8]
        if head[:4] == b"\0\0\0\0":  # padding up to the end of a payload
            return
        size, repeat = head[5], int.from_bytes(head[6:8])
        length = size * repeat
        if length > len(data) - place - 8:
            raise LogError(f"GPMF {head[:4]!r} says {length} bytes where {len(data) - place - 8} are left")
        kind = chr(head[4]) if head[4] else ""
        yield Element(head[:4].decode("latin-1"), kind, size, repeat, data[place + 8 : place + 8 + length])
        place += 8 + (length + 3) // 4 * 4


def streams(data: bytes) -> Iterator[Stream]:
    """Yield all streams of a payload. Raises LogError for a payload that is damaged or too large."""
    if len(data) > MAX_PAYLOAD_BYTES:
        raise LogError(f"GPMF payload of {len(data)} bytes")
    for element in elements(data):
        if element.key == "DEVC" and not element.type:
            yield from _device(element.data)


def _device(data: bytes) -> Iterator[Stream]:
    name = ""
    for element in elements(data):
        if element.key == "DVNM":
            name = text(element)
        elif element.key == "STRM" and not element.type:
            yield Stream(name, {e.key: e for e in elements(element.data)})


def text(element: Element) -> str:
    """Return the text up to the first NUL, in ISO 8859-1."""
    return element.data.split(b"\0")[0].decode("latin-1")


def numbers(element: Element) -> Float:
    """Return unscaled values (repeat, values per sample). Raises LogError for types that are not numbers."""
    kind, divisor = _FIXED.get(element.type, (_TYPES.get(element.type), 1.0))
    if kind is None:
        raise LogError(f"GPMF {element.key}: type {element.type!r} holds no numbers")
    width = np.dtype(kind).itemsize
    if element.size == 0 or element.size % width:
        raise LogError(f"GPMF {element.key}: {element.size} bytes per sample do not fit type {element.type!r}")
    values = np.frombuffer(element.data, kind).astype(np.float64) / divisor
    return values.reshape(element.repeat, element.size // width)


def scaled(stream: Stream, key: str) -> Float:
    """Return the numbers of `key` divided by the stream's SCAL (one for all, or one per column). Raises LogError for a
    bad scale."""
    values = numbers(stream.elements[key])
    if "SCAL" not in stream.elements:
        return values
    scale = numbers(stream.elements["SCAL"]).ravel()
    if scale.size not in (1, values.shape[1]) or np.any(scale == 0):
        raise LogError(f"GPMF {key}: a scale of {scale[:4]} for {values.shape[1]} columns")
    return np.asarray(values / scale)
