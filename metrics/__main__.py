"""`python -m metrics`: the judge without the rest of the program."""

from __future__ import annotations

import os
import sys
from typing import Any


def _leave_current_folder() -> None:
    """`python -m` looks for modules in the current folder first: a `localfiles.py` there would be run for ours.

    The folder stays where it is the one that this package was found in: a clone.
    """
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != os.path.realpath(home):
        del sys.path[0]


def main() -> None:
    """Run the app; one line and the error's exit code for what a file or a setting can cause."""
    from localfiles import streams
    from localfiles.terminal import complain
    from metrics.errors import MetricsError, OutputError

    outlet, code = streams.guard(), 0
    try:
        app()()
    except MetricsError as error:
        complain(f"error: {error}")
        code = error.exit_code
    except SystemExit as stop:
        if not isinstance(stop.code, int | None):  # a message for stderr, and none of Typer's
            raise
        code = stop.code or 0
    reason = streams.lost(outlet)
    if reason is not None:
        complain(f"error: standard output cannot be written ({reason})")
        code = code or OutputError.exit_code
    raise SystemExit(code)


def app() -> Any:
    """The two commands, as a Typer app."""
    import typer

    from metrics.cli import metrics_command, score_command

    commands = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    commands.command("judge")(metrics_command)
    commands.command("score")(score_command)
    return commands


if __name__ == "__main__":
    _leave_current_folder()
    main()
