"""Where every error ends: one line on stderr and an exit code."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence

import typer

from localfiles import streams
from localfiles.terminal import complain
from stabilize.cli import signals
from stabilize.errors import InputError, OutputError, StabilizeError, UsageError

INTERNAL_ERROR = 70  # EX_SOFTWARE
PACKAGE_ERROR = 1  # of gyro and metrics, where they say no other
_PACKAGE_ERRORS = (("gyro.errors", "GyroError"), ("metrics.errors", "MetricsError"))
_URL = re.compile(r"(--[\w-]+=)?[A-Za-z][A-Za-z0-9+.-]+://")


def ended(arguments: Sequence[str] | None = None) -> int:
    """Run the command line of this process, with streams that cannot fail, and return its exit code."""
    outlet = streams.guard()
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = given[: given.index("--")] if "--" in given else given
    debug = "--debug" in words
    kept = [word for word in words if word != "--debug"] + given[len(words) :]
    code = run(kept, debug)
    reason = streams.lost(outlet)
    if reason is None:
        return code
    complain(f"stabilize: standard output cannot be written ({reason})")
    return code or OutputError.exit_code


def run(arguments: Sequence[str], debug: bool = False) -> int:
    """Run a command line and return its exit code; every error has been said. Raises `signals.Interrupted`."""
    try:
        _check_words(arguments)
        from stabilize.cli.app import command

        result = command().main(args=list(arguments), prog_name="stabilize", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except Exception as error:  # the one place where all of them end
        stopped = signals.asked()
        if stopped is not None:
            raise signals.Interrupted(stopped) from error
        if debug:
            _show_traceback(error)
        message, code = explained(error, debug)
        if message:
            complain(f"stabilize: {message}")
        return code


def explained(error: BaseException, debug: bool) -> tuple[str, int]:
    """What is to be said of an error, and the exit code."""
    if isinstance(error, StabilizeError):
        return str(error), error.exit_code
    if isinstance(error, typer.Abort):
        return "stopped", 128 + signal.SIGINT
    said = getattr(error, "format_message", None)
    if said is not None:  # of the option parser; its classes have no public name
        return _usage(error, said()), int(getattr(error, "exit_code", 2))
    if isinstance(error, _package_errors()):
        return str(error), getattr(error, "exit_code", PACKAGE_ERROR)
    hint = "" if debug else "; run with --debug to see where, and report it"
    return f"internal error: {type(error).__name__}: {error}{hint}", INTERNAL_ERROR


def _check_words(words: Sequence[str]) -> None:
    """Refuse what no command can mean. A path, later, no longer shows that it was an address, or nothing."""
    for word in words:
        if not word:
            raise UsageError("'' stands where a name or a value belongs; was a variable of a script empty?")
        if _URL.match(word) and not os.path.exists(word):
            raise InputError(f"{word}: only local files are read and written; give the path of a file on this machine")
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UsageError("the current folder does not exist any more; change to another one") from error


def _show_traceback(error: Exception) -> None:
    for part in traceback.format_exception(error):
        for line in part.rstrip("\n").split("\n"):
            complain(line)


def _usage(error: BaseException, message: str) -> str:
    if not message:  # a command without arguments: its help was shown
        return ""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "stabilize"
    return f"{message.rstrip('.')} (see {path} --help)"


def _package_errors() -> tuple[type[Exception], ...]:
    """Errors of packages that were used: what was not imported cannot have been raised."""
    return tuple(getattr(sys.modules[m], name) for m, name in _PACKAGE_ERRORS if m in sys.modules)
