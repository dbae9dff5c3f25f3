"""The command line: parse, call, print."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its idle threads would spin and slow down the others

from stabilize.cli import signals

__all__ = ["main"]


def main(arguments: "list[str] | None" = None) -> None:
    """Run the command `stabilize` and exit with a documented code."""
    try:
        signals.catch()
        from stabilize.cli.boundary import run_process  # takes 0.1 s, in which Ctrl-C must already be caught

        code = run_process(arguments)
        signals.ignore()
    except signals.Interrupted as interrupt:
        code = signals.report(interrupt)
        signals.ignore()
        # All files are closed. A thread that had just started may still be inside FFmpeg and would crash during the
        # interpreter's shutdown.
        os._exit(code)
    raise SystemExit(code)
