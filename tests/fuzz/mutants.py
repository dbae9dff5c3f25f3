"""Damage: a file's bytes, a text's numbers, a motion's arrays. The same random numbers make the same damage."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

LARGEST_RUN = 2000
WORDS = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\1",
    b"\1\0\0\0",
    b"\x3b\x9a\xca\0",
)
NUMBERS = [
    "nan",
    "inf",
    "-inf",
    "1e308",
    "-1e308",
    "1e-320",
    "-1",
    "0",
    "-0",
    "99999999999999999999999",
    "1e999",
    "0x10",
    "1_000",
    "1,5",
    "true",
    "''",
    "\x00",
    "٣",
]
STRINGS = [
    "\x1b]52;c;AAAA\x07",
    "\x1b[2J",
    "\u202e",
    '"',
    "'",
    ",",
    ";",
    "\n\n",
    "\ufeff",
    "#" * 3000,
    "[" * 500,
    "a.b.c",
]


def damaged(rng: Random, name: str, data: bytes) -> bytes:
    """A mutant of a file of that name."""
    kinds = [_bytes]
    if name.endswith((".csv", ".gcsv", ".toml")):
        kinds += [_text] * 3
    if name.endswith(".npz"):
        kinds += [_motion] * 3
    data = rng.choice(kinds)(rng, data)
    return data or b"\0"


def _bytes(rng: Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 12))):
        rng.choice(BYTES)(rng, out)
    return bytes(out)


def _place(rng: Random, out: bytearray) -> int:
    """Anywhere, the head and the end more often: there are the sizes."""
    reach = rng.choice((64, 600, len(out), len(out)))
    place = rng.randrange(max(1, min(reach, len(out))))
    return place if rng.random() < 0.7 else max(0, len(out) - 1 - place)


def _flip(rng: Random, out: bytearray) -> None:
    place = _place(rng, out)
    out[place : place + 1] = bytes([(out[place] if place < len(out) else 0) ^ 1 << rng.randrange(8)])


def _word(rng: Random, out: bytearray) -> None:
    place = _place(rng, out)
    out[place : place + 4] = rng.choice(WORDS)


def _cut(rng: Random, out: bytearray) -> None:
    place = _place(rng, out)
    del out[place : place + rng.randrange(1, LARGEST_RUN)]


def _end(rng: Random, out: bytearray) -> None:
    del out[_place(rng, out) + 1 :]


def _blank(rng: Random, out: bytearray) -> None:
    place, size = _place(rng, out), rng.randrange(1, LARGEST_RUN)
    out[place : place + size] = bytes(min(size, max(0, len(out) - place)))


def _noise(rng: Random, out: bytearray) -> None:
    place, size = _place(rng, out), rng.randrange(1, 60)
    out[place : place + size] = rng.randbytes(size)


def _repeat(rng: Random, out: bytearray) -> None:
    place, size = _place(rng, out), rng.randrange(1, LARGEST_RUN)
    out[place:place] = out[place : place + size]


def _move(rng: Random, out: bytearray) -> None:
    place, size = _place(rng, out), rng.randrange(1, LARGEST_RUN)
    part = out[place : place + size]
    del out[place : place + size]
    out[_place(rng, out) : 0] = part


BYTES = (_flip, _flip, _word, _word, _cut, _end, _blank, _noise, _repeat, _move)


def _text(rng: Random, data: bytes) -> bytes:
    text = data.decode(errors="surrogateescape")
    for _ in range(rng.choice((1, 1, 2, 5))):
        text = rng.choice(TEXTS)(rng, text)
    return text.encode(errors="surrogateescape")


def _number(rng: Random, text: str) -> str:
    found = list(re.finditer(r"-?\d+(\.\d+)?", text))
    if not found:
        return text
    one = rng.choice(found)
    return text[: one.start()] + rng.choice(NUMBERS) + text[one.end() :]


def _column(rng: Random, text: str) -> str:
    """The same number of every line."""
    lines = text.split("\n")
    column, value = rng.randrange(7), rng.choice(NUMBERS)
    split = [line.split(",") for line in lines]
    return "\n".join(
        ",".join(value if i == column and n else word for i, word in enumerate(words)) for n, words in enumerate(split)
    )


def _insert(rng: Random, text: str) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice(STRINGS) + text[place:]


def _lines(rng: Random, text: str) -> str:
    lines = text.split("\n")
    first = rng.randrange(len(lines))
    part = lines[first : first + rng.randrange(1, 40)]
    del lines[first : first + len(part)]
    at = rng.randrange(len(lines) + 1)
    lines[at:at] = part * rng.choice((0, 1, 2, 50))
    return "\n".join(lines)


def _letters(rng: Random, text: str) -> str:
    words = sorted(set(re.findall(r"[A-Za-z_]{2,}", text)))
    if not words:
        return text
    word = rng.choice(words)
    return text.replace(word, rng.choice([word.upper(), word[:-1], word * 2, "", "t", "gx", "é"]), rng.choice((1, -1)))


TEXTS: tuple[Callable[[Random, str], str], ...] = (_number, _number, _column, _insert, _lines, _letters)


def _motion(rng: Random, data: bytes) -> bytes:
    """A motion file that unpacks: one array, or the header, is another."""
    with np.load(io.BytesIO(data)) as file:
        arrays = {name: file[name] for name in file.files}
    name = rng.choice(list(arrays))
    if name == "header":
        arrays[name] = _header(rng, arrays[name])
    else:
        arrays[name] = rng.choice(ARRAYS)(rng, arrays[name])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for key, value in arrays.items():
            part = io.BytesIO()
            np.save(part, value, allow_pickle=False)
            archive.writestr(f"{key}.npy", part.getvalue())
    return out.getvalue()


def _header(rng: Random, header: np.ndarray) -> np.ndarray:
    return np.frombuffer(_text(rng, bytes(header)) if rng.random() < 0.5 else _nested(rng, bytes(header)), np.uint8)


def _nested(rng: Random, header: bytes) -> bytes:
    found = json.loads(header)
    table = rng.choice([found, found["geometry"]])
    table[rng.choice(list(table))] = rng.choice([None, -1, 0, 1e308, "1/0", "x", [], {}, True, 10**40, [[[[]]]]])
    return json.dumps(found).encode()


def _values(rng: Random, array: np.ndarray) -> np.ndarray:
    out = array.copy().reshape(-1)
    if not out.size:
        return array
    floats = out.dtype.kind == "f"
    worth = rng.choice(
        [0, 1, -1, 1e30, float("nan"), float("inf"), 1e-30] if floats else [0, 1, 99, -1, 2**62, -(2**62)]
    )
    where = slice(None) if rng.random() < 0.3 else rng.randrange(out.size)
    with np.errstate(all="ignore"):
        out[where] = np.array(worth).astype(out.dtype)
    return out.reshape(array.shape)


def _shape(rng: Random, array: np.ndarray) -> np.ndarray:
    forms = [
        array[:0],
        array[:-1],
        array[None],
        array.reshape(-1),
        array[..., None],
        np.repeat(array, 2, 0),
        array[::-1],
    ]
    return np.ascontiguousarray(rng.choice(forms))


def _type(rng: Random, array: np.ndarray) -> np.ndarray:
    kinds: list[Any] = [np.float16, np.float64, np.int8, np.uint64, np.complex64, "U4", "S2", ">f8", np.bool_]
    with np.errstate(all="ignore"):
        return np.asarray(array.astype(rng.choice(kinds)))


ARRAYS = (_values, _values, _shape, _type)
