"""Selection of the log that agrees with the video."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gyro.errors import SyncError
from gyro.log import GyroLog
from gyro.readers import Candidate

from .ois import synchronize_with_ois
from .priors import prior_settings
from .problem import SyncSettings
from .result import SyncResult
from .tracks import Tracks


@dataclass(frozen=True, slots=True)
class Match:
    """A log compared with a video."""

    log: GyroLog
    tracks: Tracks
    settings: SyncSettings
    """The priors of the synchronisation."""
    sync: SyncResult
    """Tells whether log and video agree."""


def match_logs(
    candidates: Iterable[Candidate],
    track_features: Callable[[], Tracks],
    focal_px: float | None = None,
    lens: Path | str | None = None,
) -> tuple[Match | None, tuple[str, ...]]:
    """Return the first log that agrees with the video; else the first that could be compared; else None. The second
    value has a note on every other log.

    `track_features` tracks the video's features. It is called once, if there is a log. Raises UsageError, InputError
    or LensError for unusable priors, SyncError where the video has no features.
    """
    tracks: Tracks | None = None
    refused: Match | None = None
    notes: list[str] = []
    for candidate in candidates:
        if candidate.log is None:
            notes.append(candidate.problem)
            continue
        tracks = track_features() if tracks is None else tracks
        settings = prior_settings(candidate.log, (tracks.width, tracks.height), focal_px, lens)
        try:
            match = Match(candidate.log, tracks, settings, synchronize_with_ois(tracks, candidate.log, settings))
        except SyncError as error:
            notes.append(f"the gyroscope log was not used: {error}")
            continue
        if match.sync.accepted:
            return match, (*notes, *([_refusal_note(refused)] if refused else []))
        if refused:
            notes.append(_refusal_note(match))
        refused = refused or match
    return refused, tuple(notes)


def _refusal_note(match: Match) -> str:
    return f"the gyroscope log {match.log.source} was not used: {match.sync.refusal}"
