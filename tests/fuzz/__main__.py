"""`python -m tests.fuzz --seed N --count 300`: every failure is printed with what replays it."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from .campaign import Campaign


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="The command line on damaged files.")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the damage (the time)")
    parser.add_argument("--count", type=int, default=300, help="mutants (300)")
    parser.add_argument("--only", type=int, nargs="*", default=(), metavar="NUMBER", help="these mutants alone")
    parser.add_argument("--keep", type=Path, help="a folder for the mutants that fail")
    parser.add_argument("--jobs", type=int, default=2, help="at a time (2)")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    campaign = Campaign(given.seed, given.count, tuple(given.only), given.keep, given.jobs)
    count = 0
    for failure in campaign.failures():
        count += 1
        print(f"mutant {failure.number}: {'; '.join(failure.reasons)}\n  stabilize {shlex.join(failure.words)}")
        for line in ascii(failure.ended.err[-400:]).strip("'").split("\\n")[-3:]:
            print(f"  {line}" if line else "", flush=True)
        print(f"  again: python -m tests.fuzz --seed {given.seed} --only {failure.number} --keep FOLDER", flush=True)
    ends = ", ".join(f"{code}: {times}" for code, times in sorted(campaign.codes.items(), key=str))
    print(f"{count} failures; exit codes: {ends}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
