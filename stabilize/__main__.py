"""`python -m stabilize`."""

import os
import sys


def _leave_current_folder() -> None:
    """`python -m` looks for modules in the current folder first: a `gyro.py` that lies there would be run for ours.

    The folder stays where it is the one that this package was found in: a clone.
    """
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != os.path.realpath(home):
        del sys.path[0]


if __name__ == "__main__":
    _leave_current_folder()
    from stabilize.cli import main

    main()
