"""`python -m metrics judge OUT --ref IN` and `python -m metrics score DATASET`."""

from __future__ import annotations

import typer

from localfiles.text import clean
from metrics.cli import metrics_command, score_command
from metrics.errors import MetricsError
from metrics.terminal import complain

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("judge")(metrics_command)
app.command("score")(score_command)


def main() -> None:
    """Run the app; one line and the error's exit code for what a file or a setting can cause."""
    try:
        app()
    except MetricsError as error:
        complain(clean(f"error: {error}"))
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
