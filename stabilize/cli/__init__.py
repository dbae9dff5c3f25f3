"""The command line: parse, call, print."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would spin while others have work

from stabilize.cli.boundary import main

__all__ = ["main"]
