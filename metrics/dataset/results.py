"""What a dataset's scores are written as: tables for clips, categories, methods and win rates, and everything as JSON.

Scoring again into the same folder replaces these files, for that is how an interrupted run goes on. A file that only
has the name of one of them is somebody's own, and is replaced only when that is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from localfiles import ReadError, check_target, local_file, write_text
from localfiles.errors import reason
from metrics.dataset.run import Outcome
from metrics.dataset.summary import as_dict, summary_tables
from metrics.errors import OutputError, file_errors
from metrics.tables import as_csv, as_latex, as_markdown

HEAD_LINES = {".csv": 1, ".md": 1, ".tex": 2, ".json": 2}  # the lines that are the same whatever the clips are


def result_texts(outcomes: Sequence[Outcome], mode: str) -> dict[str, str]:
    """The content of every file, by its name."""
    tables = summary_tables(outcomes, mode)
    return {
        **{f"{mode}_{name}.csv": as_csv(table) for name, table in tables.items()},
        f"{mode}.md": "\n".join(map(as_markdown, tables.values())),
        f"{mode}.tex": "\n".join(map(as_latex, tables.values())),
        f"{mode}.json": json.dumps(as_dict(outcomes, mode), allow_nan=False, indent=1),
    }


def prepare(folder: Path, mode: str, inputs: Sequence[Path], overwrite: bool) -> None:
    """Make the folder, and refuse before any work what could not be written in the end.

    Raises `UsageError` where a table would be one of the inputs, `OutputError` for everything else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "finished").mkdir(exist_ok=True)
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder}: is no folder that results can be written to ({reason(error)})") from error
    for name, text in result_texts((), mode).items():
        with file_errors():
            check_target(folder / name, inputs, overwrite or _is_ours(folder / name, text))


def write_results(folder: Path, texts: dict[str, str], inputs: Sequence[Path], overwrite: bool) -> None:
    """Write every file whole. Raises as `prepare`."""
    for name, text in texts.items():
        with file_errors():
            write_text(folder / name, text, inputs, overwrite or _is_ours(folder / name, text))


def _is_ours(file: Path, text: str) -> bool:
    """Whether what stands there begins as `text` does, and so comes of an earlier run."""
    head = "".join(text.splitlines(keepends=True)[: HEAD_LINES[file.suffix]]).encode()
    try:
        with local_file(file).open("rb") as found:
            return found.read(len(head)) == head
    except (ReadError, OSError):
        return False
