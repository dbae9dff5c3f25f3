"""Turn every error into one line on stderr and an exit code."""

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
PACKAGE_ERROR = 1  # of gyro and metrics, unless the error has its own exit code
_PACKAGE_ERRORS = (("gyro.errors", "GyroError"), ("metrics.errors", "MetricsError"))
_URL = re.compile(r"(--[\w-]+=)?[A-Za-z][A-Za-z0-9+.-]+://")


def run_process(arguments: Sequence[str] | None = None) -> int:
    """Run the command line of this process with guarded standard streams, and return its exit code."""
    outlet = streams.guard()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in options
    code = run([word for word in options if word != "--debug"] + arguments[len(options) :], debug)
    reason = streams.lost(outlet)
    if reason is None:
        return code
    complain(f"stabilize: standard output cannot be written ({reason})")
    return code or OutputError.exit_code


def run(arguments: Sequence[str], debug: bool = False) -> int:
    """Run a command line, print its error if there is one, and return its exit code. Raises `signals.Interrupted`."""
    try:
        _check_arguments(arguments)
        from stabilize.cli.app import command

        result = command().main(args=list(arguments), prog_name="stabilize", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except Exception as error:  # the one place where all errors are caught
        stop_signal = signals.received()
        if stop_signal is not None:
            raise signals.Interrupted(stop_signal) from error
        if debug:
            _print_traceback(error)
        message, code = describe(error, debug)
        if message:
            complain(f"stabilize: {message}")
        return code


def describe(error: BaseException, debug: bool) -> tuple[str, int]:
    """Return the message for the user and the exit code."""
    if isinstance(error, StabilizeError):
        return str(error), error.exit_code
    if isinstance(error, typer.Abort):
        return "stopped", 128 + signal.SIGINT
    format_message = getattr(error, "format_message", None)
    if format_message is not None:  # an error of the option parser, whose classes are not public
        return _usage_message(error, format_message()), int(getattr(error, "exit_code", 2))
    if isinstance(error, _package_errors()):
        return str(error), getattr(error, "exit_code", PACKAGE_ERROR)
    hint = "" if debug else "; run with --debug to see where, and report it"
    return f"internal error: {type(error).__name__}: {error}{hint}", INTERNAL_ERROR


def _check_arguments(arguments: Sequence[str]) -> None:
    """Refuse URLs and empty arguments here: a `Path` made of them no longer shows what they were."""
    for argument in arguments:
        if not argument:
            raise UsageError("an argument is empty (''); is a variable of your script not set?")
        if _URL.match(argument) and not os.path.exists(argument):
            message = "only local files are read and written; give the path of a file on this machine"
            raise InputError(f"{argument}: {message}")
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UsageError("the current folder no longer exists; change to another one") from error


def _print_traceback(error: Exception) -> None:
    for part in traceback.format_exception(error):
        for line in part.rstrip("\n").split("\n"):
            complain(line)


def _usage_message(error: BaseException, message: str) -> str:
    if not message:  # called without arguments: Typer has printed the help
        return ""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "stabilize"
    return f"{message.rstrip('.')} (see {path} --help)"


def _package_errors() -> tuple[type[Exception], ...]:
    """Base errors of the other packages, of those that are imported: the others cannot have been raised."""
    return tuple(getattr(sys.modules[m], name) for m, name in _PACKAGE_ERRORS if m in sys.modules)
