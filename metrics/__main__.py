"""`python -m metrics`: the judge without the rest of the program."""

from __future__ import annotations

import os
import sys
from typing import Any


def _leave_current_folder() -> None:
    """Remove the current folder from the module search path, where `python -m` puts it first.

    A `localfiles.py` in a folder of videos would be imported in place of the real package. The folder stays if it is
    the one this package was imported from (a clone).
    """
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != os.path.realpath(home):
        del sys.path[0]


def main() -> None:
    """Run the app. A `MetricsError` becomes one line on stderr and its exit code."""
    from localfiles import streams
    from localfiles.terminal import complain
    from metrics.errors import MetricsError, OutputError

    outlet = streams.guard()
    code: int | str | None = 0
    try:
        app()()
    except MetricsError as error:
        complain(f"error: {error}")
        code = error.exit_code
    except SystemExit as stop:  # raised by Typer
        if not isinstance(stop.code, int | None):  # a message for stderr
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
