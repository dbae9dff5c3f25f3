"""Where every error ends: one line on stderr and an exit code."""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import typer

from localfiles.text import clean
from stabilize.cli.text import complain, mute
from stabilize.errors import StabilizeError

INTERNAL_ERROR = 70  # EX_SOFTWARE
PACKAGE_ERROR = 1  # of gyro and metrics
_PACKAGE_ERRORS = (("gyro.errors", "GyroError"), ("metrics.errors", "MetricsError"))
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not known everywhere
_SECOND_THOUGHT_S = 5.0


class Interrupted(BaseException):
    """A signal asked to stop. Not an Exception: nothing but the end of the program may catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def main(arguments: Sequence[str] | None = None) -> None:
    """The command `stabilize`; ends the process with a documented exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = given[: given.index("--")] if "--" in given else given
    debug = "--debug" in words
    kept = [word for word in words if word != "--debug"] + given[len(words) :]
    code = run(kept, debug)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            mute(stream)
    sys.exit(code)


def run(arguments: Sequence[str], debug: bool = False) -> int:
    """Run a command line and return its exit code; every error has been said."""
    with _signals():
        try:
            from stabilize.cli.app import command

            result = command().main(args=list(arguments), prog_name="stabilize", standalone_mode=False)
            return result if isinstance(result, int) else 0
        except (Exception, Interrupted) as error:  # noqa: BLE001 - the one place where all of them end
            if debug and not isinstance(error, Interrupted):
                traceback.print_exception(error)
            message, code = explained(error, debug)
            if message:
                complain(f"stabilize: {clean(message)}")
            return code


def explained(error: BaseException, debug: bool) -> tuple[str, int]:
    """What is to be said of an error, and the exit code."""
    if isinstance(error, StabilizeError | Interrupted):
        stopped = isinstance(error, Interrupted)
        return f"stopped by {error}; nothing was left behind" if stopped else str(error), error.exit_code
    if isinstance(error, typer.Abort):
        return "stopped", 128 + signal.SIGINT
    said = getattr(error, "format_message", None)
    if said is not None:  # of the option parser; its classes have no public name
        return _usage(error, said()), int(getattr(error, "exit_code", 2))
    if isinstance(error, _package_errors()):
        return str(error), getattr(error, "exit_code", PACKAGE_ERROR)
    hint = "" if debug else "; run with --debug to see where, and report it"
    return f"internal error: {type(error).__name__}: {error}{hint}", INTERNAL_ERROR


def _usage(error: BaseException, message: str) -> str:
    if not message:  # a command without arguments: its help was shown
        return ""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "stabilize"
    return f"{message.rstrip('.')} (see {path} --help)"


def _package_errors() -> tuple[type[Exception], ...]:
    """Errors of packages that were used: what was not imported cannot have been raised."""
    return tuple(getattr(sys.modules[m], name) for m, name in _PACKAGE_ERRORS if m in sys.modules)


@contextmanager
def _signals() -> Iterator[None]:
    """Signals that ask to stop end the work by an exception, so that temporary files go; ignored ones stay ignored."""
    started: list[float] = []

    def stop(number: int, frame: FrameType | None) -> None:
        # While the first one is cleaned up after, a nervous second one must not cut that short.
        if not started or time.monotonic() - started[0] > _SECOND_THOUGHT_S:
            started.append(time.monotonic())
            raise Interrupted(number)

    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
