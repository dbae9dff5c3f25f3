"""The judge of stabilised video. Imports nothing of `stabilize` or `gyro`.

`judge(out, ref, mode)` gives a `Judgement` of `Score`s; `MODES` names the modes; `report_page(judgement)` is a
self-contained HTML page. Importing this package loads neither OpenCV nor SciPy: that happens with the first name used.
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

_HOMES = {
    "DatasetError": "metrics.errors",
    "MetricsError": "metrics.errors",
    "VideoReadError": "metrics.errors",
    "MODES": "metrics.judging",
    "Judgement": "metrics.model",
    "Score": "metrics.model",
    "judge": "metrics.judging",
    "report_page": "metrics.report.page",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
