"""Of several logs that may be a video's the one that the picture agrees with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gyro.errors import SyncError
from gyro.log import GyroLog
from gyro.readers import Candidate

from .known import known_settings
from .ois import synchronize_held
from .problem import SyncSettings
from .result import SyncResult
from .tracks import Tracks


@dataclass(frozen=True, slots=True)
class Match:
    """A log against the picture: `settings` are what was known beforehand, `sync` says whether they agree."""

    log: GyroLog
    tracks: Tracks
    settings: SyncSettings
    sync: SyncResult


def match_logs(
    candidates: Iterable[Candidate],
    look: Callable[[], Tracks],
    focal_px: float | None = None,
    lens: Path | str | None = None,
) -> tuple[Match | None, tuple[str, ...]]:
    """The first log that agrees with the picture; where none does, the first that could be compared; None if there was
    none. With it what is to be said of the others.

    `look` follows the picture's features; it is called once, if there is a log. Raises UsageError, InputError or
    LensError for a focal length or a profile that is none, SyncError where the picture shows nothing.
    """
    tracks: Tracks | None = None
    refused: Match | None = None
    notes: list[str] = []
    for candidate in candidates:
        if candidate.log is None:
            notes.append(candidate.problem)
            continue
        tracks = look() if tracks is None else tracks
        settings = known_settings(candidate.log, (tracks.width, tracks.height), focal_px, lens)
        try:
            found = Match(candidate.log, tracks, settings, synchronize_held(tracks, candidate.log, settings))
        except SyncError as error:
            notes.append(f"the gyroscope log was not used: {error}")
            continue
        if found.sync.accepted:
            return found, (*notes, *([_refusal(refused)] if refused else []))
        if refused:
            notes.append(_refusal(found))
        refused = refused or found
    return refused, tuple(notes)


def _refusal(match: Match) -> str:
    return f"the gyroscope log {match.log.source} was not used: {match.sync.refusal}"
