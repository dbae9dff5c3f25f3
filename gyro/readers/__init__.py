"""Readers of gyroscope logs, one per format. The first whose `sniff` accepts a file reads it."""

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
    """Reader of one format. Both functions raise nothing but GyroError."""

    sniff: Callable[[bytes, Path], bool]
    """Whether `read` can read a file, from its first 64 KiB and its path."""
    read: Callable[[Path, ReadOptions], GyroLog]


# Formats with a signature come before the plain table, which accepts any text with numbers.
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

# Endings of logs beside a video of the same stem, most specific first.
SIDE_FILES = (".gcsv", ".csv", ".tsv", ".txt", ".raw", "_gyro.txt", "_gyro.csv", "gyro.csv", ".bin", ".bbl")


def read_log(path: Path | str, options: ReadOptions | None = None) -> GyroLog:
    """Read a gyroscope log of any known format, or the log inside a video.

    `options` overrides detection. Raises InputError where the file cannot be read, UsageError where the options do not
    fit, LogError where the log is damaged, NoLogError where the file has none.
    """
    path, options = Path(path), options or ReadOptions()
    name = options.format or detect_format(path)
    if name not in READERS:
        raise UsageError(f"no reader {name!r}; known: {', '.join(READERS)}")
    try:
        return READERS[name].read(path, options)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (LogError, InputError):
        # Every MP4 is tried as a GoPro's first; telemetry-parser reads those of other cameras.
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
    """Return the name of the reader for a file. Raises InputError where it cannot be read, NoLogError without a
    reader."""
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
    """A log that may belong to a video."""

    log: GyroLog | None
    problem: str = ""
    """Why the log cannot be used, where `log` is None."""


def find_logs(
    video: Path | str, options: ReadOptions | None = None, has_data_track: bool = True
) -> Iterator[Candidate]:
    """Yield the logs of a video, most specific first: those beside it (same folder, same stem), then the one inside it.
    Files without a log are skipped. Without a data track the video is not opened. Raises InputError where it cannot be
    opened.
    """
    video = Path(video)
    for beside in side_files(video):
        if _has_reader(beside):
            yield _candidate(beside, options)
    if gopro.sniff(_head(video), video):
        yield from _log_inside(video, has_data_track)


def side_files(video: Path | str) -> Iterator[Path]:
    """Yield the files beside a video that may contain its log."""
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


def _log_inside(video: Path, has_data_track: bool) -> Iterator[Candidate]:
    """Cameras other than GoPro's, read by the optional package, may keep their log elsewhere than in a track."""
    if not has_data_track:
        log = _read_with_telemetry_parser(video, ReadOptions()) if telemetry.sniff(b"\0", video) else None
        yield from (Candidate(log),) if log is not None else ()
        return
    try:
        yield Candidate(read_log(video))
    except NoLogError:
        return
    except LogError as error:
        yield Candidate(None, f"the gyroscope log inside the video was not used: {error}")
