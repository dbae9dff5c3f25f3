"""The command line: parse, call, print."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would spin while others have work

from stabilize.cli import signals

__all__ = ["main"]


def main(arguments: "list[str] | None" = None) -> None:
    """The command `stabilize`; ends the process with a documented exit code."""
    try:
        signals.catch()
        from stabilize.cli.boundary import ended  # takes a tenth of a second, in which people press Ctrl-C

        code = ended(arguments)
        signals.ignore()
    except signals.Interrupted as stopped:
        code = signals.said(stopped)
        signals.ignore()
        # What was open is closed. A thread that the signal caught at its start may still be inside FFmpeg, and would
        # crash while the interpreter takes itself apart.
        os._exit(code)
    raise SystemExit(code)
