"""Which logs may belong to a video, before the picture is asked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from stabilize.settings import GyroConfig
from stabilize.video.probe import Track

# Most videos have no log, and need no more of `gyro` than what looks for one.
if TYPE_CHECKING:
    from gyro.readers import Candidate


NO_TELEMETRY = ("tmcd", "text")  # tags of data tracks that hold time codes and chapters


def candidate_logs(
    video: Path, log: Path | None, config: GyroConfig, tracks: tuple[Track, ...] | None = None
) -> Iterator[Candidate] | None:
    """The log that is named, else those beside the video and inside it, each read when its turn comes, the first one
    now; None where there is none. `tracks`: what is known to be in the video, which is not opened in vain then.

    Raises GyroError where what is named cannot be read: the log, or a lens profile.
    """
    from gyro.readers import Candidate, ReadOptions, find_logs, read_log

    if config.use == "off":
        off = f"the gyroscope log {log} was not used: gyro.use is off"
        return None if log is None else iter((Candidate(None, off),))
    if config.lens is not None:
        from gyro.lens import load_lens

        load_lens(config.lens)  # refused before any work is done
    columns = tuple(name.strip() for name in config.columns.split(",")) if config.columns else None
    options = ReadOptions(columns=columns, gyro_unit=config.gyro_unit, time_unit=config.time_unit)
    if log is not None:
        return iter((Candidate(read_log(log, options)),))
    has_data_track = tracks is None or any(t.kind == "data" and t.tag not in NO_TELEMETRY for t in tracks)
    found = iter(find_logs(video, options, has_data_track))
    first = next(found, None)
    return None if first is None else chain((first,), found)
