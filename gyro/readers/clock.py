"""Times that increase: which rows of a log can be trusted, which spans are lost."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from gyro.errors import LogError
from gyro.log import Damage, Float

Index = NDArray[np.intp]
GAP_MIN_STEPS, GAP_MAX_STEPS = (
    1.6,
    4.0,
)  # an even clock shows one lost sample; phones jitter by a factor of 2 or 3 without losing any
EQUAL_TIMES_MIN_SHARE = (
    0.1  # above this share of equal neighbours the clock is coarse, below it rows were written twice
)
MAX_DAMAGE = 1000
RATE_MIN_HZ, RATE_MAX_HZ = 2.0, 1e6  # of a gyroscope that is to show a camera's motion, and of any sensor
# What is computed at even times costs memory by the span, so a log may claim SPARSE times the span that its samples
# fill, and SPARE_S for a break. A jump of the clock that leads beyond costs the smaller part of the log.
SPAN_RATIO_MAX, SPAN_ALLOWANCE_S, CLOCK_JUMP_MIN_S = 20.0, 3600.0, 600.0


def spread_ties(time: Float) -> Float:
    """Times of a clock that is coarser than the samples: a run of equal times is spread evenly up to the next time.

    Times (n,) in any unit; returned as they are where less than a tenth of the neighbours are equal.
    """
    step = np.diff(time)
    if len(step) == 0 or np.mean(step == 0) <= EQUAL_TIMES_MIN_SHARE:
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
    earlier = np.concatenate([[-np.inf], np.maximum.accumulate(time)[:-1]])
    later = np.concatenate([np.minimum.accumulate(time[::-1])[::-1][1:], [np.inf]])
    # Rows above all before and below all behind belong to every longest sequence; only the others need the search.
    undisputed = (time > earlier) & (time < later)
    disputed = np.flatnonzero(~undisputed)
    chosen = disputed[_longest_increasing(time[disputed].tolist())]
    return np.sort(np.concatenate([np.flatnonzero(undisputed), chosen]))


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


def plausible_rows(time_s: Float) -> slice:
    """The rows (n,) of a clock whose span its samples can fill: all, or the most between two jumps.

    A stray time at either end, or a clock that was set after the first samples, would else span decades.
    """
    if _is_plausible_span(time_s):
        return slice(0, len(time_s))
    cuts = np.flatnonzero(np.diff(time_s) > CLOCK_JUMP_MIN_S) + 1
    ends = np.concatenate([[0], cuts, [len(time_s)]])
    longest = int(np.argmax(np.diff(ends)))
    return slice(int(ends[longest]), int(ends[longest + 1]))


def check_clock(time_s: Float, name: str) -> None:
    """Raises LogError where times (n,) cannot be those of a gyroscope: too slow, too fast, or hardly ever sampled."""
    rate_hz = 1 / max(float(np.median(np.diff(time_s))), 1e-300)
    if not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
        raise LogError(
            f"{name}: {rate_hz:.3g} samples a second, where a gyroscope gives {RATE_MIN_HZ:g} to {RATE_MAX_HZ:g}; "
            "is the time unit right? (--time-unit)"
        )
    if not _is_plausible_span(time_s):
        span_s = float(time_s[-1] - time_s[0])
        raise LogError(f"{name}: {len(time_s)} samples over {span_s:.3g} s; cut the log to the length of the video")


def _is_plausible_span(time_s: Float) -> bool:
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    return bool(time_s[-1] - time_s[0] <= SPAN_RATIO_MAX * step * len(time_s) + SPAN_ALLOWANCE_S)


def dropped_rows(time: Float, kept: Index) -> tuple[Index, NDArray[np.bool_]]:
    """The rows that were left out, and which of them only repeat the time of the row beside them."""
    dropped = np.setdiff1d(np.arange(len(time)), kept, assume_unique=True)
    place = np.searchsorted(kept, dropped)
    earlier = kept[np.maximum(place - 1, 0)]
    later = kept[np.minimum(place, len(kept) - 1)]
    return dropped, (time[dropped] == time[earlier]) | (time[dropped] == time[later])


def ordering_damage(time_s: Float, line: NDArray[np.int64], kept: Index) -> list[Damage]:
    """One entry for each run of rows that was left out of `kept`, with its first line."""
    dropped, repeats = dropped_rows(time_s, kept)
    damage = []
    starts = np.flatnonzero(np.diff(dropped, prepend=-2) > 1)
    for start, end in zip(starts[:MAX_DAMAGE], [*starts[1:], len(dropped)], strict=False):
        row = dropped[start]
        what = "time is there twice" if np.all(repeats[start:end]) else "time does not increase"
        if (row < kept[0] and time_s[row] < time_s[kept[0]]) or (row > kept[-1] and time_s[row] > time_s[kept[-1]]):
            what = "time jumps"
        damage.append(Damage(int(line[row]), float(time_s[row]), f"{what} ({end - start} rows left out)"))
    return damage


def gap_limit_s(step_s: Float) -> float:
    """From which length on a step (of (n,) steps between samples) is a gap: by how much the usual steps vary."""
    median, high = np.percentile(step_s, [50, 99])
    return float(median * np.clip(1 + 3 * (high / median - 1), GAP_MIN_STEPS, GAP_MAX_STEPS))


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
