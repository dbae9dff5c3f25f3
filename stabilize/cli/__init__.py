"""The command line: parse, call, print."""

from stabilize.cli.boundary import main

__all__ = ["main"]
