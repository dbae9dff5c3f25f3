"""`python -m metrics`: the judge without the rest of the program."""

from __future__ import annotations

import os
import sys


def _leave_current_folder() -> None:
    """`python -m` looks for modules in the current folder first: a `localfiles.py` there would be run for ours.

    The folder stays where it is the one that this package was found in: a clone.
    """
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != os.path.realpath(home):
        del sys.path[0]


def main() -> None:
    """Run the app; one line and the error's exit code for what a file or a setting can cause."""
    import typer

    from localfiles.text import clean
    from metrics.cli import metrics_command, score_command
    from metrics.errors import MetricsError
    from metrics.terminal import complain

    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.command("judge")(metrics_command)
    app.command("score")(score_command)
    try:
        app()
    except MetricsError as error:
        complain(clean(f"error: {error}"))
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    _leave_current_folder()
    main()
