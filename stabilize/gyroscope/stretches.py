"""The parts of a video that are compared with a log. Of a long video the middle and both ends determine the clock."""

from __future__ import annotations

from collections.abc import Callable

MIDDLE_S, END_S = 120.0, 20.0
WHOLE_MAX_S = MIDDLE_S + 4 * END_S  # shorter videos are compared throughout: each gap would be shorter than END_S


def compared_stretches(duration_s: float) -> Callable[[float], bool]:
    """Return a function of the time since the first frame: whether the video is compared with the log at this time.

    `duration_s` is the approximate duration; if it is 0 (unknown), the beginning is compared.
    """
    if duration_s <= WHOLE_MAX_S:
        return lambda time_s: duration_s > 0 or time_s <= WHOLE_MAX_S
    return lambda time_s: min(time_s, abs(duration_s - time_s)) < END_S or abs(time_s - duration_s / 2) < MIDDLE_S / 2
