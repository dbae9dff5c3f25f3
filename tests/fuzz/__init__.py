"""The command line on damaged files: `python -m tests.fuzz --seed N --count 300`."""
