"""The kinds of progress callbacks."""

from __future__ import annotations

from collections.abc import Callable

FrameProgress = Callable[[int], None]
"""progress(done): frames done."""
SolverProgress = Callable[[int, int], None]
"""progress(done, total): frames done, of all frames."""
StageProgress = Callable[[str, int, int], None]
"""progress(stage, done, total): frames done in a stage; `total` is 0 if the file does not state it."""
