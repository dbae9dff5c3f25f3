"""Print lines and JSON. Write failures are handled by `streams`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from localfiles.text import clean


def say(line: object) -> None:
    """Print a line on stdout; control characters are shown as escapes."""
    print(clean(line), flush=True)


def complain(line: object) -> None:
    """Print a line on stderr, like `say`."""
    print(clean(line), file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """Print a value as ASCII JSON on stdout: no control characters of files; NaN and infinity become null."""
    for line in json.dumps(_json_safe(value), indent=1, ensure_ascii=True, allow_nan=False, default=str).split("\n"):
        say(line)


def _json_safe(value: Any) -> Any:
    """Replace numbers that JSON cannot represent by None, recursively."""
    if isinstance(value, Mapping):
        return {str(key): _json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_safe(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
