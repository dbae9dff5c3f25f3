"""One reader a format; all of them give a GyroLog. The first whose `sniff` accepts a file reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gyro.errors import LogError
from gyro.log import GyroLog
from gyro.readers import betaflight, delimited, dvs, euroc, gcsv, gopro, phone, telemetry
from gyro.readers.delimited import HEAD_BYTES
from gyro.readers.options import ReadOptions

__all__ = ["READERS", "ReadOptions", "Reader", "embedded_log", "find_log", "read_log", "video_log"]


@dataclass(frozen=True, slots=True)
class Reader:
    """`sniff` tells from the first 64 KiB and the path whether `read` can read a file; both raise nothing but
    GyroError."""

    sniff: Callable[[bytes, Path], bool]
    read: Callable[[Path, ReadOptions], GyroLog]


# In this order: the formats with a mark of their own come before the plain table, which takes any text with numbers.
READERS: dict[str, Reader] = {
    "gcsv": Reader(gcsv.sniff, gcsv.read),
    "gpmf": Reader(gopro.sniff, gopro.read),
    "euroc": Reader(euroc.sniff, euroc.read),
    "betaflight": Reader(betaflight.sniff, betaflight.read),
    "phone": Reader(phone.sniff, phone.read),
    "dvs": Reader(dvs.sniff, dvs.read),
    "delimited": Reader(delimited.sniff, delimited.read),
    "telemetry": Reader(telemetry.sniff, telemetry.read),
}

# The side files that lie beside a video of the same stem, best first.
SIDE_FILES = (".gcsv", ".csv", ".tsv", ".txt", ".raw", "_gyro.txt", "_gyro.csv", "gyro.csv", ".bin", ".bbl")


def read_log(path: Path | str, options: ReadOptions | None = None) -> GyroLog:
    """Read a gyroscope log of any known format, or the log inside a video.

    `options` overrules what is detected. Raises LogError, which says what was wrong, where, and what to do.
    """
    path, options = Path(path), options or ReadOptions()
    name = options.format or detect_format(path)
    if name not in READERS:
        raise LogError(f"no reader {name!r}; there are {', '.join(READERS)}")
    try:
        return READERS[name].read(path, options)
    except OSError as error:
        raise LogError(f"{path}: {error.strerror or error}") from error
    except LogError:
        # Every MP4 looks like a GoPro's until it is opened; other cameras' are for the optional package.
        if options.format or name != "gpmf" or not telemetry.sniff(b"\0", path):
            raise
        return telemetry.read(path, options)


def detect_format(path: Path) -> str:
    """The name of the reader for a file. Raises LogError where it is absent, empty, or none takes it."""
    if not path.is_file():
        raise LogError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise LogError(f"{path}: {error.strerror or error}") from error
    if not head:
        raise LogError(f"{path.name}: empty")
    for name, reader in READERS.items():
        if reader.sniff(head, path):
            return name
    raise LogError(f"{path.name}: not a gyroscope log of any known format ({', '.join(READERS)})")


def find_log(video: Path | str) -> Path | None:
    """The log beside a video: same folder, same stem; None if there is none that a reader takes."""
    video = Path(video)
    for ending in SIDE_FILES:
        beside = video.with_name(video.stem + ending)
        if beside != video and beside.is_file() and _reads(beside):
            return beside
    return None


def _reads(path: Path) -> bool:
    try:
        detect_format(path)
    except LogError:
        return False
    return True


def video_log(video: Path, log: Path | None, options: ReadOptions | None = None) -> GyroLog | None:
    """The log that is named, else the one beside the video, else the one inside it; None if there is none. Raises
    LogError where one that is named or beside cannot be read."""
    path = log or find_log(video)
    return read_log(path, options) if path is not None else embedded_log(video)


def embedded_log(video: Path | str) -> GyroLog | None:
    """The log inside a video; None if it carries none. Raises LogError where the video itself cannot be opened."""
    video = Path(video)
    try:
        with video.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise LogError(f"{video}: {error.strerror or error}") from error
    if not gopro.sniff(head, video):
        return None
    try:
        return read_log(video)
    except LogError:
        return None
