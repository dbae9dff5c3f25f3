"""A disk that is full, for a process of its own."""

from __future__ import annotations

import os
import resource
from typing import Any


def full_beyond(limit_bytes: int) -> dict[str, Any]:
    """Arguments of `subprocess` that let no file of the process grow further: the kernel refuses, as on a full disk.

    Nor does the process write bytecode: Python leaves a cut-off .pyc in place, and whoever imports that module next,
    without any limit, dies of it.
    """
    return {
        "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
        "env": os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    }
