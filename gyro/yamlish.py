"""The small part of YAML that calibration files use: nested keys by indentation, numbers, strings, bracketed lists.

No tags, anchors or aliases are followed, so a hostile file can do nothing but fail to parse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from gyro.errors import LogError, file_errors
from localfiles import read_bytes

Value: TypeAlias = "float | str | list[Value] | dict[str, Value]"

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
_KEY = re.compile(r"^( *)([\w./-]+) *:(?: +(.*))?$")


def load_yaml(path: Path) -> dict[str, Value]:
    """Read a file. Raises InputError where it is larger than 1 MiB, LogError where it is beyond this subset."""
    with file_errors():
        data = read_bytes(path, MAX_BYTES, "calibration file")
    return parse_yaml(data.decode("utf-8", "replace"), path.name)


def parse_yaml(text: str, name: str) -> dict[str, Value]:
    """Keys to values; every number is a float. Raises LogError with the line of the first thing that is not
    understood."""
    top: dict[str, Value] = {}
    stack: list[tuple[int, dict[str, Value]]] = [(-1, top)]
    open_key = ""  # the last key without a value: what follows it, indented or as a list, belongs to it
    for number, line in _logical_lines(text):
        if line.lstrip().startswith("- ") and open_key:
            items = stack[-2][1].setdefault(open_key, [])
            if not isinstance(items, list):
                items = stack[-2][1][open_key] = []
            items.append(_value(line.lstrip()[2:].strip(), name, number))
            continue
        match = _KEY.match(line)
        if not match:
            raise LogError(f"{name}: line {number}: {line[:40]!r} is not 'key: value'")
        indent, key, rest = len(match[1]), match[2], re.sub(r"^!!\S+ *", "", (match[3] or "").strip())
        while stack[-1][0] >= indent:
            stack.pop()
        open_key = "" if rest else key
        stack[-1][1][key] = child = _value(rest, name, number) if rest else {}
        if isinstance(child, dict):
            if len(stack) > MAX_DEPTH:
                raise LogError(f"{name}: line {number}: nested deeper than {MAX_DEPTH}")
            stack.append((indent, child))
    return top


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with something in them; a bracketed list that goes on over several lines is put into one."""
    parts: list[str] = []
    start = depth = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = _strip(raw)
        if not line or (not parts and line.startswith(("%", "---", "..."))):
            continue
        start = start if parts else number
        parts.append(line if not parts else line.strip())
        depth += line.count("[") - line.count("]")
        if depth <= 0:
            yield start, " ".join(parts)
            parts, depth = [], 0
    if parts:
        yield start, " ".join(parts)


def _strip(line: str) -> str:
    """Without the comment and the space behind."""
    return re.sub(r"(^|\s)#.*$", "", line.replace("\t", " ")).rstrip()


def _value(text: str, name: str, number: int) -> Value:
    if text.startswith("["):
        return _list(text, name, number)
    try:
        return float(text)
    except ValueError:
        return text.strip("\"'")


def _list(text: str, name: str, number: int) -> list[Value]:
    """Bracketed lists, one inside the other."""
    root: list[Value] = []
    stack = [root]
    for token in re.findall(r"\[|\]|[^\[\],]+", text):
        if token == "[":
            if len(stack) > MAX_DEPTH:
                raise LogError(f"{name}: line {number}: nested deeper than {MAX_DEPTH}")
            child: list[Value] = []
            stack[-1].append(child)
            stack.append(child)
        elif token == "]":
            if len(stack) == 1:
                raise LogError(f"{name}: line {number}: a bracket too many")
            stack.pop()
        elif token.strip():
            stack[-1].append(_value(token.strip(), name, number))
    first = root[0] if root else None
    if len(stack) != 1 or len(root) != 1 or not isinstance(first, list):
        raise LogError(f"{name}: line {number}: the list does not end")
    return first
