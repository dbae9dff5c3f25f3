"""What a run has finished: one JSON a clip, written at once or not at all, found again by content and settings."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from localfiles import ReadError, local_file, read_text, write_text
from localfiles.errors import reason
from metrics.dataset.layout import Job
from metrics.errors import VideoReadError, file_errors
from metrics.model import SCHEMA, VERSION

MAX_BYTES = 1 << 20  # of a finished clip's file; they are of some kilobytes
NUMBER, TEXT = (int, float, type(None)), (str,)
SCORE = {
    "value": NUMBER,
    "input": NUMBER,
    "unit": TEXT,
    "better": TEXT,
    "failures": (int,),
    "total": (int,),
    "note": TEXT,
}
VIDEO = {"path": TEXT, "width": (int,), "height": (int,), "fps": NUMBER, "frames": (int,), "duration_s": NUMBER}
Shape = dict[str, tuple[type, ...]]


def fingerprint(job: Job, mode: str) -> str:
    """Hash of both files' content, the mode and the version of the figures. Raises `VideoReadError`."""
    digest = hashlib.sha256(f"{SCHEMA} {VERSION} {mode}".encode())
    for path in (job.ref, job.out):
        try:
            with file_errors(), local_file(path).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise VideoReadError(f"{path}: cannot be read ({reason(error)})") from error
    return digest.hexdigest()[:32]


def load(folder: Path, key: str) -> dict[str, Any] | None:
    """The stored judgement, or None where there is none or the file is anything else."""
    try:
        stored = json.loads(read_text(folder / f"{key}.json", MAX_BYTES, "finished clip"))
    except (ReadError, ValueError, RecursionError):
        return None
    return stored if _is_judgement(stored) else None


def _is_judgement(stored: Any) -> bool:
    """Whether this is what `Judgement.as_dict` gives, down to the last value: it goes on into tables and JSON."""
    if not isinstance(stored, dict) or stored.keys() != {"schema", "version", "mode", "out", "ref", "scores", "says"}:
        return False
    scores, says, ref = stored["scores"], stored["says"], stored["ref"]
    return (
        all(type(stored[name]) in (int, str) for name in ("schema", "version", "mode"))
        and isinstance(scores, dict)
        and all(_fits(score, SCORE) for score in scores.values())
        and isinstance(says, list)
        and all(isinstance(text, str) for text in says)
        and _fits(stored["out"], VIDEO)
        and (ref is None or _fits(ref, VIDEO))
    )


def _fits(value: Any, shape: Shape) -> bool:
    if not isinstance(value, dict) or value.keys() != shape.keys():
        return False
    return all(type(item) in shape[name] and _is_plain(item) for name, item in value.items())


def _is_plain(item: Any) -> bool:
    """Text, nothing, or a number that a float holds: no NaN, no infinity, no integer of a thousand digits."""
    return isinstance(item, str | None) or -1e300 < item < 1e300


def store(folder: Path, key: str, judgement: dict[str, Any], inputs: tuple[Path, ...]) -> None:
    """Keep a finished clip. Raises `OutputError`."""
    with file_errors():
        write_text(folder / f"{key}.json", json.dumps(judgement, allow_nan=False), inputs, overwrite=True)
