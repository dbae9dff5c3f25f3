"""Lines on standard output: harmless for a terminal, and every failure to write them is an error with a name."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from typing import Any

from localfiles.errors import WriteError, reason
from localfiles.text import clean


def say(line: object) -> None:
    """One line. A reader who left is no error; `WriteError` where it cannot be written (the disk is full)."""
    stream = sys.stdout
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(clean(line).encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        _mute()
    except OSError as error:
        _mute()
        raise WriteError(f"standard output: cannot be written ({reason(error)})") from error


def say_json(value: Any) -> None:
    """A value for programs, on lines of ASCII: what files say cannot reach the terminal; NaN and infinity are null."""
    for line in json.dumps(_finite(value), indent=2, ensure_ascii=True, allow_nan=False).split("\n"):
        say(line)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _mute() -> None:
    """Send what is still to come, what is buffered included, to nowhere; else the interpreter stumbles over it at its
    end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
