"""Which parts of a video are compared with a log: of a long one the middle and both ends tell the clock."""

from __future__ import annotations

from collections.abc import Callable

MIDDLE_S, END_S = 120.0, 20.0
WHOLE_MAX_S = MIDDLE_S + 4 * END_S  # of a shorter video everything is compared: each hole would be under END_S


def compared_stretches(duration_s: float) -> Callable[[float], bool]:
    """Whether so many seconds after the first frame are compared, in a video that lasts about `duration_s`; 0: it does
    not say, and its beginning is.
    """
    if duration_s <= WHOLE_MAX_S:
        return lambda time_s: duration_s > 0 or time_s <= WHOLE_MAX_S
    return lambda time_s: min(time_s, abs(duration_s - time_s)) < END_S or abs(time_s - duration_s / 2) < MIDDLE_S / 2
