"""Where motion comes from: each source finds the points of one picture in the next, and declares what it needs.

`SOURCES` names them. A new one is a file beside `klt.py`, an entry here, and its name in `FlowName` of
`settings.py`.
"""

from __future__ import annotations

from stabilize.motion.sources.contract import (
    DenseField,
    Follow,
    MotionSource,
    Needs,
    PicturePair,
    PointMatches,
    at_points,
)
from stabilize.motion.sources.dis import DIS
from stabilize.motion.sources.klt import KLT
from stabilize.motion.sources.picture import Picture, prepare

SOURCES: dict[str, MotionSource] = {"klt": KLT, "dis": DIS}

__all__ = [
    "SOURCES",
    "DenseField",
    "Follow",
    "MotionSource",
    "Needs",
    "Picture",
    "PicturePair",
    "PointMatches",
    "at_points",
    "prepare",
]
