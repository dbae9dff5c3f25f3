"""Simulate a full disk in a subprocess."""

from __future__ import annotations

import os
import resource
from typing import Any


def full_beyond(limit_bytes: int) -> dict[str, Any]:
    """Return arguments for `subprocess` with which files cannot grow beyond a size, as on a full disk.

    The process writes no bytecode: Python leaves a truncated .pyc in place, which breaks the next import of the module.
    """
    return {
        "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
        "env": os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    }
