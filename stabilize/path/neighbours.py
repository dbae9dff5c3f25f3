"""The two frames of a path that a time lies between."""

from __future__ import annotations

from bisect import bisect_right

from stabilize.core import StablePath


def frames_around(path: StablePath, source: int, time_s: float) -> tuple[int, int, float]:
    """The frames before and after a time, and how far it is on the way, 0 to 1.

    Until a cut, the last frame before it is shown. Raises ValueError where frame `source` is of another shot.
    """
    at_source = path.timeline.time_at(source) == time_s  # with a damaged clock several frames may share one float
    frame, share = (source, 0.0) if at_source else path.timeline.locate(time_s)
    shot = path.shots[bisect_right(path.shots, frame, key=lambda shot: shot.stop)]
    if not shot.start <= source < shot.stop:
        raise ValueError(f"frame {source} is of another shot than frame {frame}, shown at {time_s:g} s")
    between = share > 0 and frame + 1 < shot.stop
    return (frame, frame + 1, share) if between else (frame, frame, 0.0)
