"""How a command line ended, and where the project is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Ended:
    """Exit code, and what was said on stdout and stderr."""

    code: int
    out: str
    err: str
