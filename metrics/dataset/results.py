"""Result files of a scored dataset: tables of clips, categories, methods and win rates, and everything as JSON.

Scoring into the same folder again replaces these files. A file of the same name that `score` did not write is replaced
only on request.
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

HEAD_LINES = {".csv": 1, ".md": 1, ".tex": 2, ".json": 2}  # number of first lines that do not depend on the clips


def result_texts(outcomes: Sequence[Outcome], mode: str) -> dict[str, str]:
    """Return the content of every file by name."""
    tables = summary_tables(outcomes, mode)
    return {
        **{f"{mode}_{name}.csv": as_csv(table) for name, table in tables.items()},
        f"{mode}.md": "\n".join(map(as_markdown, tables.values())),
        f"{mode}.tex": "\n".join(map(as_latex, tables.values())),
        f"{mode}.json": json.dumps(as_dict(outcomes, mode), allow_nan=False, indent=1),
    }


def prepare(folder: Path, mode: str, inputs: Sequence[Path], overwrite: bool) -> None:
    """Create the folder and refuse files that could not be written, before any work is done.

    Raises `UsageError` if a table would overwrite an input, `OutputError` for everything else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "finished").mkdir(exist_ok=True)
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder}: no folder for results can be created here ({reason(error)})") from error
    for name, text in result_texts((), mode).items():
        with file_errors():
            check_target(folder / name, inputs, overwrite or _is_earlier_result(folder / name, text))


def write_results(folder: Path, texts: dict[str, str], inputs: Sequence[Path], overwrite: bool) -> None:
    """Write every file completely. Raises like `prepare`."""
    for name, text in texts.items():
        with file_errors():
            write_text(folder / name, text, inputs, overwrite or _is_earlier_result(folder / name, text))


def _is_earlier_result(file: Path, text: str) -> bool:
    """Whether the existing file begins like `text`, and so comes from an earlier run."""
    head = "".join(text.splitlines(keepends=True)[: HEAD_LINES[file.suffix]]).encode()
    try:
        with local_file(file).open("rb") as stream:
            return stream.read(len(head)) == head
    except (ReadError, OSError):
        return False
