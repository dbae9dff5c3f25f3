"""stabilize: a shaky clip made steady.

`stabilize_video(source, target)` does all of it. Its three steps, each of use alone: `analyse` (video -> motion),
`solve` (motion -> path), `render` (path -> video); `rotation_of` is what a gyroscope log adds to a motion. `Config` has
every setting, `Report` is what a run says. The library is loaded with the first of these names that is used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` itself is slow to load, and until the program catches signals every moment counts
if TYPE_CHECKING:
    from typing import Any

    from stabilize.config import Config
    from stabilize.pipeline import Report, analyse, render, rotation_of, solve, stabilize_video

__version__ = "0.1.0"
__all__ = ["Config", "Report", "__version__", "analyse", "render", "rotation_of", "solve", "stabilize_video"]
_WHERE = {
    "Config": "stabilize.config",
    "Report": "stabilize.pipeline",
    "analyse": "stabilize.pipeline",
    "render": "stabilize.pipeline",
    "rotation_of": "stabilize.pipeline",
    "solve": "stabilize.pipeline",
    "stabilize_video": "stabilize.pipeline",
}


def __getattr__(name: str) -> Any:
    """Load the library when something of it is asked for: `stabilize --help` needs none of it."""
    if name not in _WHERE:
        raise AttributeError(f"module 'stabilize' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    """What is public, loaded or not: `help` shows it."""
    return sorted(__all__)
