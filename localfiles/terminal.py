"""Lines for a person and values for a program; what becomes of them is the matter of `streams`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from localfiles.text import clean


def say(line: object) -> None:
    """A line on stdout; escape sequences and the like become visible."""
    print(clean(line), flush=True)


def complain(line: object) -> None:
    """A line on stderr, as `say`."""
    print(clean(line), file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """A value on stdout, in ASCII: what files say cannot reach the terminal; NaN and infinity are null."""
    for line in json.dumps(_json_safe(value), indent=1, ensure_ascii=True, allow_nan=False, default=str).split("\n"):
        say(line)


def _json_safe(value: Any) -> Any:
    """A value with null in the place of every number that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): _json_safe(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json_safe(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
