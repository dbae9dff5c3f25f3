"""Find the logs that may belong to a video, before they are compared with its visual motion."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from stabilize.settings import GyroConfig
from stabilize.video.probe import Track

if TYPE_CHECKING:
    from gyro.readers import Candidate

NO_TELEMETRY_TAGS = ("tmcd", "text")  # of data tracks that hold time codes and chapters


def candidate_logs(
    video: Path, log: Path | None, config: GyroConfig, tracks: tuple[Track, ...] | None = None
) -> Iterator[Candidate] | None:
    """Return `log`, or the logs beside and inside the video; None if there is none.

    The first one is read now, each other one when the iterator reaches it. `tracks` of the video, if known, tell
    whether it can contain a log and has to be opened.

    Raises GyroError if `log` or the lens profile of the settings cannot be read.
    """
    from gyro.readers import Candidate, ReadOptions, find_logs, parse_columns, read_log

    if config.use == "off":
        note = f"the gyroscope log {log} was not used: gyro.use is off"
        return None if log is None else iter((Candidate(None, note),))
    if config.lens is not None:
        from gyro.lens import load_lens

        load_lens(config.lens)  # to fail before any work is done
    options = ReadOptions(columns=parse_columns(config.columns), gyro_unit=config.gyro_unit, time_unit=config.time_unit)
    if log is not None:
        return iter((Candidate(read_log(log, options)),))
    may_contain_log = tracks is None or any(t.kind == "data" and t.tag not in NO_TELEMETRY_TAGS for t in tracks)
    candidates = iter(find_logs(video, options, may_contain_log))
    first = next(candidates, None)
    return None if first is None else chain((first,), candidates)
