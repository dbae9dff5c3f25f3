"""Finished clips: one JSON file per clip, written atomically, identified by content and settings."""

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

MAX_CLIP_FILE_BYTES = 1 << 20  # typical files have some kilobytes
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
    """Hash the content of both files, the mode and the score version. Raises `VideoReadError`."""
    digest = hashlib.sha256(f"{SCHEMA} {VERSION} {mode}".encode())
    for path in (job.ref, job.out):
        try:
            with file_errors(), local_file(path).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise VideoReadError(f"{path}: cannot be read ({reason(error)})") from error
    return digest.hexdigest()[:32]


def load(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the stored judgement; None if there is none or the file is not valid."""
    try:
        stored = json.loads(read_text(folder / f"{key}.json", MAX_CLIP_FILE_BYTES, "finished clip"))
    except (ReadError, ValueError, RecursionError):
        return None
    return stored if _is_judgement(stored) else None


def _is_judgement(stored: Any) -> bool:
    """Whether `stored` has exactly the structure of `Judgement.as_dict`: it is passed on to tables and JSON."""
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
    """Whether `item` is text, None, or a finite number of float range."""
    return isinstance(item, str | None) or -1e300 < item < 1e300


def store(folder: Path, key: str, judgement: dict[str, Any], inputs: tuple[Path, ...]) -> None:
    """Store a finished clip. Raises `OutputError`."""
    with file_errors():
        write_text(folder / f"{key}.json", json.dumps(judgement, allow_nan=False), inputs, overwrite=True)
