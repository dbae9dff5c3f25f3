"""Which log belongs to a video, before the picture is asked."""

from __future__ import annotations

from pathlib import Path

from gyro.log import GyroLog
from stabilize.gyro_settings import GyroConfig


def find_log(video: Path, log: Path | None, config: GyroConfig) -> GyroLog | None:
    """The log that is named, else one beside the video, else one inside it; None where there is none or none is wanted.

    Raises GyroError where it cannot be read.
    """
    if config.use == "off":
        return None
    from gyro.readers import ReadOptions, video_log

    columns = tuple(name.strip() for name in config.columns.split(",")) if config.columns else None
    return video_log(video, log, ReadOptions(columns, gyro_unit=config.gyro_unit, time_unit=config.time_unit))
