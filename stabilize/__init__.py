"""stabilize: a shaky clip made steady; analyse, solve, render."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` itself is slow to load, and until the program catches signals every moment counts
if TYPE_CHECKING:
    from typing import Any

    from stabilize.config import Config
    from stabilize.pipeline import Report, analyse, render, rotation_of, solve, stabilize_video

_WHERE = {
    "Config": "stabilize.config",
    "Report": "stabilize.pipeline",
    "analyse": "stabilize.pipeline",
    "render": "stabilize.pipeline",
    "rotation_of": "stabilize.pipeline",
    "solve": "stabilize.pipeline",
    "stabilize_video": "stabilize.pipeline",
}
__all__ = ["Config", "Report", "analyse", "render", "rotation_of", "solve", "stabilize_video"]


def __getattr__(name: str) -> Any:
    """Load the library when something of it is asked for: `stabilize --help` needs none of it."""
    if name not in _WHERE:
        raise AttributeError(f"module 'stabilize' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
