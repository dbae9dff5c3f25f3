"""Dataset layouts: which output belongs to which input, by folders, file names, or a manifest."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from localfiles import read_text
from localfiles.errors import reason
from metrics.errors import DatasetError, file_errors

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".3gp", ".wmv"})
INPUT_FOLDERS = ("input", "inputs", "original", "originals", "unstable", "source")
MANIFEST = ("method", "category", "clip", "input", "output")
MAX_MANIFEST_BYTES = 16 << 20  # some hundred thousand clips
Videos = dict[tuple[str, str], Path]  # by (category, clip)


@dataclass(frozen=True)
class Job:
    """One output to judge against its input. `out` may be missing: the clip is then reported as failed, not skipped."""

    method: str
    category: str
    clip: str
    ref: Path
    out: Path


def find_jobs(dataset: Path) -> tuple[Job, ...]:
    """Find all pairs of a dataset, sorted. Raises `DatasetError` if no layout fits.

    A CSV manifest (columns method, category, clip, input, output; paths relative to it), or a folder with
    `<category>/<clip>` for inputs beside `<method>/<category>/<clip>` (categories may be missing; the inputs may lie in
    a folder `input`, `original`, ...), or one folder with `<clip>.mp4` beside `<clip>_<method>.mp4`.
    """
    try:
        jobs = (_from_folders(dataset) or _from_names(dataset)) if dataset.is_dir() else _from_manifest(dataset)
    except OSError as error:  # while listing a folder
        raise DatasetError(f"{error.filename}: the folder cannot be listed ({reason(error)})") from error
    if not jobs:
        raise DatasetError(
            f"{dataset}: no pair of input and output found; expected <category>/<clip> beside"
            f" <method>/<category>/<clip>, <clip>.mp4 beside <clip>_<method>.mp4, or a CSV with"
            f" the columns {', '.join(MANIFEST)}"
        )
    return tuple(sorted(jobs, key=lambda job: (job.method, job.category, job.clip)))


def _from_manifest(path: Path) -> list[Job]:
    with file_errors(read=DatasetError):
        text = read_text(path, MAX_MANIFEST_BYTES, "dataset manifest")
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise DatasetError(f"{path}: not a valid CSV manifest ({error})") from error
    jobs = []
    for line, row in enumerate(rows, 2):
        if not row.get("input") or not row.get("output"):
            raise DatasetError(f"{path}, line {line}: the columns input and output must be filled")
        ref, out = path.parent / row["input"], path.parent / row["output"]
        clip = row.get("clip") or ref.stem
        jobs.append(Job(row.get("method") or "output", row.get("category") or "", clip, ref, out))
    return jobs


def _videos(folder: Path) -> dict[str, Path]:
    """Return the videos directly in a folder, by stem."""
    return {p.stem: p for p in sorted(folder.iterdir()) if p.is_file() and p.suffix.lower() in SUFFIXES}


def _folders(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]


def _by_category(folder: Path) -> Videos:
    """Return the videos of `<category>/<clip>` and of `<clip>`, by (category, clip)."""
    videos = {("", stem): path for stem, path in _videos(folder).items()}
    for category in _folders(folder):
        videos |= {(category.name, stem): path for stem, path in _videos(category).items()}
    return videos


def _from_folders(root: Path) -> list[Job]:
    input_folder = next((root / name for name in INPUT_FOLDERS if (root / name).is_dir()), None)
    if input_folder is not None:
        inputs = _by_category(input_folder)
        methods = {p.name: _by_category(p) for p in _folders(root) if p != input_folder}
    else:
        inputs, methods = _inputs_beside_methods(root)
    return [
        Job(method, category, clip, ref, outputs.get((category, clip), _missing(root, method, category, ref)))
        for method, outputs in methods.items()
        for (category, clip), ref in inputs.items()
        if outputs.keys() & inputs.keys()
    ]


def _missing(root: Path, method: str, category: str, ref: Path) -> Path:
    """Return the expected path of a missing output, so that judging it fails with this path in the message."""
    return root / method / category / ref.name


def _inputs_beside_methods(root: Path) -> tuple[Videos, dict[str, Videos]]:
    """Return inputs and outputs per method for folders beside each other.

    Folders with subfolders of videos are methods, and folders of videos are categories of inputs. If there are only
    folders of videos, they are methods, and the inputs are in the root.
    """
    nested = [p for p in _folders(root) if any(_videos(q) for q in _folders(p))]
    flat = [p for p in _folders(root) if p not in nested and _videos(p)]
    root_videos = {("", stem): path for stem, path in _videos(root).items()}
    if nested:
        inputs = {(p.name, stem): path for p in flat for stem, path in _videos(p).items()} | root_videos
        return inputs, {p.name: _by_category(p) for p in nested}
    return root_videos, {p.name: _by_category(p) for p in flat}


def _from_names(root: Path) -> list[Job]:
    """`<clip>.mp4` beside `<clip>_<method>.mp4`, in the folder itself and in its folders (categories)."""
    jobs = []
    for folder in [root, *_folders(root)]:
        videos = _videos(folder)
        category = "" if folder == root else folder.name
        for stem, out in videos.items():
            clip = max((s for s in videos if stem.startswith(f"{s}_")), key=len, default=None)
            if clip is not None:
                jobs.append(Job(stem[len(clip) + 1 :], category, clip, videos[clip], out))
    return jobs
