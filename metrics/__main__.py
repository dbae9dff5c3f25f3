"""`python -m metrics judge OUT --ref IN` and `python -m metrics score DATASET`."""

from __future__ import annotations

import sys

import typer

from metrics.cli import metrics_command, score_command
from metrics.errors import MetricsError

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
