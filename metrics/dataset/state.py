"""What a run has finished: one JSON a clip, written at once or not at all, found again by content and settings."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from metrics.dataset.layout import Job
from metrics.model import SCHEMA, VERSION


def fingerprint(job: Job, mode: str) -> str:
    """Hash of both files' content, the mode and the version of the figures. Raises OSError."""
    digest = hashlib.sha256(f"{SCHEMA} {VERSION} {mode}".encode())
    for path in (job.ref, job.out):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]


def load(folder: Path, key: str) -> dict[str, Any] | None:
    """The stored scores, or None where there are none or the file is not whole."""
    try:
        stored = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stored if isinstance(stored, dict) and isinstance(stored.get("scores"), dict) else None


def store(folder: Path, key: str, scores: dict[str, Any]) -> None:
    """Write beside and rename, so that an interrupt leaves the old file or the new one."""
    write_whole(folder / f"{key}.json", json.dumps(scores, allow_nan=False))


def write_whole(path: Path, text: str) -> None:
    """Text to `path` by rename; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
