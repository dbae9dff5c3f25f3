"""Result of a command line; root folder of the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class CommandResult:
    """Exit code, stdout and stderr."""

    code: int
    out: str
    err: str
