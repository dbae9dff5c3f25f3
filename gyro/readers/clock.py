"""Clock of a log: rows with increasing times, gaps, and damage."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from gyro.errors import LogError
from gyro.log import Damage, Float

Index = NDArray[np.intp]
# Length of a gap in median steps: a regular clock shows one lost sample; phones jitter by a factor of 2 or 3.
GAP_MIN_STEPS = 1.6
GAP_MAX_STEPS = 4.0
EQUAL_TIMES_MIN_SHARE = 0.1  # of equal neighbours, above which the clock is coarse; below, rows are duplicates
MAX_DAMAGE = 1000
RATE_MIN_HZ = 2.0  # of a gyroscope that can show a camera's motion
RATE_MAX_HZ = 1e6
# Resampling needs memory in proportion to the span, so a log may span SPAN_RATIO_MAX times what its samples fill, and
# SPAN_ALLOWANCE_S for breaks. Of a clock that jumps further the larger part is used.
SPAN_RATIO_MAX = 20.0
SPAN_ALLOWANCE_S = 3600.0
CLOCK_JUMP_MIN_S = 600.0


def spread_ties(time: Float) -> Float:
    """Spread runs of equal times, of a clock coarser than the sample rate, evenly up to the next time.

    Times (n,) in any unit are returned unchanged where less than a tenth of the neighbours are equal.
    """
    step = np.diff(time)
    if len(step) == 0 or np.mean(step == 0) <= EQUAL_TIMES_MIN_SHARE:
        return time
    first = np.flatnonzero(np.concatenate([[True], step != 0]))
    if len(first) < 2:
        return time
    # The last run has no next time: it continues with the step of the run before.
    per_row = (time[first[-1]] - time[first[-2]]) / (first[-1] - first[-2])
    knots = np.append(first, len(time))
    values = np.append(time[first], time[first[-1]] + per_row * (len(time) - first[-1]))
    return np.asarray(np.interp(np.arange(len(time)), knots, values))


def increasing_rows(time: Float) -> Index:
    """Return the largest set of rows whose times increase strictly, so that one wrong time costs one row only."""
    if len(time) < 2 or np.all(np.diff(time) > 0):
        return np.arange(len(time))
    earlier = np.concatenate([[-np.inf], np.maximum.accumulate(time)[:-1]])
    later = np.concatenate([np.minimum.accumulate(time[::-1])[::-1][1:], [np.inf]])
    # Rows above all earlier and below all later ones belong to every longest sequence; only the others are searched.
    undisputed = (time > earlier) & (time < later)
    disputed = np.flatnonzero(~undisputed)
    chosen = disputed[_longest_increasing(time[disputed].tolist())]
    return np.sort(np.concatenate([np.flatnonzero(undisputed), chosen]))


def _longest_increasing(values: list[float]) -> list[int]:
    """Return the indices of a longest strictly increasing subsequence (patience sorting, Fredman 1975)."""
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


def plausible_rows(time_s: Float) -> slice:
    """Return the rows of times (n,) whose span is plausible: all, or the longest part between two jumps.

    With a stray time at either end, or a clock set after the first samples, the log would span decades.
    """
    if _is_plausible_span(time_s):
        return slice(0, len(time_s))
    cuts = np.flatnonzero(np.diff(time_s) > CLOCK_JUMP_MIN_S) + 1
    ends = np.concatenate([[0], cuts, [len(time_s)]])
    longest = int(np.argmax(np.diff(ends)))
    return slice(int(ends[longest]), int(ends[longest + 1]))


def check_clock(time_s: Float, name: str) -> None:
    """Raise LogError where times (n,) cannot be those of a gyroscope: too slow, too fast, or too sparse."""
    rate_hz = 1 / max(float(np.median(np.diff(time_s))), 1e-300)
    if not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
        raise LogError(
            f"{name}: {rate_hz:.3g} samples per second; a gyroscope gives {RATE_MIN_HZ:g} to {RATE_MAX_HZ:g}; "
            "is the time unit right? (--time-unit)"
        )
    if not _is_plausible_span(time_s):
        span_s = float(time_s[-1] - time_s[0])
        raise LogError(f"{name}: {len(time_s)} samples over {span_s:.3g} s; cut the log to the length of the video")


def _is_plausible_span(time_s: Float) -> bool:
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    return bool(time_s[-1] - time_s[0] <= SPAN_RATIO_MAX * step * len(time_s) + SPAN_ALLOWANCE_S)


def dropped_rows(time: Float, rows: Index) -> tuple[Index, NDArray[np.bool_]]:
    """Return the rows that were dropped, and which of them repeat the time of the row beside them."""
    dropped = np.setdiff1d(np.arange(len(time)), rows, assume_unique=True)
    place = np.searchsorted(rows, dropped)
    earlier = rows[np.maximum(place - 1, 0)]
    later = rows[np.minimum(place, len(rows) - 1)]
    return dropped, (time[dropped] == time[earlier]) | (time[dropped] == time[later])


def ordering_damage(time_s: Float, line: NDArray[np.int64], rows: Index) -> list[Damage]:
    """Return one entry with the first line of each run of rows that is not in `rows`."""
    dropped, repeats = dropped_rows(time_s, rows)
    damage = []
    starts = np.flatnonzero(np.diff(dropped, prepend=-2) > 1)
    for start, end in zip(starts[:MAX_DAMAGE], [*starts[1:], len(dropped)], strict=False):
        row = dropped[start]
        what = "duplicate time" if np.all(repeats[start:end]) else "time does not increase"
        if (row < rows[0] and time_s[row] < time_s[rows[0]]) or (row > rows[-1] and time_s[row] > time_s[rows[-1]]):
            what = "time jumps"
        damage.append(Damage(int(line[row]), float(time_s[row]), f"{what} ({end - start} rows dropped)"))
    return damage


def gap_limit_s(step_s: Float) -> float:
    """Return the length above which a step is a gap, from the variation of the steps (n,)."""
    median, high = np.percentile(step_s, [50, 99])
    return float(median * np.clip(1 + 3 * (high / median - 1), GAP_MIN_STEPS, GAP_MAX_STEPS))


def lost_spans(time_s: Float, line: NDArray[np.int64], lost_line: NDArray[np.int64]) -> tuple[Float, list[Damage]]:
    """Return the merged spans (k, 2) with lost lines or too long a step, and the damage entries of the long steps.

    `time_s` (n,) and `line` (n,) are of the remaining rows; `lost_line` are the numbers of lines without a row.
    """
    step = np.diff(time_s)
    if not len(step):
        return np.zeros((0, 2)), []
    is_gap = step > gap_limit_s(step)
    after = np.searchsorted(line, lost_line)
    explained = np.zeros(len(step), bool)
    explained[after[(after > 0) & (after < len(line))] - 1] = True
    unexplained = np.flatnonzero(is_gap & ~explained)
    damage = [Damage(int(line[i]), float(time_s[i]), f"no data for {step[i]:.3g} s") for i in unexplained[:MAX_DAMAGE]]
    is_gap |= explained
    starts = np.flatnonzero(is_gap & ~np.concatenate([[False], is_gap[:-1]]))
    ends = np.flatnonzero(is_gap & ~np.concatenate([is_gap[1:], [False]])) + 1
    return np.stack([time_s[starts], time_s[ends]], axis=1), damage
