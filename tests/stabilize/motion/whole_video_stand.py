"""Stands decided with the whole video at hand, as it was done before motion became a stream: the oracle of the filter.

Works on plain lists and shares no code with `stabilize.motion`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

LEAST_RUN, GAP, HOP, STILL_SHARE, PATIENCE = 10, 12, 3.0, 0.7, 45


def still_pairs(stands: list[tuple[int | None, bool]], still: np.ndarray, shift_px: np.ndarray) -> np.ndarray:
    """Which pairs (m,) belong to a stand. `stands`: of each pair, since which frame the camera has not moved, and
    whether something hides that; `still` (m,) pairs without motion of their own; `shift_px` (m, 2).
    """
    anchors: list[int] = []
    run = 0
    for stand, covered in stands:
        visible = stand is not None and not covered
        run = run + 1 if visible else run if stand is not None else 0
        anchors.append(stand if visible and stand is not None else -1)
        if visible and run > LEAST_RUN:
            _fill_back(anchors, stand)
    ids = np.array(anchors, np.int64)
    edges = np.flatnonzero(np.diff(ids, prepend=-2, append=-2))
    held = np.zeros(len(ids), bool)
    for first, last in pairwise(edges.tolist()):
        held[first:last] = ids[first] >= 0 and last - first >= LEAST_RUN
    for first, last in _runs(~held):
        brief = last - first <= GAP or still[first:last].mean() > STILL_SHARE
        hop = np.linalg.norm(shift_px[first:last].sum(axis=0))
        if last - first < len(held) and brief and hop < HOP:
            held[first:last] = True
    return held


def _fill_back(anchors: list[int], stand: int | None) -> None:
    behind = len(anchors) - 1
    while behind > 0 and anchors[behind - 1] == -1 and len(anchors) - behind <= PATIENCE + 1:
        behind -= 1
    if behind > 0 and anchors[behind - 1] == stand:
        anchors[behind:] = [anchors[behind - 1]] * (len(anchors) - behind)


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
