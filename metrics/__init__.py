"""Quality metrics for stabilised video. Independent of `stabilize` and `gyro`: it imports neither.

`judge(out, ref, mode)` returns a `Judgement` of `Score`s. `MODES` lists the modes. `report_page(judgement)` returns a
self-contained HTML page. Importing this package loads neither OpenCV nor SciPy; the first use of a name does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metrics.errors import DatasetError, MetricsError, VideoReadError
    from metrics.judging import MODES, judge
    from metrics.model import Judgement, Score
    from metrics.report.page import report_page

__all__ = [
    "MODES",
    "DatasetError",
    "Judgement",
    "MetricsError",
    "Score",
    "VideoReadError",
    "judge",
    "report_page",
]

# Nothing is imported before a name is used: `python -m metrics` first has to leave the current folder.
_MODULES = {
    "DatasetError": "metrics.errors",
    "Judgement": "metrics.model",
    "MODES": "metrics.judging",
    "MetricsError": "metrics.errors",
    "Score": "metrics.model",
    "VideoReadError": "metrics.errors",
    "judge": "metrics.judging",
    "report_page": "metrics.report.page",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
