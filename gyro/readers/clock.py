"""Times that increase: which rows of a log can be trusted, which spans are lost."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from gyro.log import Damage, Float

Index = NDArray[np.intp]
GAP_MIN, GAP_MAX = (
    1.6,
    4.0,
)  # an even clock shows one lost sample; phones jitter by a factor of 2 or 3 without losing any
COARSE_SHARE = 0.1  # above this share of equal neighbours the clock is coarse, below it rows were written twice
MAX_DAMAGE = 1000


def spread_ties(time: Float) -> Float:
    """Times of a clock that is coarser than the samples: a run of equal times is spread evenly up to the next time.

    Times (n,) in any unit; returned as they are where less than a tenth of the neighbours are equal.
    """
    step = np.diff(time)
    if len(step) == 0 or np.mean(step == 0) <= COARSE_SHARE:
        return time
    first = np.flatnonzero(np.concatenate([[True], step != 0]))
    if len(first) < 2:
        return time
    # The last run has no next time: it goes on with the step of the run before.
    per_row = (time[first[-1]] - time[first[-2]]) / (first[-1] - first[-2])
    knots = np.append(first, len(time))
    values = np.append(time[first], time[first[-1]] + per_row * (len(time) - first[-1]))
    return np.asarray(np.interp(np.arange(len(time)), knots, values))


def increasing_rows(time: Float) -> Index:
    """The largest set of rows whose times increase strictly, so that one wild time costs one row, before or behind
    it."""
    if len(time) < 2 or np.all(np.diff(time) > 0):
        return np.arange(len(time))
    before = np.concatenate([[-np.inf], np.maximum.accumulate(time)[:-1]])
    behind = np.concatenate([np.minimum.accumulate(time[::-1])[::-1][1:], [np.inf]])
    # Rows above all before and below all behind belong to every longest sequence; only the others need the search.
    agreed = (time > before) & (time < behind)
    disputed = np.flatnonzero(~agreed)
    chosen = disputed[_longest_increasing(time[disputed].tolist())]
    return np.sort(np.concatenate([np.flatnonzero(agreed), chosen]))


def _longest_increasing(values: list[float]) -> list[int]:
    """Indices of a longest strictly increasing subsequence (patience sorting, Fredman 1975)."""
    tails: list[float] = []
    tail_index: list[int] = []
    previous = [-1] * len(values)
    for i, value in enumerate(values):
        place = bisect_left(tails, value)
        previous[i] = tail_index[place - 1] if place else -1
        if place == len(tails):
            tails.append(value)
            tail_index.append(i)
        else:
            tails[place], tail_index[place] = value, i
    chain = []
    i = tail_index[-1] if tail_index else -1
    while i >= 0:
        chain.append(i)
        i = previous[i]
    return chain[::-1]


def dropped_rows(time: Float, kept: Index) -> tuple[Index, NDArray[np.bool_]]:
    """The rows that were left out, and which of them only repeat the time of the row beside them."""
    dropped = np.setdiff1d(np.arange(len(time)), kept, assume_unique=True)
    place = np.searchsorted(kept, dropped)
    before = kept[np.maximum(place - 1, 0)]
    behind = kept[np.minimum(place, len(kept) - 1)]
    return dropped, (time[dropped] == time[before]) | (time[dropped] == time[behind])


def order_damage(time_s: Float, line: NDArray[np.int64], kept: Index) -> list[Damage]:
    """One entry for each run of rows that was left out of `kept`, with its first line."""
    dropped, repeats = dropped_rows(time_s, kept)
    damage = []
    starts = np.flatnonzero(np.diff(dropped, prepend=-2) > 1)
    for start, end in zip(starts[:MAX_DAMAGE], [*starts[1:], len(dropped)], strict=False):
        row = dropped[start]
        what = "time is there twice" if np.all(repeats[start:end]) else "time does not increase"
        damage.append(Damage(int(line[row]), float(time_s[row]), f"{what} ({end - start} rows left out)"))
    return damage


def gap_limit_s(step_s: Float) -> float:
    """From which length on a step (of (n,) steps between samples) is a gap: by how much the usual steps vary."""
    median, high = np.percentile(step_s, [50, 99])
    return float(median * np.clip(1 + 3 * (high / median - 1), GAP_MIN, GAP_MAX))


def lost_spans(time_s: Float, line: NDArray[np.int64], lost_line: NDArray[np.int64]) -> tuple[Float, list[Damage]]:
    """Spans (k, 2) between rows with lost lines between them or too long a step, merged; and the report of the long
    steps.

    `time_s` (n,) and `line` (n,) of the rows that are left; `lost_line` numbers the lines that gave none.
    """
    step = np.diff(time_s)
    if not len(step):
        return np.zeros((0, 2)), []
    wide = step > gap_limit_s(step)
    after = np.searchsorted(line, lost_line)
    explained = np.zeros(len(step), bool)
    explained[after[(after > 0) & (after < len(line))] - 1] = True
    silent = np.flatnonzero(wide & ~explained)
    damage = [Damage(int(line[i]), float(time_s[i]), f"no data for {step[i]:.3g} s") for i in silent[:MAX_DAMAGE]]
    wide |= explained
    starts = np.flatnonzero(wide & ~np.concatenate([[False], wide[:-1]]))
    ends = np.flatnonzero(wide & ~np.concatenate([wide[1:], [False]])) + 1
    return np.stack([time_s[starts], time_s[ends]], axis=1), damage
