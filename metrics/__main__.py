"""`python -m metrics judge OUT --ref IN` and `python -m metrics score DATASET`."""

from __future__ import annotations

import os
import sys

# `python -m` looks for modules in the current folder first: a `localfiles.py` there would be run for ours. The folder
# stays where it is the one that this package was found in: a clone.
_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if __name__ == "__main__" and not sys.flags.safe_path and os.path.realpath(sys.path[0]) != os.path.realpath(_HOME):
    del sys.path[0]

import typer  # noqa: E402

from metrics.cli import metrics_command, score_command  # noqa: E402
from metrics.errors import MetricsError  # noqa: E402

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("judge")(metrics_command)
app.command("score")(score_command)


def main() -> None:
    """Run the app; one line and exit code 1 for what a file or a setting can cause."""
    try:
        app()
    except MetricsError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
