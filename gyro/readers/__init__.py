"""One reader a format; all of them give a GyroLog. The first whose `sniff` accepts a file reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gyro.errors import GyroError, InputError, LogError, NoLogError, UsageError
from gyro.log import GyroLog
from gyro.readers import betaflight, delimited, dvs, euroc, gcsv, gopro, phone, telemetry
from gyro.readers.assemble import file_beside
from gyro.readers.delimited import HEAD_BYTES
from gyro.readers.options import ReadOptions, parse_columns
from gyro.readers.table import open_log

__all__ = ["READERS", "Candidate", "ReadOptions", "Reader", "find_logs", "parse_columns", "read_log", "side_files"]


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

    `options` overrules what is detected. Raises InputError where there is no such file, UsageError where the options
    do not fit, LogError (NoLogError where nothing is broken), which says what was wrong, where, and what to do.
    """
    path, options = Path(path), options or ReadOptions()
    name = options.format or detect_format(path)
    if name not in READERS:
        raise UsageError(f"no reader {name!r}; there are {', '.join(READERS)}")
    try:
        return READERS[name].read(path, options)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (LogError, InputError):
        # Every MP4 looks like a GoPro's until it is opened; other cameras' are for the optional package.
        if options.format or name != "gpmf" or not telemetry.sniff(b"\0", path):
            raise
        log = _read_with_telemetry_parser(path, options)
        if log is None:
            raise
        return log


def _read_with_telemetry_parser(path: Path, options: ReadOptions) -> GyroLog | None:
    try:
        return telemetry.read(path, options)
    except NoLogError:
        return None


def detect_format(path: Path) -> str:
    """The name of the reader for a file. Raises InputError where it cannot be read, NoLogError where none takes it."""
    head = _head(path)
    for name, reader in READERS.items():
        if reader.sniff(head, path):
            return name
    raise NoLogError(f"{path.name}: not a gyroscope log of any known format ({', '.join(READERS)})")


def _head(path: Path) -> bytes:
    try:
        with open_log(path) as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class Candidate:
    """A log that may be a video's; where `log` is None, `problem` says why one that is there cannot be used."""

    log: GyroLog | None
    problem: str = ""


def find_logs(video: Path | str, options: ReadOptions | None = None) -> Iterator[Candidate]:
    """The logs of a video, best first, each read when it is asked for: those beside it (same folder, same stem), then
    the one inside it. What is no log is passed over without a word. Raises InputError where the video cannot be opened.
    """
    video = Path(video)
    for beside in side_files(video):
        if _has_reader(beside):
            yield _candidate(beside, options)
    if gopro.sniff(_head(video), video):
        yield from _log_inside(video)


def side_files(video: Path | str) -> Iterator[Path]:
    """The files beside a video that a log of it may be in."""
    video = Path(video)
    for ending in SIDE_FILES:
        beside = file_beside(video, video.stem + ending)
        if beside is not None and beside != video:
            yield beside


def _has_reader(path: Path) -> bool:
    try:
        detect_format(path)
    except GyroError:
        return False
    return True


def _candidate(path: Path, options: ReadOptions | None) -> Candidate:
    try:
        return Candidate(read_log(path, options))
    except GyroError as error:
        return Candidate(None, f"{path.name}, which was found for this video, was not used: {error}")


def _log_inside(video: Path) -> Iterator[Candidate]:
    try:
        yield Candidate(read_log(video))
    except NoLogError:
        return
    except LogError as error:
        yield Candidate(None, f"the gyroscope log inside the video was not used: {error}")
